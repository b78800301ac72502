"""Tools on a fresh copy of a scene, remembering what they answered.

A result depends on the workspace's content, the tool and its arguments; so it is looked up under exactly
these. What changes files is never looked up: it is done, and changes the content that the next look-up is
under. The host can be pointed at another copy, so one sandbox serves all examples. Scenes of the same
workspace share a folder, and a type checker that stays.

Covered: the memory and going from scene to scene. Not covered: what is done (`punie_train.data.play`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from punie_tools import LocalHost, Toolbox, load_plugins
from punie_train.data.copies import Copy
from punie_train.data.staying import StayingChecker
from punie_train.data.workspaces import Scene

__all__ = ["Bench"]

_ONLY_LOOKS = re.compile(
    r"(grep|find|ls|cat|head|tail|wc|sort|diff|uname|echo|ruff format --check|python --version)\b"
)
_DOES_MORE = re.compile(
    r"[>;|&`\n]|\$\((?!\()"  # another command, or a file written
    r"|^find\b.*\s-(delete|exec|execdir|ok|okdir|fls|fprint)"
    r"|^sort\b.*\s(-\w*o|--o)"
)


def _environment() -> dict[str, str]:
    """The environment of the tools: pytest without third parties' plug-ins, nothing left behind."""
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Bench(Toolbox):
    """A toolbox that can be moved to another copy and remembers answers.

    Attributes:
        executed: calls that were really made.
        remembered: calls that were answered from memory.
    """

    def __init__(self, folder: Path) -> None:
        self._of_third_parties = load_plugins()
        self._folder = folder
        self._known: dict[str, Any] = {}
        self._state = ""
        self._copy: Copy | None = None
        self._checker = self._open(folder)
        self.executed = 0
        self.remembered = 0

    async def set_scene(self, scene: Scene) -> None:
        """Act on a fresh copy of a scene from now on."""
        if self._copy is not None and self._copy.workspace == scene.workspace:
            self._state = self._copy.show(scene)
        else:
            await self.aclose()
            self._copy = Copy(self._folder / scene.workspace.name, scene.workspace)
            self._state = self._copy.show(scene)
            self._checker = self._open(self._copy.root)

    def _open(self, root: Path) -> StayingChecker:
        host = LocalHost(root, env=_environment())
        super().__init__(host, plugins=self._of_third_parties)
        return StayingChecker(host)

    async def aclose(self) -> None:
        """End the type checker and remove the copy."""
        await self._checker.close()
        await super().aclose()
        if self._copy is not None:
            self._copy.remove()
            self._copy = None

    def functions(self, names: Sequence[str] | None = None) -> list[Callable[..., Awaitable[Any]]]:
        """Return the tools, remembering."""
        return [self._remembering(name) for name in (self.effects if names is None else names)]

    def _remembering(self, name: str) -> Callable[..., Awaitable[Any]]:
        (shown,) = super().functions([name])

        @functools.wraps(shown)
        async def call(*args: Any, **kwargs: Any) -> Any:
            arguments = json.dumps([args, kwargs], sort_keys=True)
            key = f"{self._state}\0{name}\0{arguments}"
            looks = self.effects[name] == "read" or name == "pytest_run"
            if name == "run_command":
                command = str(args[0] if args else kwargs.get("command", ""))
                looks = bool(_ONLY_LOOKS.match(command)) and not _DOES_MORE.search(command)
            if looks and key in self._known:
                self.remembered += 1
                return self._known[key]
            self.executed += 1
            result = await self._bound(name)(*args, **kwargs)
            if looks:
                self._known[key] = result
            else:
                self._state = hashlib.sha256(key.encode()).hexdigest()
            return result

        return call

    def _bound(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return a tool that acts where the toolbox is now: the host moves with the scene."""
        (method,) = Toolbox.functions(self, [name])
        if name == "typecheck":
            return functools.partial(self._checker.check, command_line=method)
        return method
