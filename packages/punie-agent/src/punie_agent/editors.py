"""Registering Punie with an editor: what is written where, as a change that can be shown first."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from punie_agent import _jsonc
from punie_agent.errors import ConfigError
from punie_agent.paths import write_whole

__all__ = ["Editor", "Registration", "command", "register_with", "usual_file"]

Editor = Literal["zed", "jetbrains", "neovim"]
_NAME = "Punie"

_NEOVIM = """\
-- Written by `punie init neovim`. With lazy.nvim, specs of one plug-in are merged: this adds Punie to
-- avante.nvim's providers and changes nothing else. Choose it with :AvanteSwitchProvider punie
return {{
  "yetone/avante.nvim",
  opts = {{
    acp_providers = {{
      punie = {{ command = {command}, args = {{ {args} }} }},
    }},
  }},
}}
"""


@dataclass(frozen=True, slots=True)
class Registration:
    """A change to one file, not made yet.

    Attributes:
        path: the file, symlinks followed.
        before: its text, None when there is none.
        after: the text it would get.
        hint: what the person does next in the editor.
    """

    path: Path
    before: str | None
    after: str
    hint: str

    @property
    def needed(self) -> bool:
        """False when the file says this already."""
        return self.before != self.after

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        old = (self.before or "").splitlines(keepends=True)
        new = self.after.splitlines(keepends=True)
        source = str(self.path) if self.before is not None else "/dev/null"
        return "".join(
            line if line.endswith("\n") else f"{line}\n"
            for line in difflib.unified_diff(old, new, source, str(self.path))
        )

    def apply(self) -> Path | None:
        """Write the file, keeping the old one beside it.

        Returns:
            The copy of the old file, None when there was none.

        Raises:
            ConfigError: the file was changed since, or cannot be written.
        """
        try:
            if _read(self.path) != self.before:
                raise ConfigError(
                    f"{self.path} was changed meanwhile; nothing was written, try again"
                )
            backup = None
            if self.before is not None:
                backup = self.path.with_name(self.path.name + ".before-punie")
                write_whole(backup, self.before)
            write_whole(self.path, self.after)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error}") from error
        return backup


def command(model: str | None = None) -> list[str]:
    """The command line that starts the server, absolute, since editors often have another PATH."""
    program = shutil.which("punie") or sys.argv[0]
    found = Path(program)
    own = [str(found.absolute())] if found.name.startswith("punie") and found.is_file() else []
    # -P: an editor may start it in the project, whose files must not stand in for modules.
    start = own or [sys.executable, "-P", "-m", "punie_agent"]
    return [*start, "acp", *(["--model", model] if model else [])]


def register_with(editor: Editor, start: list[str], *, file: Path | None = None) -> Registration:
    """What registering with an editor would change.

    Args:
        editor: which one.
        start: the command line that starts the server.
        file: the settings file; the editor's usual one when None.

    Raises:
        ConfigError: the settings cannot be read or are damaged; they are left alone.
    """
    path = (file or usual_file(editor)).expanduser()
    path = path.resolve() if path.is_symlink() else path
    try:
        before = _read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if editor == "neovim":
        return Registration(
            path, before, _lua(start), "Restart Neovim; :AvanteSwitchProvider punie"
        )
    server: dict[str, object] = {"command": start[0], "args": start[1:], "env": {}}
    if editor == "zed":
        server = {"type": "custom", **server}
    try:
        after = _jsonc.set_value(before or "", ["agent_servers", _NAME], server)
    except ConfigError as error:
        raise ConfigError(
            f"{path} is not usable, {error}; repair it first, it was left alone"
        ) from None
    hint = {
        "zed": "In Zed: agent panel, + button, Punie",
        "jetbrains": "In the IDE: AI chat, agent menu, Punie",
    }[editor]
    return Registration(path, before, after, hint)


def usual_file(editor: Editor) -> Path:
    """The settings file where an editor's agents are registered; it need not exist."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    match editor:
        case "zed":
            return config / "zed" / "settings.json"
        case "jetbrains":
            return Path.home() / ".jetbrains" / "acp.json"
        case "neovim":
            return config / "nvim" / "lua" / "plugins" / "punie.lua"


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:  # the ends of lines stay as they are
            return file.read()
    except FileNotFoundError:
        return None


def _lua(start: list[str]) -> str:
    return _NEOVIM.format(
        command=_lua_string(start[0]), args=", ".join(map(_lua_string, start[1:]))
    )


def _lua_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
