"""What the evaluation's tests share: the checklist suite, and one query played by a script."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from punie_agent.testing import ScriptedModel
from punie_train.evaluation.arena import Arena
from punie_train.evaluation.play import LoadedSuite, open_suite, play_query, with_model
from punie_train.evaluation.scores import QueryScore, queries_by_id

DATA = Path(__file__).parent / "data"

Play = Callable[..., Awaitable[QueryScore]]


@pytest.fixture(scope="session")
def checklist() -> LoadedSuite:
    return open_suite(DATA / "suites/phase23.toml")


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of workspaces; kept as one JSON file so that no tool takes them for this package's code."""
    folder = tmp_path_factory.mktemp("workspaces")
    for name, text in json.loads((DATA / "workspaces.json").read_text(encoding="utf-8")).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_moe: Path) -> Path:
    """The folder of a two-layer model with random weights."""
    return tiny_moe


@pytest.fixture
def arena(checklist: LoadedSuite, workspaces: Path, tmp_path: Path) -> Arena:
    return Arena(checklist.suite, workspaces, tmp_path)


@pytest.fixture
def play(checklist: LoadedSuite, arena: Arena) -> Play:
    """Play one query of the checklist; each reply is code (starts with a newline) or prose."""
    queries = queries_by_id(checklist.suite)
    contract = arena.contract()

    async def played(query: str, *replies: str) -> QueryScore:
        script = [contract.format_call(r) if r.startswith("\n") else r for r in replies]
        model = ScriptedModel(script)
        return await play_query(checklist, arena, queries[query], with_model(arena, model))

    return played
