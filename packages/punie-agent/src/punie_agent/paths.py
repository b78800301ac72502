"""Where Punie keeps what belongs to the user and to no project.

`PUNIE_DATA_DIR` moves all of it; otherwise it is the platform's user data folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path

__all__ = ["data_dir", "project_key", "signing_key", "write_whole"]


def data_dir() -> Path:
    """The data folder; it need not exist yet."""
    override = os.environ.get("PUNIE_DATA_DIR")
    if override:
        return Path(override).expanduser()
    from platformdirs import user_data_path

    return user_data_path("punie", appauthor=False)


def project_key(project: Path) -> str:
    """A readable file name that is different for different project folders."""
    resolved = project.resolve()
    name = re.sub(r"[^\w.-]+", "-", resolved.name)[:40] or "root"
    return f"{name}-{hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]}"


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part.

    Args:
        path: the file; its folders are made.
        text: what it shall hold.
        private: readable by its user alone. Otherwise an old file keeps its mode, and a new one gets the
            user's usual one.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            Path(temporary).chmod(_mode(path))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def signing_key() -> bytes:
    """This user's key for signing paused runs, made at first use and readable by the user alone.

    Raises:
        OSError: it can be neither read nor made.
    """
    path = data_dir() / "signing.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):  # another process was first
        os.link(temporary, path)
    temporary.unlink()
    return path.read_bytes()
