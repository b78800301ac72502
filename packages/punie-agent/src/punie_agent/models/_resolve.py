"""From a model's name to the model: the one place that knows all kinds of names."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from punie_agent.errors import ContractError, ModelUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from punie_agent.contract import Contract
    from punie_agent.models._protocol import ChatModel
    from punie_tools import Toolbox

logger = logging.getLogger(__name__)

__all__ = ["choices", "close", "contract_for", "default_name", "resolve"]


def resolve(name: str) -> ChatModel:
    """The model of this name. Cheap: nothing is started, contacted or imported before it is needed.

    Names: `test` (offline, no weights); the name of a model made here (`smollm2-phase23`); the folder
    of an mlx-lm model, with a slash in it (`./folder`); the URL of an OpenAI-compatible server, with
    `#model` when it serves several (`http://localhost:1234/v1#qwen3`); any pydantic-ai name
    (`anthropic:claude-sonnet-4-5`).

    Raises:
        ModelUnavailableError: there is no such model; the message lists what there is.
    """
    from punie_agent.models import registry

    if name == "test":
        from punie_agent.models._offline import OfflineModel

        return OfflineModel()
    if name.startswith(("http://", "https://")):
        from punie_agent.models._openai import OpenAIModel

        url, _, model = name.partition("#")
        return OpenAIModel(url, model or None)
    if (found := registry.named(name)) is not None:
        from punie_agent.models._served import ServedModel

        return ServedModel(found)
    if ":" in name:
        from punie_agent.models._pydantic_ai import PydanticAIModel

        return PydanticAIModel(name)
    known = ", ".join(["test", *registry.names()])
    raise ModelUnavailableError(
        f"there is no model {name!r}. Known here: {known}. It may also be a folder with an mlx-lm model, "
        "written with a slash (./folder), the URL of an OpenAI-compatible server, or a pydantic-ai name "
        "such as openai:gpt-5."
    )


def choices() -> list[tuple[str, str]]:
    """The models that can be chosen by a short name here, each with one line about it."""
    from punie_agent.models import registry

    made = [(each.name, f"{each.base} trained in {each.phase}") for each in registry.registered()]
    return [*made, ("test", "offline, no weights: tries out a set-up")]


def default_name() -> str:
    """The model to use when none was named: $PUNIE_MODEL, the newest one made here, or `test`."""
    from punie_agent.models import registry

    named = os.environ.get("PUNIE_MODEL")
    if named:
        return named
    made = registry.registered()
    if not made:
        return "test"
    return max(made, key=lambda each: (each.folder / registry.DESCRIPTION).stat().st_mtime).name


def contract_for(
    model: ChatModel, toolbox: Toolbox, warn: Callable[[str], object] | None = None
) -> Contract:
    """The contract that a model is to be spoken to with: the one it was trained with, or the full one.

    Args:
        model: the model.
        toolbox: the tools that are here.
        warn: told, in a sentence, that the model was trained with another contract; the log when None.

    Raises:
        ContractError: the model was trained with tools that are not here.
    """
    from punie_agent.contract import Contract, standard_functions

    own: Any = getattr(model, "contract_data", None)
    if own is not None and "tools" in own:
        try:
            contract = Contract.from_json(own, toolbox)
        except ContractError as error:
            raise ContractError(
                f"the model {model.name!r} was trained with tools that are not all here: {error}; "
                "install the package that adds it, or choose another model"
            ) from error
        _compare(model, contract, warn or logger.warning)
        return contract
    call_format = (own or {}).get("call_format", "fenced")
    return Contract(standard_functions(toolbox), call_format=call_format)


def _compare(model: ChatModel, contract: Contract, warn: Callable[[str], object]) -> None:
    trained_with: str | None = getattr(model, "contract_digest", None)
    if trained_with is not None and trained_with != contract.digest():
        warn(
            f"the model {model.name} was trained with another contract ({trained_with[:19]}) than this "
            f"Punie speaks ({contract.digest()[:19]}): it may do worse than its report says; make it again"
        )


async def close(model: ChatModel) -> None:
    """Let go of what a model holds: a server it started, an open connection."""
    closing = getattr(model, "aclose", None)
    if closing is not None:
        await closing()
