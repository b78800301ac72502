"""Everything that a turn needs besides a model, opened together for one folder.

`punie ask` and `punie chat` work with it; the ACP server has its own, because there the host is the
editor.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie_agent.models import contract_for
from punie_agent.paths import signing_key
from punie_agent.permissions import Asker, Mode, Permissions
from punie_agent.planning import preview_for
from punie_sandbox import Sandbox
from punie_tools import LocalHost, PluginError, Toolbox, load_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from punie_agent.contract import Contract
    from punie_agent.models import ChatModel
    from punie_tools import Host

__all__ = ["Workbench", "open_workbench", "toolbox_for"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workbench:
    """The open parts: what the model's code may call, where it runs, and who decides."""

    toolbox: Toolbox
    contract: Contract
    sandbox: Sandbox
    permissions: Permissions


def toolbox_for(host: Host) -> Toolbox:
    """The toolbox of a host, with the tools of installed plug-ins.

    A plug-in that cannot be loaded is a warning, and then none of them is there.
    """
    try:
        return Toolbox(host, plugins=load_plugins())
    except PluginError as error:
        logger.warning("%s; working without plug-ins", error)
        return Toolbox(host)


@asynccontextmanager
async def open_workbench(
    folder: Path, model: ChatModel, *, asker: Asker | None = None, mode: Mode = "ask"
) -> AsyncGenerator[Workbench]:
    """Open toolbox, contract, permissions and sandbox for one folder; the sandbox ends with the block.

    Args:
        folder: the project; tools stay inside it.
        model: who will be asked; it decides about the contract.
        asker: asks a person.
        mode: what needs no asking.
    """
    host = LocalHost(folder)
    toolbox = toolbox_for(host)
    contract = contract_for(model, toolbox)
    permissions = Permissions(asker, mode=mode, project=folder, host=host)
    preview = preview_for(contract.functions, host)
    async with Sandbox(
        contract.functions, policy=permissions, preview=preview, signing_key=signing_key()
    ) as sandbox:
        yield Workbench(toolbox, contract, sandbox, permissions)
