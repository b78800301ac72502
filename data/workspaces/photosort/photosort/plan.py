"""Decide where each photograph goes."""

from dataclasses import dataclass
from pathlib import Path

from photosort.scan import Photo


@dataclass
class Move:
    source: Path
    target: Path


def folder_name(photo: Photo) -> str:
    return photo.taken.strftime("%Y-%m")


def plan_moves(photos: list[Photo], target: Path) -> list[Move]:
    return [Move(photo.path, target / folder_name(photo) / photo.path.name) for photo in photos]
