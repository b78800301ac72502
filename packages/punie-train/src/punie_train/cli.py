"""The command line `punie-train`: the stages `make` calls, and what people ask of runs, data and models.

Exit codes: 0 done, 1 the answer is no (a gate failed, data breaks a rule), 2 it could not be done (the
message says why), 130 interrupted. Imports are deferred: `make` calls this program to find out that
nothing needs doing, and that should not load a training library.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from punie_agent.errors import AgentError
from punie_train.errors import PhaseError, TrainError

EXAMPLES = """examples:
  punie-train status --all                       what is fresh, stale or missing in every run, and why
  punie-train status phase23 --watch             follow a run: stage, step, loss, time left
  punie-train make phase1 --root my-project      the whole chain in a folder of your own, without make
  punie-train doctor                             device, BLAS in use, measured GFLOP/s
  punie-train check-data build/phase23-smollm2/data/merged
  punie-train validate --model PATH --suite data/suites/phase23.toml --workspaces data/workspaces
  punie-train compare OLD/report.json NEW/report.json
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `punie-train`."""
    parser = argparse.ArgumentParser(
        prog="punie-train",
        description="Teach a small local model your typed tools; scores are earned by running what it wrote.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_runs, _add_doctor, _add_data, _add_evaluation):
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; errors of this package become one message."""
    arguments = build_parser().parse_args(argv)
    call: Callable[[argparse.Namespace], int] = arguments.call
    try:
        return call(arguments)
    except (TrainError, AgentError) as error:
        print(f"punie-train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "punie-train: interrupted; nothing half made is kept, the same command goes on.",
            file=sys.stderr,
        )
        return 130
    except OSError as error:
        print(
            f"punie-train: {error}; nothing half made is kept. Mend it and run the same command.",
            file=sys.stderr,
        )
        return 2


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("phase", help="such as phase23 (data/phases/phase23.toml)")
    parser.add_argument(
        "--model",
        default="smollm2",
        help="a known base model or an mlx-lm folder (default: %(default)s)",
    )
    parser.add_argument("--data", default="", help="a data variant of the phase file")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the folder that holds data/ and build/"
    )


def _add_runs(commands: argparse._SubParsersAction) -> None:
    lock = commands.add_parser(
        "lock", help="bring the stage locks up to date and print where the run lies"
    )
    _run_arguments(lock)
    lock.set_defaults(call=_lock)
    stage = commands.add_parser("stage", help="run one stage of a phase (make calls this)")
    stage.add_argument("phase", help="such as phase23")
    stage.add_argument(
        "stage", help="base, generate, merge, train, fuse, quantize, validate or report"
    )
    stage.add_argument("--model", default="smollm2", help="as in lock")
    stage.add_argument("--data", default="", help="a data variant of the phase file")
    stage.add_argument(
        "--root", type=Path, default=Path(), help="the folder that holds data/ and build/"
    )
    stage.set_defaults(call=_stage)
    make = commands.add_parser(
        "make", help="lock, then run every stage that is not fresh (what `make` does)"
    )
    _run_arguments(make)
    make.add_argument(
        "--until",
        default="report",
        metavar="STAGE",
        help="stop after this stage (default: %(default)s)",
    )
    make.set_defaults(call=_make)
    clean = commands.add_parser("clean", help="remove what a phase made; base models stay")
    _run_arguments(clean)
    clean.set_defaults(call=_clean)
    status = commands.add_parser("status", help="what is fresh, stale or missing, and why")
    status.add_argument("phase", nargs="?", help="such as phase23; none with --all")
    status.add_argument("--model", default="smollm2", help="as in lock")
    status.add_argument("--data", default="", help="a data variant of the phase file")
    status.add_argument(
        "--root", type=Path, default=Path(), help="the folder that holds data/ and build/"
    )
    status.add_argument("--all", action="store_true", help="every run under build/")
    status.add_argument("--watch", action="store_true", help="follow what is running until it ends")
    status.set_defaults(call=_status)


def _add_doctor(commands: argparse._SubParsersAction) -> None:
    doctor = commands.add_parser("doctor", help="device, BLAS in use and measured GFLOP/s")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(call=_doctor)


def _add_data(commands: argparse._SubParsersAction) -> None:
    check = commands.add_parser(
        "check-data", help="audit a merged data set; exit code 1 when it breaks a rule"
    )
    check.add_argument("folder", type=Path, help="holds train.jsonl, valid.jsonl and test.jsonl")
    check.add_argument(
        "--suite", type=Path, action="append", default=[], help="a suite that must not leak into it"
    )
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(call=_check_data)
    harvest = commands.add_parser(
        "harvest", help="turn accepted agent traces into candidate examples"
    )
    harvest.add_argument(
        "traces", type=Path, nargs="+", help="files written by `punie trace export`"
    )
    harvest.add_argument("--out", type=Path, required=True, help="the JSON Lines file to write")
    harvest.set_defaults(call=_harvest)


def _add_evaluation(commands: argparse._SubParsersAction) -> None:
    validate = commands.add_parser(
        "validate",
        help="score a model folder by running what it writes; exit code 1 below a category's minimum",
    )
    validate.add_argument("--model", type=Path, required=True, help="an mlx-lm model folder")
    validate.add_argument(
        "--suite", type=Path, action="append", required=True, help="a suite file; repeatable"
    )
    validate.add_argument(
        "--workspaces", type=Path, help="where the suites' workspaces lie (default: beside them)"
    )
    validate.add_argument("--out", type=Path, help="write the scores here as JSON")
    validate.add_argument("--json", action="store_true", help="print the scores as JSON")
    validate.set_defaults(call=_validate)
    compare = commands.add_parser(
        "compare", help="what changed between two reports, query by query"
    )
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.add_argument("--json", action="store_true", help="print JSON")
    compare.set_defaults(call=_compare)


def _lock(arguments: argparse.Namespace) -> int:
    from punie_train.graph import Run

    run = Run(arguments.root, arguments.phase, arguments.model, arguments.data)
    run.write_locks()
    print(f"RUN={run.folder.as_posix()} BASE={run.done_path('base').parent.as_posix()}")
    return 0


def _stage(arguments: argparse.Namespace) -> int:
    from punie_train.graph import Run
    from punie_train.stages import run_stage

    run_stage(
        Run(arguments.root, arguments.phase, arguments.model, arguments.data), arguments.stage
    )
    return 0


def _make(arguments: argparse.Namespace) -> int:
    from punie_train.graph import Run
    from punie_train.stages import run_chain

    run_chain(
        Run(arguments.root, arguments.phase, arguments.model, arguments.data), arguments.until
    )
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    from punie_train.graph import Run
    from punie_train.stages import only_one

    run = Run(arguments.root, arguments.phase, arguments.model, arguments.data)
    if not run.folder.exists():
        print(f"{run.folder}: nothing to remove.")
        return 0
    with only_one(run.folder):
        shutil.rmtree(run.folder)
    print(f"removed {run.folder}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from punie_train.status import find_runs, print_status, watch

    runs = find_runs(arguments.root, arguments.phase, arguments.model, arguments.data)
    if arguments.watch:
        return watch(runs, sleep=time.sleep)
    print_status(runs)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from punie_train.doctor import diagnose

    diagnosis = diagnose()
    print(
        json.dumps(asdict(diagnosis), indent=2) if arguments.json else "\n".join(diagnosis.lines())
    )
    return 0


def _check_data(arguments: argparse.Namespace) -> int:
    from punie_train.data import audit, render_audit

    result = audit(arguments.folder, suites=arguments.suite)
    print(json.dumps(result, indent=2) if arguments.json else render_audit(result))
    return 1 if result["violations"] else 0


def _harvest(arguments: argparse.Namespace) -> int:
    from punie_train.data import harvest

    print(harvest(arguments.traces, out=arguments.out))
    return 0


def _validate(arguments: argparse.Namespace) -> int:
    from punie_train.evaluation import ValidateConfig, render_scores, validate
    from punie_train.progress import Progress

    if not arguments.model.is_dir():
        raise PhaseError(f"{arguments.model}: not a model folder.")
    out = arguments.out or arguments.model / "scores.json"
    workspaces = arguments.workspaces or arguments.suite[0].parent.parent / "workspaces"
    scores = validate(
        ValidateConfig(),
        models={arguments.model.name: arguments.model},
        suites=arguments.suite,
        workspaces=workspaces,
        out=out,
        progress=Progress(stage="validate"),
    )
    written = json.loads(out.read_text(encoding="utf-8"))
    print(json.dumps(written, indent=2) if arguments.json else render_scores(written))
    return 0 if all(suite.ok for model in scores.models for suite in model.suites) else 1


def _compare(arguments: argparse.Namespace) -> int:
    from punie_train.evaluation import compare, render_comparison

    comparison = compare(arguments.old, arguments.new)
    print(json.dumps(comparison, indent=2) if arguments.json else render_comparison(comparison))
    return 1 if comparison["regressed_beyond_chance"] else 0
