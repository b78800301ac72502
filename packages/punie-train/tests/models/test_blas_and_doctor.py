"""The fast BLAS is there before MLX, and the doctor says so with a figure."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from punie_train.blas import preload, set_threads
from punie_train.doctor import diagnose
from punie_train.mlx import BLAS


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_doctor_measures_and_names_what_it_measured_with() -> None:
    found = diagnose()
    assert found.gflops > 0.5
    assert BLAS.name in found.blas
    assert found.versions["mlx"] != "not installed"
    assert any(line.startswith("speed") and "GFLOP/s" in line for line in found.lines())


def test_the_choice_is_made_once() -> None:
    assert preload() is preload()


@pytest.mark.parametrize("value", ["none", "cuda"])
def test_the_wheels_own_library_stays_in_use_when_told_or_misspelt(value: str) -> None:
    code = "from punie_train.blas import preload; b = preload(); print(b.name, b.note)"
    said = run(code, PUNIE_BLAS=value)
    assert said.startswith(("reference", "accelerate"))
    assert value in said or said.startswith("accelerate")


def test_importing_mlx_first_is_noticed() -> None:
    said = run("import mlx.core; from punie_train.blas import preload; print(preload().note)")
    assert "imported first" in said or "Accelerate" in said


def test_threads_are_set_and_given_back() -> None:
    before = set_threads(1)
    assert set_threads(before) in (1, before)
