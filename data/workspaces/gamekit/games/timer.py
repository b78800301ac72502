"""A turn timer."""

import time


class TurnTimer:
    limit: float = "30"

    def __init__(self) -> None:
        self.started = time.monotonic()

    def left(self) -> float:
        return self.limit - (time.monotonic() - self.started)
