"""Files and folders that are either whole or absent, and digests that say what they hold.

Everything a stage makes is written beside its final name and moved there when it is complete, so that an
interrupted or failed stage never leaves something that could be taken for an artefact.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from punie_train.errors import DataError

CHUNK_BYTES = 1 << 20
WHOLE_BYTES = 1 << 30
"""Files up to this size are read whole for a digest of weights: a second for a gigabyte."""
PIECES, PIECE_BYTES = 64, 64 << 10
"""What is read of larger ones, spread evenly, after as much again at their beginning."""


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Yield a temporary path; on success it becomes `path`, on any error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(path: Path, *, keep: bool = False) -> Generator[Path]:
    """Yield an empty folder that becomes `path` on success, replacing what was there.

    Args:
        path: the final name.
        keep: leave the unfinished folder where it is on error, and start from it the next time; for
            stages that resume from their own checkpoints.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    if not keep:
        shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(exist_ok=True)
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException:
        if not keep:
            shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def held(path: Path, *, wait: Callable[[], None] | None = None) -> Generator[bool]:
    """Hold a lock file for this process alone; yield whether another one held it before.

    The system gives it back when a process ends, however it ends, so the file itself may stay.

    Args:
        path: the lock file; it is made where there is none.
        wait: called once before waiting for another process; without it nothing is waited for.

    Raises:
        BlockingIOError: another process holds it, and there is no `wait`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        waited = False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                raise
            wait()
            waited = True
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield waited


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON with sorted keys, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file.

    Raises:
        DataError: a line is not a JSON object; the message names the file and the line.
    """
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                value = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{path}:{number}: not valid JSON ({error}); fix or remove the line."
                ) from None
            if not isinstance(value, dict):
                raise DataError(
                    f"{path}:{number}: expected a JSON object, found {type(value).__name__}."
                )
            yield value


def write_jsonl(path: Path, records: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    """Write one JSON object a line, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for record in records:
            handle.write(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def digest_large_file(path: Path) -> str:
    """Return a SHA-256 that tells a file of weights from another, without reading gigabytes.

    Up to `WHOLE_BYTES` it is of the whole file. Above, it is of the size, of the first megabytes, which hold
    a safetensors file's header, and of pieces all along the file: two files that differ in none of those
    are taken for the same.
    """
    size = path.stat().st_size
    if size <= WHOLE_BYTES:
        return digest_file(path)
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as handle:
        digest.update(handle.read(PIECES * PIECE_BYTES))
        for piece in range(PIECES):
            handle.seek((size - PIECE_BYTES) * piece // (PIECES - 1))
            digest.update(handle.read(PIECE_BYTES))
    return digest.hexdigest()


def digest_folder(path: Path, pattern: str = "**/*", *, without: str = "") -> str:
    """Return one SHA-256 over the names and contents of the files below a folder, in name order.

    Args:
        path: the folder.
        pattern: which files.
        without: the name of a file directly in the folder that does not count.
    """
    digest = hashlib.sha256()
    for file in sorted(path.glob(pattern)):
        if file == path / without:
            continue
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(path).as_posix()}\0{digest_file(file)}\n".encode())
    return digest.hexdigest()
