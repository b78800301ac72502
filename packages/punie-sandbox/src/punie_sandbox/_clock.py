"""What the sandboxed code reads of the clock: one number of the host, in the form that was asked for."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["CLOCKS"]


def _utc(now: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, datetime.UTC)


def _now(now: float, args: Sequence[Any]) -> datetime.datetime:
    zone = args[0] if args and isinstance(args[0], datetime.tzinfo) else None
    return _utc(now).astimezone(zone) if zone else _utc(now).replace(tzinfo=None)


CLOCKS: Mapping[str, Callable[[float, Sequence[Any]], Any]] = {
    "time.time": lambda now, _: now,
    "datetime.now": _now,
    "date.today": lambda now, _: _utc(now).date(),
}
"""By the name of the system call: from seconds since 1970 and its arguments to its value."""
