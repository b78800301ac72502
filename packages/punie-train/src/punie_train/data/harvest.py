"""Candidate examples from traces: what the agent did for its user, and the user accepted.

A trace comes from `punie trace export`. It may have been made under another contract (a general model sees
full stubs); the candidate is written anew under the contract of the trained model, from the trace's own runs.
It passes the gates of every other record: shape, contract, no prompt twice, nothing nearly the same. What
does not pass is listed with the reason.

Covered: the last turn of each trace. Not covered: running it again (the user's project is not here), and
whether the user may share it: candidates carry the licence "private" until a person says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from punie_agent.contract import Contract
from punie_sandbox import RunResult
from punie_train.artefacts import read_jsonl, write_jsonl
from punie_train.data.config import GenerateConfig, MergeConfig, contract_for
from punie_train.data.likeness import Alike
from punie_train.data.records import contract_problems, shape_problems
from punie_train.data.splits import plain
from punie_train.errors import DataError

__all__ = ["harvest"]

_SHOWN = 20


def harvest(traces: Sequence[Path], *, out: Path, config: GenerateConfig | None = None) -> str:
    """Write the candidates of exported traces as JSON Lines; return a summary for people.

    Args:
        traces: JSONL files of `punie trace export`.
        out: the file of candidates, which `merge` takes as one more input.
        config: the generation whose contract they are written in; the default one if None.

    Raises:
        DataError: a file is missing or a line of it is not JSON.
    """
    contract = contract_for(config or GenerateConfig())
    alike = Alike(MergeConfig().near_duplicate)
    prompts: set[str] = set()
    records: list[dict[str, Any]] = []
    refused: list[str] = []
    for file in traces:
        if not file.is_file():
            raise DataError(f"{file}: no such file; write one with `punie trace export {file}`.")
        for number, trace in enumerate(read_jsonl(file), start=1):
            where = f"{file}:{number}"
            try:
                record = _candidate(trace, contract)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                refused.append(f"{where}: {error or type(error).__name__}")
                continue
            problems = shape_problems(record) or contract_problems(record, contract)
            if not problems and plain(record["prompt"]) in prompts:
                problems = ["the same prompt was harvested already"]
            if not problems and (
                other := alike.add(record["id"], [record["prompt"]], _codes(record))
            ):
                problems = [f"nearly the same as {other}"]
            if problems:
                refused.append(f"{where}: {problems[0]}")
                continue
            prompts.add(plain(record["prompt"]))
            records.append(record)
    write_jsonl(out, records)
    lines = [f"{len(records)} candidates written to {out}, {len(refused)} traces refused"]
    lines += [f"  {reason}" for reason in refused[:_SHOWN]]
    if len(refused) > _SHOWN:
        lines.append(f"  and {len(refused) - _SHOWN} more")
    return "\n".join(lines)


def _codes(record: Mapping[str, Any]) -> list[str]:
    return [run["code"] for run in record["trace"]]


def _candidate(trace: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """Return a trace's last turn as a record under a contract.

    Raises:
        ValueError: the turn cannot become an example; the message says why.
        AttributeError, KeyError, TypeError: it is no trace.
    """
    verdict = trace["outcome"]["verdict"]
    if verdict != "accepted":
        raise ValueError(f"the turn was {verdict}, not accepted")
    runs = [RunResult.from_json(item) for item in trace["runs"]]
    if not runs or not runs[-1].ok:
        raise ValueError("its last program did not end well")
    called = {call.name for run in runs for call in run.calls}
    if foreign := sorted(called - set(contract.tools)):
        raise ValueError(f"it calls {', '.join(foreign)}, which this contract does not have")
    turn = _last_turn(trace)
    replies = [
        contract.parse(message["content"]) for message in turn if message["role"] == "assistant"
    ]
    programs = [reply for reply in replies if reply.code is not None]
    if len(programs) != len(runs) or not replies or replies[-1].code is not None:
        raise ValueError("its messages and its programs do not belong together")
    messages = [
        {"role": "system", "content": contract.system_prompt},
        {"role": "user", "content": trace["prompt"]},
    ]
    for reply, run in zip(programs, runs, strict=True):
        assert reply.code is not None
        messages.append({"role": "assistant", "content": contract.format_call(reply.code)})
        messages.append({"role": "user", "content": contract.format_result(run)})
    messages.append({"role": "assistant", "content": replies[-1].text})
    return {
        "id": f"harvested-{trace['id']}",
        "category": "harvested",
        "intent": "harvested",
        "workspace": None,
        "files": {},
        "tools": list(contract.tools),
        "prompt": trace["prompt"],
        "messages": messages,
        "trace": trace["runs"],
        "source": f"trace of {trace['model']}",
        "licence": "private",
    }


def _last_turn(trace: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """The messages from the user's last own message on."""
    messages = trace["messages"]
    places = [
        place
        for place, message in enumerate(messages)
        if message["role"] == "user" and message["content"] == trace["prompt"]
    ]
    if not places:
        raise ValueError("its prompt is not among its messages")
    return messages[places[-1] :]
