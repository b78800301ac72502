"""Remember what was moved."""

import json
from pathlib import Path


class History:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.moves: list[tuple[str, str]] = []

    def record(self, source: Path, target: Path) -> None:
        self.moves.append((str(source), str(target)))

    def save(self) -> None:
        self.path.write_text(json.dumps(self.moves))

    def last(self) -> tuple[str, str]:
        return self.moves[-1][0]
