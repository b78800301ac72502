"""`make phase23` on the smallest model: the whole chain, and what runs again after a change."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support import PROGRAMS

pytestmark = pytest.mark.filterwarnings("error")

EXACT = ["--data", "exact"]
CHAIN = ["base", "generate", "merge", "train", "fuse", "quantize", "validate", "report"]
Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make(repository: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> Make:
    """Call make in the copy, with the environment under test instead of one made by `make setup`."""

    def call(*targets: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        programs = [f"TRAIN={PROGRAMS / 'punie-train'}", "SETUP=:", "MODEL=tiny-moe", "DATA=exact"]
        return run("make", *targets, *programs, cwd=repository, check=check)

    return call


@pytest.fixture
def made(make: Make, repository: Path) -> Path:
    """The folder of a finished run."""
    make("phase23")
    return repository / "build/phase23-exact-tiny-moe"


def find_registered(environment: Mapping[str, str]) -> list[str]:
    """Return the names in the register of models."""
    return sorted(
        path.stem for path in Path(environment["PUNIE_DATA_DIR"], "models").glob("*.json")
    )


def stages_run(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the stages that a make ran, in order."""
    return re.findall(r"^── phase23\S* (\w+)", done.stdout + done.stderr, re.MULTILINE)


def test_the_chain_ends_with_a_registered_model_and_a_report(
    made: Path, make: Make, environment: Mapping[str, str]
) -> None:
    assert [path.name for path in sorted(made.glob("stages/*.done.json"))] == sorted(
        f"{stage}.done.json" for stage in CHAIN[1:]
    )
    report = json.loads((made / "report.json").read_text())
    scored = [model["name"] for model in report["scores"]["models"]]
    assert scored == ["base", "adapter", "fused", "quantized"]
    assert find_registered(environment) == ["tiny-moe-phase23-exact"]
    assert (made / "report.html").read_text().startswith("<!doctype html>")
    assert not list(made.rglob("*.tmp"))


def test_making_again_runs_nothing(made: Path, make: Make) -> None:
    assert stages_run(make("phase23")) == []


def test_touching_a_source_runs_nothing(made: Path, make: Make, repository: Path) -> None:
    for source in (repository / "data").rglob("*"):
        os.utime(source)
    assert stages_run(make("phase23")) == []


def test_changing_how_to_quantize_runs_only_what_follows_and_changing_it_back_runs_nothing_new(
    made: Path, make: Make, repository: Path
) -> None:
    phase = repository / "data/phases/phase23.toml"
    before = phase.read_text()
    phase.write_text(before + "\n[models.tiny-moe.quantize]\nbits = 6\n")
    assert "stale" in make("status").stdout
    assert stages_run(make("phase23")) == ["quantize", "validate", "report"]
    phase.write_text(before)
    assert stages_run(make("phase23")) == ["quantize", "validate", "report"]


def test_changing_the_suite_runs_validation_only(made: Path, make: Make, repository: Path) -> None:
    suite = repository / "data/suites/phase23.toml"
    suite.write_text(suite.read_text() + "\n# A comment is content too.\n")
    assert stages_run(make("phase23")) == ["validate", "report"]


def test_a_removed_artefact_is_made_again(made: Path, make: Make) -> None:
    (made / "report.html").unlink()
    assert stages_run(make("phase23")) == ["report"]


def test_training_killed_in_the_middle_leaves_no_adapter_and_goes_on_to_the_same_weights(
    made: Path, make: Make, repository: Path, environment: Mapping[str, str]
) -> None:
    expected = json.loads((made / "stages/train.done.json").read_text())["output"]
    (made / "stages/train.done.json").unlink()
    for path in sorted((made / "adapter").rglob("*"), reverse=True):
        path.unlink()
    (made / "adapter").rmdir()
    process = subprocess.Popen(
        [PROGRAMS / "punie-train", "stage", "phase23", "train", "--model", "tiny-moe", *EXACT],
        cwd=repository,
        env=environment,
    )
    checkpoints = made / "adapter.tmp"
    while not list(checkpoints.glob("checkpoint*")):
        assert process.poll() is None, "training ended before its first checkpoint"
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (made / "adapter").exists()
    assert "it will resume" in make("status").stdout
    assert stages_run(make("phase23"))[0] == "train"
    assert json.loads((made / "stages/train.done.json").read_text())["output"] == expected


def test_an_unknown_key_in_a_phase_file_stops_make_with_its_name(
    made: Path, make: Make, repository: Path
) -> None:
    phase = repository / "data/phases/phase23.toml"
    before = phase.read_text()
    phase.write_text(before + "\n[models.tiny-moe.fuse]\nfloat = 16\n")
    done = make("phase23", check=False)
    phase.write_text(before)
    assert done.returncode != 0
    assert "data/phases/phase23.toml: [fuse] float: unknown key" in done.stderr


def test_weights_that_cannot_be_had_are_said_before_any_stage_has_begun(
    repository: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = run(
        *(
            "make",
            "phase23",
            "SETUP=:",
            f"TRAIN={PROGRAMS / 'punie-train'}",
            "MODEL=qwen3-coder-30b",
        ),
        cwd=repository,
        check=False,
    )
    assert done.returncode != 0
    assert stages_run(done) == []
    sentences = [line for line in done.stderr.splitlines() if line.startswith("punie-train: ")]
    assert len(sentences) == 1
    assert "mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit" in sentences[0]


def test_make_without_a_target_prints_help_with_its_variables(make: Make) -> None:
    printed = make().stdout
    for word in ("make phase23", "MODEL=", "DATA=", "make status", "make clean-phase23"):
        assert word in printed


def test_what_make_was_not_given_it_does_not_hand_on(repository: Path, run: Make) -> None:
    def handed_on(*variables: str) -> list[str]:
        shown = run("make", "status", "SETUP=:", "TRAIN=env;:", *variables, cwd=repository).stdout
        return sorted(re.findall(r"^(?:RANKS|HOSTS|BACKEND)=.*$", shown, re.MULTILINE))

    assert handed_on() == []
    assert handed_on("RANKS=2", "BACKEND=mpi") == ["BACKEND=mpi", "RANKS=2"]
