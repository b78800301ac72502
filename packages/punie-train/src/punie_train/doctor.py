"""What this machine trains on: device, BLAS, measured speed, memory, versions.

Covered: figures and one line of advice for each thing that is slower than it could be. Not covered:
changing anything.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

MATRIX = 1024
FAST_CPU_GFLOPS = 20.0


@dataclass(frozen=True)
class Diagnosis:
    """The figures `punie-train doctor` prints.

    Attributes:
        machine: operating system and processor.
        python: version of Python.
        device: the device MLX computes on.
        blas: name of the BLAS in use, with why.
        gflops: float32 matrix products, 10⁹ operations a second, best of several.
        precision: what training on the CPU takes its products in, because they are fastest in that here.
        cores: processor cores this process may use.
        memory_bytes: physical memory.
        free_disk_bytes: space left in the current folder.
        versions: versions of the packages that decide results.
        advice: what would make it faster or right; empty when nothing would.
    """

    machine: str
    python: str
    device: str
    blas: str
    gflops: float
    precision: str
    cores: int
    memory_bytes: int
    free_disk_bytes: int
    versions: dict[str, str]
    advice: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the diagnosis as lines for people."""
        memory, disk = self.memory_bytes / 2**30, self.free_disk_bytes / 2**30
        half = "" if self.precision == "float32" else f"; training multiplies in {self.precision}"
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return [
            f"machine   {self.machine}, {self.cores} cores, {memory:.0f} GiB memory, {disk:.0f} GiB free",
            f"python    {self.python}",
            f"device    {self.device}",
            f"BLAS      {self.blas}",
            f"speed     {self.gflops:.0f} GFLOP/s (float32 matrix product){half}",
            f"versions  {versions}",
            *(f"advice    {text}" for text in self.advice),
        ]


def diagnose() -> Diagnosis:
    """Measure this machine; takes about a second."""
    from punie_train.mlx import BLAS, ON_CPU, mx
    from punie_train.training.cpu.products import fastest

    gflops = measure_gflops()
    advice = []
    if ON_CPU and gflops < FAST_CPU_GFLOPS:
        advice.append(
            f"{gflops:.0f} GFLOP/s is what reference BLAS gives; install punie-train[cpu] (MKL) or OpenBLAS"
        )
    return Diagnosis(
        machine=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        device=str(mx.default_device()),
        blas=f"{BLAS.name} ({BLAS.path or BLAS.note})",
        gflops=gflops,
        precision=fastest() if ON_CPU else "float32",
        cores=usable_cores(),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        free_disk_bytes=shutil.disk_usage(".").free,
        versions={
            name: _version(name)
            for name in ("punie-train", "punie-agent", "mlx", "mlx-lm", "transformers")
        },
        advice=tuple(advice),
    )


def measure_gflops(size: int = MATRIX, rounds: int = 5) -> float:
    """Return float32 GFLOP/s of a square matrix product, the best of some rounds after a warm-up."""
    from punie_train.mlx import mx

    left, right = mx.random.normal((size, size)), mx.random.normal((size, size))
    mx.eval(left, right, left @ right)
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        mx.eval(left @ right)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
