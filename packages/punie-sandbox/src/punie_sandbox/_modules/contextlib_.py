"""What models use of `contextlib`, without its decorators (they need generators)."""

# ruff: noqa: N801
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

from typing import Any


class suppress:
    """Ignore these exceptions in the block."""

    def __init__(self, *exceptions: Any) -> None:
        self.exceptions = exceptions

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return error is not None and isinstance(error, self.exceptions)


class nullcontext:
    """A block that does nothing special."""

    def __init__(self, enter_result: Any = None) -> None:
        self.enter_result = enter_result

    def __enter__(self) -> Any:
        return self.enter_result

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return False
