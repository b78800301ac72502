"""What a stage is recorded as made from, and whom two runs that share a base model make wait."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from punie_train.artefacts import held
from punie_train.errors import PhaseError
from punie_train.graph import Run
from punie_train.progress import Progress
from punie_train.stages import MAKERS, run_stage
from punie_train.status import find_runs

SUITE = """
format = 1
name = "asked"
title = "Asked"
workspace = "shelf"
concepts = "concepts.toml"

[[categories]]
id = "talk"
title = "Talk"
target = 2
minimum = 0

[[queries]]
id = "what"
category = "talk"
behaviour = "direct"
prompt = "What is a type?"
answer = "direct"
concept = "type"

[[queries]]
id = "elsewhere"
category = "talk"
behaviour = "direct"
prompt = "And in the other project?"
answer = "direct"
concept = "type"
workspace = "suite-barn"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two phases, three workspaces, a suite, and a model folder that takes no time to make."""
    files = {
        "data/phases/phase1.toml": 'description = "One."\nsuites = ["asked"]\n',
        "data/phases/phase2.toml": 'extends = "phase1"\ndescription = "Two."\n',
        "data/sources/names.toml": 'names = ["Ada"]\n',
        "data/suites/asked.toml": SUITE,
        "data/suites/concepts.toml": "",
        "data/workspaces/shelf/books.py": "pages = 1\n",
        "data/workspaces/shelf.toml": "# No faults yet.\n",
        "data/workspaces/ledger/entry.py": "amount = 1\n",
        "data/workspaces/ledger.toml": "# No faults yet.\n",
        "data/workspaces/suite-barn/hay.py": "bales = 1\n",
        "data/workspaces/suite-mill/grain.py": "sacks = 1\n",
        "toy/config.json": '{"model_type": "llama"}\n',
        "toy/tokenizer_config.json": "{}\n",
        "toy/model.safetensors": "first weights",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def toy_run(root: Path, phase: str = "phase1") -> Run:
    return Run(root, phase, str(root / "toy"))


def make_base(root: Path) -> Run:
    run = toy_run(root)
    run.write_locks()
    run_stage(run, "base")
    return run


def state_of_base(root: Path) -> str:
    return next(row.state for row in toy_run(root).freshness() if row.stage == "base")


def make_would_run_base(root: Path) -> bool:
    """Whether make, which knows time stamps only, would make the base after bringing locks up to date."""
    run = toy_run(root)
    run.write_locks()
    done = run.done_path("base")
    return not done.exists() or run.lock_path("base").stat().st_mtime_ns > done.stat().st_mtime_ns


# --- what is recorded ---------------------------------------------------------------------------


def test_what_changes_while_a_stage_is_at_work_makes_it_run_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_shipped = MAKERS["base"]

    def locked_from_another_terminal(run: Run, progress: Progress) -> None:
        as_shipped(run, progress)
        (root / "toy/model.safetensors").write_text("second weights, and longer")
        toy_run(root).write_locks()

    with monkeypatch.context() as patch:
        patch.setitem(MAKERS, "base", locked_from_another_terminal)
        make_base(root)

    assert state_of_base(root) == "stale"
    assert make_would_run_base(root)
    make_base(root)
    assert state_of_base(root) == "fresh"
    assert not make_would_run_base(root)


def test_a_chain_in_one_process_records_what_lay_there_when_each_stage_began(root: Path) -> None:
    run = toy_run(root)
    run.write_locks()
    (root / "toy/model.safetensors").write_text("second weights, and longer")
    run_stage(run, "base")
    assert state_of_base(root) == "fresh"


KILLED_BEFORE_THE_MARK = """
import os, signal, sys
from pathlib import Path
from punie_train.graph import Run
from punie_train.stages import run_stage

Run.finish = lambda *arguments, **figures: os.kill(os.getpid(), signal.SIGKILL)
run = Run(Path(sys.argv[1]), "phase1", sys.argv[1] + "/toy")
run.write_locks()
run_stage(run, "base")
"""


def test_a_stage_killed_after_it_replaced_the_artefact_is_not_fresh_when_all_is_changed_back(
    root: Path,
) -> None:
    weights = root / "toy/model.safetensors"
    make_base(root)
    before = weights.stat()
    weights.write_text("second weights, and longer")
    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_THE_MARK, str(root)], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    weights.write_text("first weights")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert state_of_base(root) == "missing"
    assert make_would_run_base(root)


def test_a_stage_interrupted_before_it_replaced_anything_leaves_the_old_artefact_as_fresh_as_it_was(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_base(root)
    lock = toy_run(root).lock_path("base")
    before = lock.stat().st_mtime_ns

    def interrupted(run: Run, progress: Progress) -> None:
        assert run.output_digest("base") is None
        raise KeyboardInterrupt

    monkeypatch.setitem(MAKERS, "base", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_stage(toy_run(root), "base")

    assert state_of_base(root) == "fresh"
    assert not make_would_run_base(root)
    assert lock.stat().st_mtime_ns == before


def test_a_lock_whose_content_is_the_same_keeps_its_time_stamp(root: Path) -> None:
    run = make_base(root)
    paths = sorted(run.lock_path("train").parent.glob("*.lock.json"))
    before = {path: path.stat().st_mtime_ns for path in paths}
    toy_run(root).write_locks()
    assert len(before) == 7
    assert {path: path.stat().st_mtime_ns for path in paths} == before


def test_what_a_later_stage_was_made_from_and_is_no_longer_there_makes_it_run_again(
    root: Path,
) -> None:
    run = make_base(root)
    (root / "toy/model.safetensors").write_text("second weights, and longer")
    generate = run.path("generate")
    generate.parent.mkdir(parents=True)
    generate.write_text("{}\n")
    run.finish("generate", run.take("generate"), seconds=1, peak_memory_bytes=1)
    taken = run.take("merge")
    make_base(root)  # as another run does meanwhile
    run.path("merge").mkdir()
    run.finish("merge", taken, seconds=1, peak_memory_bytes=1)

    toy_run(root).write_locks()
    lock, done = run.lock_path("merge").stat(), run.done_path("merge").stat()
    assert lock.st_mtime_ns > done.st_mtime_ns
    assert (
        run.lock_path("generate").stat().st_mtime_ns < run.done_path("generate").stat().st_mtime_ns
    )


def test_a_stage_whose_earlier_one_is_not_made_says_so(root: Path) -> None:
    with pytest.raises(PhaseError, match="merge needs generate, which is not made"):
        run_stage(toy_run(root), "merge")


# --- what locks hold ----------------------------------------------------------------------------


def changed_locks(root: Path, path: str, text: str) -> list[str]:
    """Return the stages whose locks differ once a file holds something else."""
    stages = ("generate", "merge", "train", "validate")
    before = {name: toy_run(root).lock(name) for name in stages}
    (root / path).write_text(text)
    return [name for name in stages if toy_run(root).lock(name) != before[name]]


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("data/workspaces/ledger/entry.py", ["generate"]),
        ("data/workspaces/ledger.toml", ["generate"]),  # every fault and its fix
        ("data/workspaces/shelf/books.py", ["generate", "validate"]),
        ("data/workspaces/shelf.toml", ["generate", "validate"]),
        ("data/workspaces/suite-barn/hay.py", ["validate"]),  # a query names it
        ("data/workspaces/suite-mill/grain.py", []),  # no suite of the run does
        ("data/suites/asked.toml", ["validate"]),
    ],
)
def test_a_changed_workspace_changes_the_locks_of_the_stages_that_read_it(
    root: Path, path: str, stages: list[str]
) -> None:
    text = (root / path).read_text()
    assert changed_locks(root, path, text + "\n# And more.\n") == stages


def test_a_suite_that_names_another_workspace_is_judged_by_that_one(root: Path) -> None:
    suite = root / "data/suites/asked.toml"
    suite.write_text(suite.read_text().replace('"suite-barn"', '"suite-mill"'))
    assert changed_locks(root, "data/workspaces/suite-mill/grain.py", "sacks = 2\n") == ["validate"]
    assert changed_locks(root, "data/workspaces/suite-barn/hay.py", "bales = 2\n") == []


# --- all runs -----------------------------------------------------------------------------------


def test_a_run_on_a_model_folder_of_ones_own_is_found_among_all(root: Path) -> None:
    run = make_base(root)
    (found,) = find_runs(root, None, "smollm2", "")
    assert (found.name, found.model) == (run.name, run.model)
    assert [row.state for row in found.freshness()][:2] == ["fresh", "missing"]


def test_runs_are_found_among_all_whatever_their_phases_are_called(root: Path) -> None:
    phase = "[data.my-own]\n"
    for name in ("first", "our-first"):
        (root / f"data/phases/{name}.toml").write_text(f'extends = "phase1"\n{phase}')
    toy = str(root / "toy")
    made = [Run(root, "first", toy), Run(root, "our-first", toy, "my-own"), make_base(root)]
    for run in made:
        run.write_locks()
    (root / "build/bench-of-mine/stages").mkdir(parents=True)
    assert [run.name for run in find_runs(root, None, "smollm2", "")] == [run.name for run in made]


# --- a base model that two runs share -----------------------------------------------------------


def start_base(root: Path, phase: str) -> subprocess.Popen[str]:
    program = Path(sys.executable).with_name("punie-train")
    command = [
        str(program),
        "stage",
        phase,
        "base",
        "--model",
        str(root / "toy"),
        "--root",
        str(root),
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_a_run_waits_for_another_one_that_makes_their_base_and_finds_it_whole(root: Path) -> None:
    run = toy_run(root)
    with held(run.base_lock):
        waiting = start_base(root, "phase2")
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        assert "waiting" in said
        assert str(run.path("base")) in said
        MAKERS["base"](run, Progress(stream=io.StringIO()))
        run.finish("base", run.take("base"), seconds=1, peak_memory_bytes=1)
        made = run.path("base").stat().st_ino
    _, rest = waiting.communicate()
    assert waiting.returncode == 0, rest
    assert "made meanwhile" in rest
    assert run.path("base").stat().st_ino == made


def test_a_run_that_waited_for_nothing_useful_makes_the_base_itself(root: Path) -> None:
    run = toy_run(root)
    with held(run.base_lock):
        waiting = start_base(root, "phase2")
        assert waiting.stderr is not None
        assert "waiting" in waiting.stderr.readline()
    _, rest = waiting.communicate()
    assert waiting.returncode == 0, rest
    assert json.loads((run.path("base") / "base.json").read_text())["name"] == "toy"
    assert state_of_base(root) == "fresh"


def test_a_removed_artefact_is_forgotten(root: Path) -> None:
    run = make_base(root)
    shutil.rmtree(run.path("base"))
    assert make_would_run_base(root)
    assert not run.done_path("base").exists()
