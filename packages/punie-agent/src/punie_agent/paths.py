"""Where Punie keeps what belongs to the user and to no project.

`PUNIE_DATA_DIR` moves all of it; otherwise it is the platform's user data folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

__all__ = ["data_dir", "project_key", "write_whole"]


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
    return f"{name}-{hashlib.sha256(str(resolved).encode()).hexdigest()[:12]}"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part.

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
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
