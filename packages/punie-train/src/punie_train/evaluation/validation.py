"""Validation: every model plays every suite, and one file says how each did and why.

Covered: scoring several models side by side, latency, sizes, gates, versions. Not covered: showing it
(`report`) and comparing two (`compare`).
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from punie_agent.loop import TurnLimits
from punie_train.artefacts import write_json
from punie_train.errors import EvaluationError
from punie_train.evaluation.arena import Arena
from punie_train.evaluation.config import ValidateConfig
from punie_train.evaluation.identity import Candidate, candidates, identify, trained_tools
from punie_train.evaluation.over_acp import model_argv, through_acp
from punie_train.evaluation.play import LoadedSuite, Play, open_suite, play_suite, with_model
from punie_train.evaluation.scores import Gate, ModelScore, Scores, SuiteScore, latency_of

if TYPE_CHECKING:
    from punie_train.evaluation.drafting import Drafts
    from punie_train.progress import Progress

PACKAGES = ("punie-train", "punie-agent", "punie-sandbox", "punie-tools", "mlx", "mlx-lm", "ty")


def validate(
    config: ValidateConfig,
    *,
    models: dict[str, Path],
    suites: list[Path],
    workspaces: Path,
    out: Path,
    progress: Progress,
) -> Scores:
    """Score models on suites by running what they write, and write the scores.

    Args:
        config: how to score.
        models: model folders by role or name; an adapter folder needs one named `base`.
        suites: suite files.
        workspaces: the folder that holds the suites' workspaces.
        out: the JSON file to write, whole or not at all.
        progress: where to report.

    Raises:
        EvaluationError: a suite, a workspace or a folder cannot be used.
        ModelError: weights cannot be loaded.
    """
    from punie_train.evaluation.drafting import Drafts

    started = time.monotonic()
    opened = [open_suite(path) for path in suites]
    chosen = candidates(models)
    # What a person waits is measured on the model the run is about, which comes last.
    quiet = config.model_copy(update={"latency_queries": 0})
    # Each model is asked what the one before it was asked, and mostly answers the same.
    drafts = Drafts()
    scored = []
    for one in chosen:
        how = config if one is chosen[-1] else quiet
        scored.append(_score_model(how, one, opened, workspaces, progress, drafts))
        _give_back()
    scores = Scores(
        suites={loaded.suite.name: loaded.digest() for loaded in opened},
        models=scored,
        versions=_versions(),
        config=config.model_dump(mode="json"),
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_memory_bytes(),
    )
    write_json(out, scores.model_dump(mode="json"))
    return scores


def _give_back() -> None:
    """Free what a model leaves behind, which would otherwise lie beside the next one."""
    from punie_train.mlx import mx

    gc.collect()  # of cycles
    mx.clear_cache()


def _score_model(
    config: ValidateConfig,
    candidate: Candidate,
    opened: list[LoadedSuite],
    workspaces: Path,
    progress: Progress,
    drafts: Drafts,
) -> ModelScore:
    from punie_train.evaluation.batching import BatchedModel

    chosen = [
        loaded
        for loaded in opened
        if candidate.name in config.only.get(loaded.suite.name, [candidate.name])
    ]
    with tempfile.TemporaryDirectory(prefix="punie-validate-") as folder:
        arenas = [
            _arena(config, candidate, loaded, workspaces, Path(folder) / str(number))
            for number, loaded in enumerate(chosen)
        ]
        identity = identify(candidate, _contract_digest(arenas))
        if identity.contract_matches is False:
            progress.note(
                f"WARNING: {candidate.name} was trained under contract {identity.trained_contract_digest}, "
                f"and is scored under {identity.contract_digest}."
            )
        started = time.monotonic()
        with ExitStack() as stack:
            if config.through == "acp":
                players = [through_acp(arena, model_argv(candidate)) for arena in arenas]
            else:
                model = stack.enter_context(
                    BatchedModel(
                        candidate.folder,
                        adapter=candidate.adapter,
                        name=candidate.name,
                        max_tokens=config.max_tokens,
                        batch=config.batch,
                        drafts=drafts,
                    )
                )
                players = [with_model(arena, model) for arena in arenas]
            load_seconds = time.monotonic() - started
            waits, suite_scores = asyncio.run(
                _play_all(config, candidate.name, chosen, arenas, players, progress, drafts)
            )
    latency = latency_of(waits, load_seconds)
    score = ModelScore(
        name=candidate.name,
        identity=identity,
        load_seconds=load_seconds,
        latency=latency,
        suites=suite_scores,
        ok=False,
    )
    gates = _gates(config, score)
    matches = identity.contract_matches is not False
    ok = matches and all(gate.ok for gate in gates) and all(each.ok for each in suite_scores)
    return score.model_copy(update={"gates": gates, "ok": ok})


def _contract_digest(arenas: list[Arena]) -> str:
    """The contract of the first suite; suites with other tools are played under contracts of their own."""
    return arenas[0].contract().digest() if arenas else ""


def _arena(
    config: ValidateConfig,
    candidate: Candidate,
    loaded: LoadedSuite,
    workspaces: Path,
    folder: Path,
) -> Arena:
    folder.mkdir(parents=True)
    tools = config.tools or trained_tools(candidate) or loaded.suite.tools
    if missing := sorted(set(loaded.suite.tools) - set(tools)):
        raise EvaluationError(
            f"{loaded.path}: the suite needs {', '.join(missing)}, which {candidate.name} was not "
            "taught; leave the suite out, or name the tools in [validate] tools."
        )
    return Arena(
        loaded.suite,
        workspaces,
        folder,
        style=config.style,
        tools=tools,
        turn_limits=TurnLimits(
            requests=config.max_requests,
            failures=config.max_failures,
            reply_tokens=config.max_tokens,
        ),
        turn_seconds=config.turn_seconds,
        constrained=config.constrained,
        rehearsed=config.rehearsed,
    )


async def _play_all(
    config: ValidateConfig,
    name: str,
    opened: list[LoadedSuite],
    arenas: list[Arena],
    players: list[Play],
    progress: Progress,
    drafts: Drafts,
) -> tuple[list[float], list[SuiteScore]]:
    waits: list[float] = []
    suite_scores = []
    at_once = 1 if config.through == "acp" else config.batch
    for number, (loaded, arena, play) in enumerate(zip(opened, arenas, players, strict=True)):
        if number == 0:
            with drafts.hidden():
                waits = await _waits(config, loaded, play)
        with progress.task(f"{name}: {loaded.suite.name}", len(loaded.suite.queries)) as task:
            suite_scores.append(await play_suite(loaded, arena, play, at_once=at_once, task=task))
        last = suite_scores[-1]
        progress.note(f"{name}: {last.suite} {last.passed}/{last.total} {_thresholds(last)}")
    return waits, suite_scores


async def _waits(config: ValidateConfig, loaded: LoadedSuite, play: Play) -> list[float]:
    """Play some queries one at a time and return how long each took, as a person would wait."""
    chosen = [query for query in loaded.suite.queries if query.answer == "tools"]
    waits = []
    for query in chosen[: config.latency_queries]:
        played = await play(query)
        waits.append(played.turn.seconds)
    return waits


def _thresholds(score: SuiteScore) -> str:
    return " ".join(
        f"{c.id} {c.passed}/{c.total} ({'pass' if c.ok else 'FAIL'}, minimum {c.minimum})"
        for c in score.categories
    )


def _gates(config: ValidateConfig, score: ModelScore) -> list[Gate]:
    gates = []
    if score.latency is not None:
        first, later = score.latency.first, score.latency.later_median
        gates = [
            _gate("first query", first, config.first_query_seconds, "s"),
            _gate("later queries", later, config.later_query_seconds, "s"),
        ]
    if config.max_model_bytes is not None:
        gates.append(_gate("model size", score.identity.bytes, config.max_model_bytes, "bytes"))
    if config.max_memory_bytes is not None:
        gates.append(_gate("peak memory", peak_memory_bytes(), config.max_memory_bytes, "bytes"))
    return gates


def _gate(name: str, value: float, limit: float, unit: str) -> Gate:
    return Gate(name=name, value=value, limit=limit, unit=unit, ok=value <= limit)


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0], "platform": sys.platform}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2)
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
