"""Reading and writing below a root without ever following a link.

The paths that come here were resolved, so that no part of them is a link any more. Each directory is
opened from the one above it: a link that another process swaps in after the check is refused by the
system, and nothing is read or written behind it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

__all__ = ["NotAFileError", "read_below", "replace_below", "root_of"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC


class NotAFileError(OSError):
    """A pipe, a device or a socket: something that could block for ever or is no text."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file")


def read_below(root: Path, target: Path, limit: int) -> bytes:
    """Return the bytes of a regular file.

    Args:
        root: A directory the target is in.
        target: The file, absolute and resolved.
        limit: The most bytes a file may have.

    Raises:
        OSError: There is no such file, it may not be read, it is no regular file or too big.
    """
    with _parent(root, target, make=False) as (folder, name):
        # Not blocking: opening a pipe would wait for its writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FILE, dir_fd=folder)
    try:
        _check_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is longer than {limit} bytes")
    return data


def replace_below(root: Path, target: Path, data: bytes) -> None:
    """Write beside the target and rename, so that no reader ever sees half a file.

    The target keeps its permissions; missing directories are made.

    Raises:
        OSError: It may not be written, or is there and no regular file.
    """
    with _parent(root, target, make=True) as (folder, name):
        mode = None
        with suppress(FileNotFoundError):
            present = os.stat(name, dir_fd=folder, follow_symlinks=False)
            _check_regular(present)
            mode = stat.S_IMODE(present.st_mode) & 0o777
        beside = f".punie-{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE
        descriptor = os.open(beside, flags, 0o666, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if mode is not None:
                    os.fchmod(descriptor, mode)
            os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise


@contextmanager
def _parent(root: Path, target: Path, *, make: bool) -> Generator[tuple[int, str]]:
    """Lend a descriptor of the target's directory, and its name there."""
    *folders, name = target.relative_to(root).parts or (".",)
    descriptor = os.open(root, _FOLDER)
    try:
        for each in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(each, dir_fd=descriptor)
            inner = os.open(each, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)


def _check_regular(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise NotAFileError


def root_of(target: Path, roots: Sequence[Path]) -> Path:
    """Return the root that a contained path is in."""
    return next(root for root in roots if target.is_relative_to(root))
