"""The audit of a data set: what it holds, and every rule it breaks.

The merge refuses a set with violations; `punie-train check-data` prints the same audit for any folder.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from punie_train.artefacts import read_jsonl
from punie_train.data.config import GenerateConfig, MergeConfig, contract_for
from punie_train.data.likeness import LeakIndex, near_duplicates, suite_prompts
from punie_train.data.records import contract_problems, shape_problems, user_prompts
from punie_train.data.splits import SPLITS, normalised, plain, split_of
from punie_train.data.tokens import Tokenizer

__all__ = ["audit", "audit_records", "render_audit"]

Splits = Mapping[Any, Sequence[Mapping[str, Any]]]


def audit(
    folder: Path, *, suites: Sequence[Path] = (), tokenizer: Path | None = None
) -> dict[str, Any]:
    """Audit a folder with train.jsonl, valid.jsonl and test.jsonl.

    Args:
        folder: what the merge wrote.
        suites: frozen suites whose queries must not occur.
        tokenizer: a base model folder; without it lengths are in characters only.

    Raises:
        DataError: a file is missing or a line is not a JSON object.
    """
    splits = {split: list(read_jsonl(folder / f"{split}.jsonl")) for split in SPLITS}
    return audit_records(splits, MergeConfig(), suites=suites, tokenizer=tokenizer)


def audit_records(
    splits: Splits,
    config: MergeConfig,
    *,
    suites: Sequence[Path] = (),
    tokenizer: Path | None = None,
    shaped: bool = False,
) -> dict[str, Any]:
    """Audit records by split; the result's "violations" lists every broken rule.

    Args:
        splits: the records.
        config: what is accepted.
        suites: frozen suites whose queries must not occur.
        tokenizer: a base model folder; without it lengths are in characters only.
        shaped: whether their shape is known to be right.
    """
    violations: list[str] = []
    well_formed: dict[str, list[Mapping[str, Any]]] = {}
    for split, records in splits.items():
        well_formed[split] = []
        for number, record in enumerate(records, start=1):
            problems = [] if shaped else shape_problems(record)
            violations += [f"{split}.jsonl:{number}: {problem}" for problem in problems]
            if not problems:
                well_formed[split].append(record)
    rows = [(split, record) for split, records in well_formed.items() for record in records]
    violations += _contract(rows)
    violations += _repeated(rows)
    violations += _placed(rows)
    violations += _leaks(rows, suites, config)
    violations += [
        f"{first} and {second}: near-duplicates (similarity {config.near_duplicate} or more)"
        for first, second in near_duplicates([record for _, record in rows], config.near_duplicate)
    ]
    lengths, too_long = _lengths(rows, config, tokenizer)
    violations += too_long
    whole = [row for row in rows if not row[1].get("drill")]
    drills = Counter(record["intent"] for _, record in rows if record.get("drill"))
    violations += _sizes(splits, drills.total(), config)
    return {
        "rows": {split: len(records) for split, records in splits.items()},
        "categories": _counts(whole, "category"),
        "intents": _counts(whole, "intent"),
        "drills": dict(sorted(drills.items())),
        "tools": _tools(rows),
        "workspaces": dict(Counter(str(record["workspace"]) for _, record in rows)),
        "prompts": len({plain(record["prompt"]) for _, record in rows}),
        "phrasings": len({(record["intent"], normalised(record["prompt"])) for _, record in rows}),
        "programs": sum(len(record["trace"]) for _, record in rows),
        "lengths": lengths,
        "licences": dict(Counter(record["licence"] for _, record in rows)),
        "sources": dict(Counter(record["source"] for _, record in rows)),
        "suites": [suite.stem for suite in suites],
        "violations": violations,
    }


Rows = list[tuple[str, Mapping[str, Any]]]


def _sizes(splits: Splits, drills: int, config: MergeConfig) -> list[str]:
    """The numbers that were promised; drills, which are in train only, are counted for themselves."""
    found = tuple(sum(not record.get("drill") for record in splits[split]) for split in SPLITS)
    problems = []
    if config.sizes and found != config.sizes:
        wanted = "/".join(map(str, config.sizes))
        problems.append(f"sizes are {'/'.join(map(str, found))}, not {wanted}")
    if config.drills is not None and drills != config.drills:
        problems.append(f"there are {drills} drills, not {config.drills}")
    return problems


def _contract(rows: Rows) -> list[str]:
    contracts = {}
    found = []
    for _, record in rows:
        tools = tuple(record["tools"])
        if tools not in contracts:
            contracts[tools] = contract_for(GenerateConfig(tools=tools))
        found += [
            f"{record['id']}: {problem}" for problem in contract_problems(record, contracts[tools])
        ]
    if len(contracts) > 1:
        found.append(f"rows were made for {len(contracts)} different sets of tools")
    return found


def _repeated(rows: Rows) -> list[str]:
    seen: dict[str, str] = {}
    ids: set[str] = set()
    found = []
    for split, record in rows:
        key = " / ".join(plain(prompt) for prompt in user_prompts(record))
        if key in seen:
            found.append(
                f"{record['id']}: the prompt of {seen[key]} again: {record['prompt']!r} ({split})"
            )
        seen.setdefault(key, record["id"])
        if record["id"] in ids:
            found.append(f"{record['id']}: this id occurs twice")
        ids.add(record["id"])
    return found


def _placed(rows: Rows) -> list[str]:
    found = []
    places = defaultdict(set)
    for split, record in rows:
        places[record["intent"], normalised(record["prompt"])].add(split)
        belongs = split_of(record["intent"], record["prompt"])
        if belongs != split:
            found.append(f"{record['id']}: is in {split} but belongs to {belongs}")
        if record.get("drill") and split != "train":
            found.append(f"{record['id']}: is a drill in {split}; drills are for train only")
    found += [
        f"the phrasing {phrasing!r} ({intent}) is in {', '.join(sorted(splits))}"
        for (intent, phrasing), splits in places.items()
        if len(splits) > 1
    ]
    return found


def _leaks(rows: Rows, suites: Sequence[Path], config: MergeConfig) -> list[str]:
    index = LeakIndex.of(suite_prompts(suites), config.ngram)
    found = [
        f"{record['id']}: {prompt!r} gives away the query {query!r} of a frozen suite"
        for _, record in rows
        for prompt in user_prompts(record)
        if (query := index.leaked(prompt)) is not None
    ]
    return found + [
        f"{record['id']}: {prompt!r} is asked in the words of the query {query!r} of a frozen suite"
        for _, record in rows
        for prompt in (user_prompts(record) if record["trace"] else ())
        if (query := index.phrased(prompt)) is not None
    ]


def _lengths(
    rows: Rows, config: MergeConfig, folder: Path | None
) -> tuple[dict[str, Any], list[str]]:
    characters = [
        sum(len(message["content"]) for message in record["messages"]) for _, record in rows
    ]
    lengths: dict[str, Any] = {"characters": _spread(characters)}
    if folder is None:
        return lengths, []
    tokenizer = Tokenizer(folder)
    counts, found = [], []
    for _, record in rows:
        whole = tokenizer.tokens(record["messages"])
        counts.append(len(whole))
        if counts[-1] > config.max_tokens:
            found.append(f"{record['id']}: {counts[-1]} tokens, more than {config.max_tokens}")
        found += [f"{record['id']}: {problem}" for problem in tokenizer.problems(record, whole)]
    lengths["tokens"] = _spread(counts)
    return lengths, found


def _spread(values: Sequence[int]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "mean": round(mean(values), 1),
        "median": ordered[len(ordered) // 2],
        "p95": ordered[int(len(ordered) * 0.95)],
        "max": ordered[-1],
        "total": sum(values),
    }


def _counts(rows: Rows, key: str) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for split, record in rows:
        row = counts.setdefault(record[key], dict.fromkeys(SPLITS, 0))
        row[split] += 1
    return dict(sorted(counts.items()))


def _tools(rows: Rows) -> dict[str, int]:
    """Rows by the tools they call; "none" are direct answers."""
    counts: Counter[str] = Counter()
    for _, record in rows:
        called = {call["name"] for run in record["trace"] for call in run["calls"]}
        counts.update(called or {"none"})
    return dict(sorted(counts.items()))


def render_audit(result: Mapping[str, Any]) -> str:
    """Return an audit as text for a terminal."""
    rows = result["rows"]
    lines = [
        f"rows        {sum(rows.values())} = "
        + " + ".join(f"{count} {split}" for split, count in rows.items()),
        f"drills      {sum(result['drills'].values())} of them, which end with the first program",
        f"prompts     {result['prompts']} different, in {result['phrasings']} phrasings",
        f"programs    {result['programs']} executed",
        "tools       " + ", ".join(f"{name} {count}" for name, count in result["tools"].items()),
        "licences    " + ", ".join(f"{name} {count}" for name, count in result["licences"].items()),
        f"suites      {', '.join(result['suites']) or 'none'} checked for leaks",
    ]
    for unit, spread in result["lengths"].items():
        lines.append(
            f"{unit:<11} " + ", ".join(f"{name} {value}" for name, value in spread.items())
        )
    lines.append("")
    lines.append(f"{'category':<22}" + "".join(f"{split:>7}" for split in SPLITS))
    for name, counts in result["categories"].items():
        lines.append(f"{name:<22}" + "".join(f"{counts[split]:>7}" for split in SPLITS))
    lines.append("")
    violations = result["violations"]
    lines.append(f"{len(violations)} violations" if violations else "no violations")
    lines += [f"  {violation}" for violation in violations]
    return "\n".join(lines)
