"""Find the photographs below a folder."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass
class Photo:
    path: Path
    taken: datetime


def is_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def scan(folder: Path) -> list[Photo]:
    photos = []
    for path in sorted(folder.rglob("*")):
        if is_photo(path):
            photos.append(Photo(path, path.stat().st_mtime))
    return photos
