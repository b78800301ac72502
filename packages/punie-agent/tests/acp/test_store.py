"""Sessions on disk: whole after any interruption, readable by anybody, honest about damage."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie_agent.acp.store import (
    SessionBusyError,
    SessionDamagedError,
    SessionMissingError,
    SessionStore,
)
from punie_agent.errors import SessionError


@pytest.fixture
def store(tmp_path):
    return SessionStore(tmp_path)


def test_a_new_session_is_listed_and_opened_by_anybody(store, tmp_path):
    made = store.create("/project", additional_directories=["/lib"], mode="plan", model="m")
    made.change(title="A title", turns=3)
    [listed] = SessionStore(tmp_path).list().headers
    assert listed == made.header
    assert SessionStore(tmp_path).open(made.header.id).header == made.header


def test_records_come_back_in_order(store):
    session = store.create("/p")
    session.append([{"kind": "a", "n": 1}])
    session.append([{"kind": "b", "text": "ü\n\ud800"}, {"kind": "c"}])
    assert [r["kind"] for r in store.open(session.header.id).read()] == ["a", "b", "c"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.integers(0, 200))
def test_a_journal_cut_anywhere_loses_at_most_its_last_record(store, cut):
    session = store.create("/p")
    records = [{"kind": "r", "n": n} for n in range(5)]
    session.append(records)
    size = session.journal.stat().st_size
    os.truncate(session.journal, min(cut, size))
    survivor = store.open(session.header.id)
    kept = survivor.read()
    assert kept == records[: len(kept)]
    survivor.append([{"kind": "new"}])
    assert store.open(session.header.id).read() == [*kept, {"kind": "new"}]


def test_damage_in_the_middle_is_named_with_file_and_line(store):
    session = store.create("/p")
    session.append([{"kind": "a"}])
    with session.journal.open("ab") as journal:
        journal.write(b"garbage\n")
    session.append([{"kind": "b"}])
    with pytest.raises(SessionDamagedError, match=r"line 2 of .*journal\.jsonl"):
        store.open(session.header.id).read()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 1}', '{"version": 9, "id": "x"}', "null"]
)
def test_a_damaged_header_is_left_out_of_lists_and_named_on_opening(store, text):
    good = store.create("/p")
    bad = store.create("/p")
    (bad.folder / "session.json").write_text(text)
    assert [header.id for header in store.list().headers] == [good.header.id]
    with pytest.raises(SessionDamagedError, match=r"session\.json"):
        store.open(bad.header.id)


def test_a_list_of_hundreds_comes_in_pages_without_gap_or_repetition(store):
    made = {store.create("/p").header.id for _ in range(120)}
    seen, cursor = [], None
    while True:
        page = store.list(cursor=cursor, limit=50)
        seen += [header.id for header in page.headers]
        if (cursor := page.cursor) is None:
            break
    assert len(seen) == 120
    assert set(seen) == made


def test_one_turn_at_a_time_across_processes(store, tmp_path):
    session = store.create("/p")
    code = (
        "import sys; from pathlib import Path; from punie_agent.acp.store import *\n"
        f"s = SessionStore(Path({str(tmp_path)!r})).open({session.header.id!r})\n"
        "try:\n with s.turn(): print('got it')\nexcept SessionBusyError as e: print('busy')"
    )

    def elsewhere():
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    with session.turn():
        assert elsewhere() == "busy"
        with pytest.raises(SessionBusyError), store.open(session.header.id).turn():
            pass
        with pytest.raises(SessionBusyError):
            store.delete(session.header.id)
    assert elsewhere() == "got it"


def test_a_turn_knows_whether_another_process_has_written(store):
    mine = store.create("/p")
    theirs = store.open(mine.header.id)
    theirs.append([{"kind": "a"}])
    with mine.turn() as changed:
        assert changed
        mine.read()
    with mine.turn() as changed:
        assert not changed


def test_a_deleted_session_is_gone_also_for_those_who_had_it_open(store):
    session = store.create("/p")
    store.delete(session.header.id)
    with pytest.raises(SessionMissingError):
        store.open(session.header.id)
    with pytest.raises(SessionMissingError), session.turn():
        pass
    assert list(store.root.iterdir()) == []


def test_a_full_disk_leaves_whole_records_and_the_rest_for_the_next_try(tmp_path):
    code = f"""
import resource, signal
from pathlib import Path
from punie_agent.acp.store import SessionStore
store = SessionStore(Path({str(tmp_path)!r}))
session = store.create("/p")
session.append([{{"kind": "first"}}])
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
try:
    session.append([{{"kind": "big", "text": "x" * 5000}}])
except OSError as error:
    print(type(error).__name__, [r["kind"] for r in store.open(session.header.id).read()])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["OSError", "['first']"]


def test_what_could_not_be_written_is_written_by_the_next_append(store):
    session = store.create("/p")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="large"):
            session.append([{"kind": "big", "text": "x" * 500}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.open(session.header.id).read() == []
    assert [r["kind"] for r in session.read()] == ["big"]
    session.append([{"kind": "later"}])
    assert [r["kind"] for r in store.open(session.header.id).read()] == ["big", "later"]


def test_conversations_are_private_to_the_user(store):
    session = store.create("/p")
    session.append([{"kind": "a"}])
    assert session.folder.stat().st_mode & 0o077 == 0
    assert session.journal.stat().st_mode & 0o077 == 0
    assert json.loads((session.folder / "session.json").read_text())["cwd"] == "/p"


def test_a_turn_that_is_over_is_over_although_a_child_still_holds_a_copy_of_the_lock(store):
    session = store.create("/p")
    with session.turn():
        child = os.fork()
        if child == 0:  # as between fork and exec, when every descriptor is still there
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
        os.waitpid(child, os.WUNTRACED)
    try:
        with session.turn() as changed:
            assert changed is False
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_session_that_cannot_be_made_leaves_nothing(store):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(SessionError, match=r"cannot be stored in .*large"):
            store.create("/p")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(store.root.iterdir()) == []
