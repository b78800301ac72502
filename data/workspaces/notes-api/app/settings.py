"""Settings, read from the environment."""

import os
from dataclasses import dataclass


@dataclass
class AppSettings:
    title: str = "Notes"
    page_size: int = 20
    debug: bool = False


def from_env() -> AppSettings:
    return AppSettings(page_size=os.environ.get("PAGE_SIZE", "20"))
