"""Scoring many turns at once beside scoring them one after the other: same model, same queries, same answers.

The model is SmolLM2-135M as `make` converts it; the work is what validation does with it: replies to
conversations that begin with the contract's system prompt.

    python bench_evaluation.py --json OUT [--queries 16] [--tokens 48]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from punie_agent.models import Message
from punie_train.evaluation.batching import BatchedModel
from punie_train.models import prepare_base, resolve_base
from punie_train.progress import Progress

SYSTEM = (
    "You are Punie, a Python coding agent. To act, write one ```python block; its output comes back. "
    "Otherwise answer in plain text.\n"
    "typecheck(path) -> TypeCheckResult(success, error_count, errors[file, line, column, code, message])\n"
    "read_file(path) -> str\nwrite_file(path, content) -> str\nrun_command(command, args=None) -> str"
)
TOPICS = (
    "decorators",
    "generators",
    "dataclasses",
    "closures",
    "iterators",
    "protocols",
    "slots",
    "enums",
)
BOUND = 4.0


def main() -> int:
    """Measure, write the row, and return 0 when the bound holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=48)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="punie-bench-") as folder:
        base = Path(folder) / "smollm2"
        prepare_base(resolve_base("smollm2"), out=base, progress=Progress())
        asked = [conversation(number) for number in range(arguments.queries)]
        at_once, together = asyncio.run(replies(base, asked, arguments.tokens, len(asked)))
        one_by_one, apart = asyncio.run(replies(base, asked, arguments.tokens, 1))
    same = sum(one == other for one, other in zip(together, apart, strict=True))
    ratio = at_once / one_by_one
    row = {
        "name": f"tokens/s, {len(asked)} turns at once beside one at a time",
        "measured": round(at_once, 1),
        "peer": round(one_by_one, 1),
        "ratio": round(ratio, 2),
        "bound": f">= {BOUND:g}",
        "ok": ratio >= BOUND,
        "same_replies": f"{same}/{len(asked)}",
        "versions": {name: version(name) for name in ("punie-train", "mlx", "mlx-lm")},
    }
    arguments.json.write_text(json.dumps([row], indent=2) + "\n")
    print(json.dumps(row, indent=2))
    return 0 if row["ok"] else 1


def conversation(number: int) -> list[Message]:
    """Return one of many conversations with the same beginning."""
    topic = TOPICS[number % len(TOPICS)]
    return [
        Message("system", SYSTEM),
        Message("user", f"Question {number}: explain {topic} in Python."),
    ]


async def replies(
    base: Path, asked: list[list[Message]], tokens: int, at_once: int
) -> tuple[float, list[str]]:
    """Return tokens a second and the replies, with so many conversations at the same time."""
    with BatchedModel(base, max_tokens=tokens, batch=at_once) as model:
        gate = asyncio.Semaphore(at_once)

        async def one(messages: list[Message]) -> tuple[int, str]:
            async with gate:
                reply = await model.reply(messages)
            return reply.usage.output_tokens, reply.text

        await one(asked[0])  # the first reply warms up
        started = time.monotonic()
        results = await asyncio.gather(*(one(messages) for messages in asked))
        seconds = time.monotonic() - started
    return sum(count for count, _ in results) / seconds, [text for _, text in results]


if __name__ == "__main__":
    sys.exit(main())
