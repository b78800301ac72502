"""Stand between a client and an agent: `tee.py LOG COMMAND...` keeps every line in either direction.

Each process has a file of its own, `LOG.PID`; a line of it is `{"side": "client" | "agent", "line": text}`,
in the order in which it passed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO


def main(log: str, command: list[str]) -> int:
    """Run the agent, copy both ways, return its exit code."""
    agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    signal.signal(signal.SIGTERM, lambda *_: agent.terminate())
    lock = threading.Lock()

    def copy(source: IO[bytes], sink: IO[bytes], side: str) -> None:
        for line in source:
            with lock, Path(f"{log}.{os.getpid()}").open("a", encoding="utf-8") as kept:
                kept.write(json.dumps({"side": side, "line": line.decode()}) + "\n")
            try:
                sink.write(line)
                sink.flush()
            except OSError:
                return
        sink.close()

    arguments = (sys.stdin.buffer, agent.stdin, "client")
    threading.Thread(target=copy, args=arguments, daemon=True).start()
    copy(agent.stdout, sys.stdout.buffer, "agent")
    code = agent.wait()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
