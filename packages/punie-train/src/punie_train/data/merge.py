"""The stage `merge`: audit all records, refuse any violation, and write the splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from punie_train.artefacts import read_jsonl, whole_folder, write_json, write_jsonl
from punie_train.data.audit import audit_records
from punie_train.data.config import MergeConfig
from punie_train.data.records import shape_problems
from punie_train.data.splits import SPLITS, split_of
from punie_train.errors import DataError
from punie_train.progress import Progress

__all__ = ["merge"]

_LISTED = 40


def merge(
    config: MergeConfig,
    *,
    inputs: Sequence[Path],
    out: Path,
    progress: Progress,
    suites: Sequence[Path] = (),
    tokenizer: Path | None = None,
) -> None:
    """Merge record files into `out`: train.jsonl, valid.jsonl, test.jsonl and audit.json.

    Args:
        config: what is accepted.
        inputs: JSONL files of executed records.
        out: the folder.
        progress: told what was found.
        suites: frozen suites whose queries must not occur.
        tokenizer: the base model's folder, for lengths and the template's round trip.

    Raises:
        DataError: a line is not a record, or a rule is broken; each violation is listed.
    """
    splits: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for file in inputs:
        for number, record in enumerate(read_jsonl(file), start=1):
            if problems := shape_problems(record):
                raise DataError(f"{file}:{number}: {'; '.join(problems)}.")
            splits[split_of(record["intent"], record["prompt"])].append(record)
    result = audit_records(splits, config, suites=suites, tokenizer=tokenizer, shaped=True)
    if violations := result["violations"]:
        listed = "\n".join(f"  {violation}" for violation in violations[:_LISTED])
        more = f"\n  and {len(violations) - _LISTED} more" if len(violations) > _LISTED else ""
        raise DataError(
            f"the data break {len(violations)} rules; nothing was written:\n{listed}{more}"
        )
    with whole_folder(out) as folder:
        for split, records in splits.items():
            write_jsonl(folder / f"{split}.jsonl", records)
        write_json(folder / "audit.json", result)
    sizes = "/".join(str(len(records)) for records in splits.values())
    drills = sum(result["drills"].values())
    drilled = f" ({drills} drills)" if drills else ""
    progress.note(f"{sizes} rows{drilled} in train/valid/test, no violations")
