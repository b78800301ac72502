"""Tools that act on an overlay: what a write would do, without doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punie_sandbox import FileChange, Overlay
    from punie_tools import Completed, Host

__all__ = ["OverlayHost", "changes_of"]


class OverlayHost:
    """A host whose files are an overlay's. Commands see the real files, so none may follow a change."""

    def __init__(self, host: Host, overlay: Overlay) -> None:
        self._host = host
        self._overlay = overlay

    @property
    def roots(self) -> Sequence[Path]:
        """The real host's roots."""
        return self._host.roots

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the host's own signature
    ) -> Completed:
        """Run a program on the real files.

        Raises:
            CannotPreviewError: there are planned changes, which it would not see.
        """
        self._overlay.refuse_if_changed(argv[0])
        return await self._host.run(argv, cwd=cwd, env=env, timeout=timeout)

    async def read_text(self, path: str | Path) -> str:
        """The text of a file with the planned changes."""
        return await self._overlay.read_text(path)

    async def write_text(self, path: str | Path, text: str) -> None:
        """Plan a change."""
        await self._overlay.write_text(path, text)


async def changes_of(
    host: Host, tool: str, arguments: Mapping[str, object]
) -> tuple[FileChange, ...]:
    """What a call of a standard tool would change; empty when that cannot be told."""
    from punie_sandbox import Overlay, SandboxError
    from punie_tools import EFFECTS, Toolbox, ToolsError

    if EFFECTS.get(tool) != "write":
        return ()
    overlay = Overlay(host)
    (function,) = Toolbox(OverlayHost(host, overlay)).functions([tool])
    try:
        await function(**arguments)
    except (SandboxError, ToolsError, OSError, ValueError, TypeError):
        return ()
    except (RecursionError, MemoryError):  # a program nested too deeply for the tool
        return ()
    return overlay.changes()
