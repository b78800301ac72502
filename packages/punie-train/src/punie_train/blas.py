"""The BLAS library that MLX's CPU backend calls: loaded before MLX, where that makes it faster.

The Linux `mlx-cpu` wheel carries reference BLAS (about 4 GFLOP/s in float32). Loading MKL into the
process's global symbols first makes the same calls run 20 to 70 times as fast; Debian's OpenBLAS is the
second choice. Nothing is done on macOS (Accelerate) or where MLX has a GPU.

Covered: finding and preloading a library, and saying which one is in use. Not covered: installing one
(the extra `punie-train[cpu]` does, on x86 Linux).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHOICES = ("mkl", "openblas", "none")


@dataclass(frozen=True)
class Blas:
    """The BLAS in use by MLX's CPU backend.

    Attributes:
        name: `mkl`, `openblas`, `accelerate` or `reference` (what the wheel carries).
        path: the file that was preloaded, or None.
        note: one clause saying why it is this one.
    """

    name: str
    path: Path | None
    note: str


@cache
def preload() -> Blas:
    """Load the fastest BLAS found into this process, once; call it before `mlx.core` is imported.

    The environment variable `PUNIE_BLAS` (`mkl`, `openblas` or `none`) restricts the choice; a value it
    does not know, or one that is not there, leaves the wheel's own library in use and the note says so.
    `import punie_train.mlx` calls this.
    """
    if sys.platform == "darwin":
        return Blas("accelerate", None, "macOS: MLX links Accelerate")
    if "mlx.core" in sys.modules:
        return Blas("reference", None, "mlx.core was imported first, so nothing could be preloaded")
    wanted = os.environ.get("PUNIE_BLAS", "")
    if wanted == "none":
        return Blas("reference", None, "PUNIE_BLAS=none")
    if wanted and wanted not in CHOICES:
        return Blas("reference", None, f"PUNIE_BLAS={wanted!r} is none of {', '.join(CHOICES)}")
    candidates = [("mkl", _mkl_files), ("openblas", _openblas_files)]
    for name, files in candidates:
        if wanted in ("", name):
            for file in files():
                if _load(file):
                    return Blas(name, Path(file), "preloaded")
    return Blas(
        "reference", None, "no MKL or OpenBLAS found; install punie-train[cpu] on x86 Linux"
    )


def _mkl_files() -> list[str]:
    if platform.machine() not in ("x86_64", "AMD64"):
        return []
    folders = dict.fromkeys([Path(sys.prefix) / "lib", Path(sys.base_prefix) / "lib"])
    return [str(file) for folder in folders for file in sorted(folder.glob("libmkl_rt.so*"))]


def _openblas_files() -> list[str]:
    found = ctypes.util.find_library("openblas")
    return [found] if found else []


def _load(file: str) -> bool:
    try:
        # RTLD_GLOBAL puts cblas_sgemm before the wheel's own in symbol lookup; that is the whole trick.
        ctypes.CDLL(file, mode=ctypes.RTLD_GLOBAL | os.RTLD_NOW)
    except OSError:
        return False
    return True


def set_threads(count: int) -> int:
    """Let the preloaded BLAS use this many threads, and return how many it used before.

    Returns 1 and does nothing where the BLAS in use has no such setting.
    """
    blas = preload()
    if blas.path is None or count < 1:
        return 1
    library = ctypes.CDLL(str(blas.path))
    if blas.name == "mkl":
        before = library.MKL_Get_Max_Threads()
        library.MKL_Set_Num_Threads(count)
    else:
        before = library.openblas_get_num_threads()
        library.openblas_set_num_threads(count)
    return before
