"""Record acpx driving Punie, as text: `python tests/acp_clients/record.py MODEL FOLDER PROMPT...`.

Each prompt is a command of its own in a real terminal (tmux), all in one session of Punie's, so each but the
first is answered by a process that takes the session up. Permissions are given by acpx (`--approve-all`).
What the terminal showed is printed: the recording in the package's README is made with this.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
_PATIENCE = 600.0
_PROMPT = "$ "


class Screen:
    """A terminal of its own, in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str], socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket)]
        variables = [f"{name}={value}" for name, value in environment.items()]
        size = ["-x", "110", "-y", "50"]
        start = ["new-session", "-d", *size, "-c", str(folder)]
        self._call(*start, "env", *variables, "bash", "--norc", "--noprofile")
        self._call("set-option", "-g", "history-limit", "100000")

    def run(self, line: str) -> None:
        """Type a command and wait for its end."""
        self._type(line)
        deadline = time.monotonic() + _PATIENCE
        while not self.text().endswith(f"\n{_PROMPT.rstrip()}"):
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.2)

    def text(self) -> str:
        """Everything shown so far, long lines whole."""
        return self._call("capture-pane", "-p", "-J", "-S", "-").rstrip()

    def close(self) -> None:
        """End the terminal."""
        self._call("kill-server")

    def _type(self, line: str) -> None:
        self._call("send-keys", "-l", line)
        self._call("send-keys", "Enter")

    def _call(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], check=True, capture_output=True, text=True)
        return done.stdout


def main(model: str, folder: str, prompts: list[str]) -> None:
    """Record the prompts and print what was shown."""
    spec = importlib.util.spec_from_file_location("install", HERE / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["install"] = module
    spec.loader.exec_module(module)
    clients = module.install()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        programs = home / "bin"
        programs.mkdir()
        acpx = programs / "acpx"
        acpx.write_text(f'#!/bin/sh\nexec {shlex.join(clients.acpx())} "$@"\n')
        acpx.chmod(0o755)
        (programs / "punie").symlink_to(Path(sys.executable).with_name("punie"))
        environment = {
            **clients.environment(home),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PS1": _PROMPT,
            "NO_COLOR": "1",
        }
        data = os.environ.get("PUNIE_DATA_DIR", str(Path.home() / ".local/share/punie"))
        environment["PUNIE_DATA_DIR"] = data
        screen = Screen(Path(folder), environment, home / "tmux")
        try:
            acpx_command = (
                f"acpx --agent {shlex.quote(f'punie acp --model {model}')} --approve-all --ttl 1"
            )
            screen.run(f"{acpx_command} sessions new")
            for prompt in prompts:
                screen.run(f"{acpx_command} prompt {shlex.quote(prompt)}")
            print(screen.text().removesuffix(_PROMPT.rstrip()).rstrip())
        finally:
            screen.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
