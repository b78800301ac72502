"""The models an editor may choose from, and the one object for each that answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from acp.exceptions import RequestError

from punie_agent.errors import AgentError

if TYPE_CHECKING:
    from punie_agent.models import ChatModel

__all__ = ["Models"]


class Models:
    """Models by name: those handed in, `test`, and those this machine has.

    Args:
        default: the model of new sessions.
        given: further models, made at first use.
    """

    def __init__(
        self, default: str, given: Mapping[str, Callable[[], ChatModel]] | None = None
    ) -> None:
        self.default = default
        self._given = dict(given or {})
        self._made: dict[str, ChatModel] = {}

    def choices(self) -> list[tuple[str, str]]:
        """Return names and descriptions, the default first."""
        from punie_agent.models import choices

        offered = dict(choices())
        first = {self.default: offered.pop(self.default, "")}
        return list((first | dict.fromkeys(self._given, "") | offered).items())

    def check(self, name: str) -> None:
        """Raise `RequestError` (-32602) when there is no such model to choose."""
        known = [choice for choice, _ in self.choices()]
        if name not in known:
            reason = f"no model {name!r}; there are: {', '.join(known)}"
            raise RequestError.invalid_params({"reason": reason})

    def get(self, name: str) -> ChatModel:
        """Return the model of that name.

        Raises:
            ModelUnavailableError: There is none, or it cannot be used; the message says why.
        """
        from punie_agent.models import resolve

        if name not in self._made:
            self._made[name] = self._given[name]() if name in self._given else resolve(name)
        return self._made[name]

    async def close(self) -> None:
        """Let go of every model: servers that were started for them end."""
        from punie_agent.models import close

        made, self._made = self._made, {}
        for model in made.values():
            with contextlib.suppress(AgentError, OSError):
                await close(model)
