"""What the workflows may do: run pinned actions, and publish with no stored secret."""

from __future__ import annotations

import re

from support import ROOT

WORKFLOWS = {
    path.name: path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
}


def test_every_action_is_pinned_by_its_hash_with_the_version_beside_it() -> None:
    used = [
        line
        for text in WORKFLOWS.values()
        for line in re.findall(r"^\s*-? ?uses: (.*)$", text, re.MULTILINE)
    ]
    assert used
    pinned = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in used if not pinned.fullmatch(line)] == []


def test_one_action_has_one_hash_everywhere() -> None:
    found = re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", "\n".join(WORKFLOWS.values()))
    assert len(dict(found)) == len(set(found))


def test_workflows_may_only_read_and_no_secret_is_stored() -> None:
    for name, text in WORKFLOWS.items():
        assert "\npermissions:\n  contents: read\n" in text, name
        assert "secrets." not in text, name


def test_only_the_job_that_publishes_gets_an_identity_and_it_runs_nothing_of_ours() -> None:
    with_identity = [name for name, text in WORKFLOWS.items() if "id-token: write" in text]
    assert with_identity == ["release.yml"]
    build, publish = WORKFLOWS["release.yml"].split("\n  publish:\n")
    assert "id-token" not in build
    assert "environment: release" in publish
    assert "run:" not in publish
