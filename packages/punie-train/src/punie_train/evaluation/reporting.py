"""The report of a run: everything that was measured, gathered into `report.json` and one HTML page.

Covered: scores, training curve, data audit, stage times, memory, sizes, digests, versions. A run that lacks
some of these (a validation alone) gets a report of what is there. Not covered: measuring anything anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from punie_train.artefacts import read_jsonl, whole_file, write_json
from punie_train.errors import EvaluationError
from punie_train.evaluation.scores import Gate, Scores, load_scores

MAX_VALIDATION_LOSS = 1.5
"""The checklist's bound on the loss over the validation rows."""
STAGE_ORDER = ("base", "generate", "merge", "train", "fuse", "quantize", "validate")


class StageFigures(BaseModel):
    """What one stage took and made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    seconds: float
    peak_memory_bytes: int
    digest: str


class Report(BaseModel):
    """Everything about one run, as `report.json` holds it.

    Attributes:
        run: name of the run's folder, such as `phase23-smollm2`.
        scores: what validation found.
        training: one object a measurement: `step`, `loss`, `tokens_per_second`, `validation_loss`.
        audit: the audit of the training data; None when there is none.
        stages: time, memory and digest of each stage that has run.
        gates: limits that concern the whole run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    run: str
    scores: Scores
    training: list[dict[str, Any]] = []
    audit: dict[str, Any] | None = None
    stages: list[StageFigures] = []
    gates: list[Gate] = []


def report(*, run: Path, out: Path) -> None:
    """Write a run's report: `out` as one HTML page, and `report.json` beside it.

    Args:
        run: the run's folder, with at least `scores.json`.
        out: the HTML file to write.

    Raises:
        EvaluationError: there are no scores, or a file of the run is damaged.
    """
    from punie_train.evaluation.page import page

    gathered = gather(run)
    write_json(out.with_name("report.json"), gathered.model_dump(mode="json"))
    with whole_file(out) as temporary:
        temporary.write_text(page(gathered), encoding="utf-8")


def gather(run: Path) -> Report:
    """Return everything about a run.

    Raises:
        EvaluationError: there are no scores, or a file of the run is damaged.
    """
    training = list(_training(run / "adapter/metrics.jsonl"))
    return Report(
        run=run.resolve().name,
        scores=load_scores(run / "scores.json"),
        training=training,
        audit=_json(run / "data/merged/audit.json"),
        stages=_stages(run),
        gates=_gates(training),
    )


def _training(path: Path) -> list[dict[str, Any]]:
    return list(read_jsonl(path)) if path.is_file() else []


def _stages(run: Path) -> list[StageFigures]:
    found = []
    for name in STAGE_ORDER:
        record = _json(run / "stages" / f"{name}.done.json")
        if record is None:
            continue
        try:
            found.append(
                StageFigures(
                    stage=name,
                    seconds=record["seconds"],
                    peak_memory_bytes=record["peak_memory_bytes"],
                    digest=record["output"],
                )
            )
        except KeyError as error:
            raise EvaluationError(
                f"{run}/stages/{name}.done.json lacks {error}; run the stage again."
            ) from None
    return found


def _gates(training: list[dict[str, Any]]) -> list[Gate]:
    losses = [row["validation_loss"] for row in training if "validation_loss" in row]
    if not losses:
        return []
    best = min(losses)
    return [
        Gate(
            name="validation loss",
            value=best,
            limit=MAX_VALIDATION_LOSS,
            unit="nats a token",
            ok=best <= MAX_VALIDATION_LOSS,
        )
    ]


def _json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvaluationError(f"{path}: not valid JSON ({error}); run its stage again.") from None
    return value if isinstance(value, dict) else None
