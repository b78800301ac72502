"""The stages, readable from top to bottom: generate, merge, train, fuse, quantize, validate, report.

Each function takes a `Run` and makes one artefact under its final name, whole or not at all. `run_stage`
adds what all share: one stage at a time per run, time and memory measured, the finish recorded last.

Covered: what each stage reads and makes. Not covered: whether it needs to run (`make` decides, from the
files `punie_train.graph` keeps).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from punie_train.artefacts import held
from punie_train.errors import PhaseError
from punie_train.graph import STAGES, Run
from punie_train.progress import Progress


def make_base(run: Run, progress: Progress) -> None:
    """Fetch, verify and convert the base model into an mlx-lm folder."""
    from punie_train.models import prepare_base, resolve_base

    prepare_base(resolve_base(run.model), out=run.path("base"), progress=progress)


def make_generate(run: Run, progress: Progress) -> None:
    """Execute every example against its workspace with the real tools, and write the records."""
    from punie_train.data import generate

    generate(
        run.phase.config("generate"),
        sources=run.root / "data/sources",
        workspaces=run.root / "data/workspaces",
        suites=run.all_suites,
        out=run.path("generate"),
        progress=progress,
    )


def make_merge(run: Run, progress: Progress) -> None:
    """Audit the records, refuse leaks and duplicates, and split them into train, valid and test."""
    from punie_train.data import merge

    merge(
        run.phase.config("merge"),
        inputs=[run.path("generate")],
        suites=run.all_suites,
        tokenizer=run.path("base"),
        out=run.path("merge"),
        progress=progress,
    )


def make_train(run: Run, progress: Progress) -> None:
    """Train the adapter; an interrupted training goes on from its last checkpoint."""
    from punie_train.training import train

    train(
        run.phase.config("train"),
        base=run.path("base"),
        data=run.path("merge"),
        out=run.path("train"),
        progress=progress,
    )


def make_fuse(run: Run, progress: Progress) -> None:
    """Fuse the adapter into the base through floating point; refuse when logits differ."""
    from punie_train.training import fuse

    fuse(
        run.phase.config("fuse"),
        base=run.path("base"),
        adapter=run.path("train"),
        out=run.path("fuse"),
        progress=progress,
    )


def make_quantize(run: Run, progress: Progress) -> None:
    """Quantise the fused model, describe it in `punie.json` and register it under its name."""
    from punie_agent.models.registry import register, write_description
    from punie_train.data import contract_for
    from punie_train.training import quantize

    contract = contract_for(run.phase.config("generate"))
    out = run.path("quantize")
    quantize(run.phase.config("quantize"), model=run.path("fuse"), out=out, progress=progress)
    write_description(
        out,
        name=run.name,
        phase=run.variant,
        base=run.model_name,
        contract=contract,
        digests={
            stage: run.output_digest(stage) or ""
            for stage in ("base", "generate", "merge", "train", "fuse")
        },
        made_with={name: version(name) for name in ("punie-train", "punie-agent", "mlx", "mlx-lm")},
    )
    register(out)
    progress.note(f"registered as {run.name}: punie ask --model {run.name} …")


def make_validate(run: Run, progress: Progress) -> None:
    """Score base, adapter, fused and quantised model by running what they write."""
    from punie_train.evaluation import validate

    validate(
        run.phase.config("validate"),
        models={
            "base": run.path("base"),
            "adapter": run.path("train"),
            "fused": run.path("fuse"),
            "quantized": run.path("quantize"),
        },
        suites=run.suite_paths,
        workspaces=run.root / "data/workspaces",
        out=run.path("validate"),
        progress=progress,
    )


def make_report(run: Run, progress: Progress) -> None:
    """Write `report.json`, the one-file `report.html`, and the model card beside the weights."""
    from punie_train.evaluation import report
    from punie_train.models.card import write_card

    report(run=run.folder, out=run.path("report"))
    write_card(
        run.path("quantize"),
        name=run.name,
        base=run.path("base"),
        audit=run.path("merge") / "audit.json",
        training=run.path("train") / "training.json",
        quantization=run.path("quantize") / "quantize.json",
        scores=run.path("validate"),
    )
    progress.note(f"report: {run.path('report').relative_to(run.root)}")


MAKERS: Mapping[str, Callable[[Run, Progress], None]] = {
    "base": make_base,
    "generate": make_generate,
    "merge": make_merge,
    "train": make_train,
    "fuse": make_fuse,
    "quantize": make_quantize,
    "validate": make_validate,
    "report": make_report,
}


def run_stage(run: Run, name: str) -> None:
    """Run one stage and record that it finished, with what it was made from when it began.

    Raises:
        PhaseError: there is no such stage, an earlier one is missing, or another process is at work here.
        TrainError: what the stage itself raises.
    """
    if name not in STAGES:
        raise PhaseError(f"there is no stage {name!r}; stages are {', '.join(STAGES)}.")
    progress = Progress(status=run.folder / "status.json", stage=name)
    with only_one(run.folder), _shared(run, name, progress) as made_meanwhile:
        if made_meanwhile:
            return
        taken = run.take(name)
        started = time.monotonic()
        progress.note(f"── {run.variant} {name} ({run.model_name})")
        with run.making(name), progress.whole():
            MAKERS[name](run, progress)
        seconds = time.monotonic() - started
        run.finish(name, taken, seconds=seconds, peak_memory_bytes=peak_memory_bytes())
        progress.note(f"   {name} done in {seconds:.1f} s: {run.path(name).relative_to(run.root)}")


def run_chain(run: Run, until: str = "report") -> None:
    """Run, in order, every stage up to one that is not fresh; what `make` does where there is no make.

    Raises:
        PhaseError: there is no such stage.
        TrainError: what a stage raises.
    """
    if until not in STAGES:
        raise PhaseError(f"there is no stage {until!r}; stages are {', '.join(STAGES)}.")
    run.write_locks()
    for name in STAGES:
        if next(row.state for row in run.freshness() if row.stage == name) != "fresh":
            run_stage(run, name)
        if name == until:
            return


@contextmanager
def only_one(folder: Path) -> Generator[None]:
    """Hold the run's folder for this process alone.

    Raises:
        PhaseError: another process holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder / ".lock"))
        except BlockingIOError:
            raise PhaseError(
                f"{folder}: another process is working here; wait for it or end it."
            ) from None
        yield


@contextmanager
def _shared(run: Run, name: str, progress: Progress) -> Generator[bool]:
    """Hold the base model's folder too, which all runs share, while it is made; wait where another does.

    Yields whether that one made what this run asks for, so that nothing is left to do.
    """
    if name != "base":
        yield False
        return
    path = run.path("base")
    with held(
        run.base_lock,
        wait=lambda: progress.note(f"waiting for another process, which is making {path}"),
    ) as waited:
        made = waited and run.is_made("base")
        if made:
            progress.note(f"   {path} was made meanwhile")
        yield made


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process and its children, in bytes."""
    unit = (
        1 if sys.platform == "darwin" else 1024
    )  # getrusage(2): kilobytes on Linux, bytes on macOS
    return unit * max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
