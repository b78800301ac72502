"""What the model does on validation records, by running it: the measure checkpoints are chosen by.

For each record the model answers the first request; where the record acts, its program is executed in the
sandbox against the recorded answers of the real tools. It is right when it runs to its end, makes the same
calls and prints the same text; where the record answers in words, it is right not to act.

Covered: the first program of a record. Not covered: later programs, and programs that reach the same end
by other calls; the evaluation suites judge those.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from punie_agent.contract import Contract, standard_functions
from punie_sandbox import ReplayError, RunResult, Sandbox
from punie_tools import LocalHost, Toolbox
from punie_train.artefacts import read_jsonl
from punie_train.mlx import mx
from punie_train.models.loading import LoadedModel

JUDGED = 24
"""How many records are judged."""
SPARE_TOKENS = 24
"""How many tokens more than the record's own turn the model may write."""


class Behaviour:
    """Judges a model on some records of a file.

    Args:
        path: records as the merge stage writes them.
        limit: how many are judged, taken from every category in turn.
    """

    def __init__(self, path: Path, limit: int = JUDGED) -> None:
        judged = [record for record in read_jsonl(path) if _first_turn(record) is not None]
        self._records = _spread(judged, limit)

    def __len__(self) -> int:
        """Return how many records are judged."""
        return len(self._records)

    def score(self, loaded: LoadedModel) -> float:
        """Return the part of the records the model does right, 0 to 1."""
        replies = self._replies(loaded)
        right = asyncio.run(_judge(self._records, replies))
        return sum(right) / max(len(right), 1)

    def _replies(self, loaded: LoadedModel) -> list[str]:
        from mlx_lm.generate import batch_generate

        prompts, limits = [], []
        for record in self._records:
            at = _first_turn(record) or 0
            prompts.append(
                loaded.tokenizer.apply_chat_template(
                    record["messages"][:at], add_generation_prompt=True
                )
            )
            own = loaded.tokenizer.encode(record["messages"][at]["content"])
            limits.append(len(own) + SPARE_TOKENS)
        stream = mx.new_stream(mx.default_device())
        return list(
            batch_generate(
                loaded.model, loaded.tokenizer, prompts, max_tokens=limits, stream=stream
            ).texts
        )


def _first_turn(record: dict[str, Any]) -> int | None:
    for index, message in enumerate(record["messages"]):
        if message["role"] == "assistant":
            return index if "tools" in record and "trace" in record else None
    return None


def _spread(records: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    by_category: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_category[record.get("category", "")].append(record)
    chosen: list[dict[str, Any]] = []
    while len(chosen) < min(limit, len(records)):
        rows = [by_category[category] for category in sorted(by_category)]
        chosen.extend(row.pop(0) for row in rows if row)
    return chosen[:limit]


async def _judge(records: Sequence[dict[str, Any]], replies: Sequence[str]) -> list[bool]:
    right = []
    by_tools: dict[tuple[str, ...], list[tuple[int, dict[str, Any], str]]] = defaultdict(list)
    for index, (record, reply) in enumerate(zip(records, replies, strict=True)):
        by_tools[tuple(record["tools"])].append((index, record, reply))
    for tools, cases in by_tools.items():
        functions = standard_functions(Toolbox(LocalHost(Path.cwd())), tools)
        contract = Contract(functions, style="brief")
        async with Sandbox(functions) as sandbox:
            for index, record, reply in cases:
                await sandbox.reset()
                right.append((index, await _is_right(record, reply, contract, sandbox)))
    return [each for _, each in sorted(right)]


async def _is_right(
    record: dict[str, Any], reply: str, contract: Contract, sandbox: Sandbox
) -> bool:
    wanted = contract.parse(record["messages"][_first_turn(record) or 0]["content"])
    found = contract.parse(reply)
    if wanted.code is None or found.code is None:
        return wanted.code is None and found.code is None and bool(found.text.strip())
    recorded = RunResult.from_json(record["trace"][0])
    try:
        played = await sandbox.replay(replace(recorded, code=found.code))
    except ReplayError:
        return False
    same_calls = len(played.calls) == len(recorded.calls)
    return played.ok and same_calls and played.stdout == recorded.stdout
