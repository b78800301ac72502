"""A chat model whose replies are constrained, for whoever has one and wants that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from punie_agent.constrain._constraint import Constraint, Preference

if TYPE_CHECKING:
    from punie_agent.contract import Contract
    from punie_agent.models import ChatModel, Message, ModelReply

__all__ = ["Constrainable", "constrained", "constrained_if_trained"]


@runtime_checkable
class Constrainable(Protocol):
    """A chat model that can be kept to a constraint."""

    name: str
    context_limit: int | None
    takes_constraint: bool

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        constraint: Constraint | None = None,
    ) -> ModelReply:
        """Answer the conversation, kept to a constraint; see `ChatModel.reply`."""
        ...


def constrained(
    model: ChatModel,
    contract: Contract,
    root: Path | None,
    *,
    prefer: Preference = "mentioned",
) -> ChatModel:
    """A model that answers like this one, kept to the contract and to the paths of a workspace.

    A model that cannot be constrained, and a contract in another form than fenced code, are left as
    they are.

    Args:
        model: who answers.
        contract: how it is spoken to.
        root: the workspace's folder.
        prefer: whether the paths that a request names leave others out.
    """
    able = isinstance(model, Constrainable) and model.takes_constraint
    if not able or contract.call_format != "fenced":
        return model
    return _Constrained(model, contract, root, prefer)


def constrained_if_trained(model: ChatModel, contract: Contract, root: Path | None) -> ChatModel:
    """`constrained` for a model that was trained with a contract, any other model as it is.

    A model that was taught these tools is spoken to as it was taught, and errs by letters. One that was not
    may know better how to go about things than the constraint does.
    """
    trained = getattr(model, "contract_data", None) or {}
    return constrained(model, contract, root) if "tools" in trained else model


class _Constrained:
    """Makes a constraint for each reply; everything else is the model's own."""

    name: str
    context_limit: int | None
    takes_start = True

    def __init__(
        self, model: Constrainable, contract: Contract, root: Path | None, prefer: Preference
    ) -> None:
        self._model = model
        self._contract = contract
        self._root = root
        self._prefer: Preference = prefer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        start: str = "",
    ) -> ModelReply:
        """Answer; see `ChatModel.reply`. What it is to begin with, an alternative said."""
        constraint = Constraint.of(self._contract, messages, self._root, prefer=self._prefer)
        return await self._model.reply(
            messages,
            on_text=on_text,
            on_thought=on_thought,
            max_tokens=max_tokens,
            constraint=replace(constraint, start=start),
        )
