"""Traces: off by default, redacted, and ready for training."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent import traces
from punie_agent._redact import redacted
from punie_agent.cli import main
from punie_agent.errors import TraceError
from punie_agent.loop import run_turn
from punie_agent.models import Message, ModelReply
from punie_agent.permissions import Mode
from punie_agent.testing import ScriptedModel
from punie_agent.workbench import open_workbench
from punie_sandbox import RunResult


async def turn(project: Path, *script: str | ModelReply, mode: Mode = "auto") -> Path | None:
    model = ScriptedModel(script)
    async with open_workbench(project, model, mode=mode) as bench:
        result = await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=[Message("user", "Read it, my key is sk-abcdefghijklmnop1234")],
            permissions=bench.permissions,
        )
    return traces.record(result, model="scripted", contract=bench.contract, project=project)


READ = '```python\nprint(read_file("app.py"))\n```'


async def test_nothing_is_stored_until_it_is_switched_on(project: Path) -> None:
    assert await turn(project, READ, "Read.") is None
    assert list(traces.stored()) == []


async def test_a_turn_is_stored_with_its_conversation_runs_and_outcome(project: Path) -> None:
    traces.enable()
    assert await turn(project, READ, "Read.") is not None
    (trace,) = traces.stored()
    assert trace.data["prompt"] == "Read it, my key is [redacted]"
    assert trace.data["outcome"] == {
        "verdict": "accepted",
        "stop_reason": "end_turn",
        "denied_calls": 0,
        "tests_passed_after": None,
    }
    assert [message["role"] for message in trace.data["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert RunResult.from_json(trace.data["runs"][0]).stdout == 'count: int = "three"\n\n'
    assert traces.read(trace.id) == trace


async def test_a_denied_call_makes_the_turn_rejected(project: Path) -> None:
    traces.enable()
    await turn(project, '```python\nwrite_file("a", "b")\n```', "No.", mode="ask")
    assert [trace.verdict for trace in traces.stored()] == ["rejected"]


async def test_a_failing_last_run_makes_the_turn_failed(project: Path) -> None:
    traces.enable()
    await turn(project, "```python\nprint(1 / 0)\n```", "It failed.")
    assert [trace.verdict for trace in traces.stored()] == ["failed"]


async def test_a_turn_whose_last_code_was_cut_off_failed(project: Path) -> None:
    traces.enable()
    cut = ModelReply("```python\nprint(typecheck(", finish="length")
    await turn(project, READ, cut, "There are no errors.")
    (trace,) = traces.stored()
    assert trace.verdict == "failed"


async def test_a_turn_without_code_is_not_stored(project: Path) -> None:
    traces.enable()
    assert await turn(project, "Just so.") is None


async def test_switching_off_keeps_what_is_stored(project: Path) -> None:
    traces.enable()
    await turn(project, READ, "Read.")
    traces.disable()
    assert await turn(project, READ, "Read.") is None
    assert len(list(traces.stored())) == 1


async def test_a_trace_that_cannot_be_written_is_only_a_warning(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    traces.enable()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))  # as on a disk that is full
    try:
        stored = await turn(project, READ, "Read.")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert stored is None
    assert "the trace was not stored" in caplog.text
    assert list(traces.stored()) == []


def test_damaged_traces_are_left_out_and_named(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    traces.enable()
    (data_dir / "traces" / "bad.json").write_text("{")
    (data_dir / "traces" / "old.json").write_text('{"version": 0}')
    assert list(traces.stored()) == []
    assert "bad.json cannot be read" in caplog.text
    assert "old.json is not a trace of version 1" in caplog.text
    with pytest.raises(TraceError, match="there is no trace 'nope'"):
        traces.read("nope")


async def test_export_writes_the_chosen_ones_as_json_lines(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traces.enable()
    await turn(project, READ, "Read.")
    await turn(project, "```python\nprint(1 / 0)\n```", "It failed.")
    out = tmp_path / "out.jsonl"
    assert main(["trace", "export", str(out)]) == 0
    (line,) = out.read_text().splitlines()
    assert json.loads(line)["outcome"]["verdict"] == "accepted"
    assert main(["trace", "export", "-", "--outcome", "all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


REDACTABLE = [
    "password",
    "_TOKEN",
    "--",
    "=",
    ": ",
    '"',
    "'",
    "\\",
    "a1",
    "hunter22",
    " ",
    "sk-",
    "@",
]


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrstuvwx1234",
        "glpat-abcdefghijklmnopqrst",
        "xoxb-1234567890-abcdef",
        "hf_abcdefghijklmnopqrstuvwx",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJI.eyJzdWIiOiIx.abc",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_well_known_keys_are_redacted(secret: str) -> None:
    assert redacted({"a": [f"x {secret} y"]}) == {"a": ["x [redacted] y"]}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [redacted]"),
        ("postgres://me:hunter22@db/x", "postgres://me:[redacted]@db/x"),
        ('DB_PASSWORD = "hunter22"', 'DB_PASSWORD = "[redacted]"'),
        ("api_key: abcdef123", "api_key: [redacted]"),
        ("GITHUB_TOKEN=hunter22", "GITHUB_TOKEN=[redacted]"),
        ("export DEPLOY_KEY='hunter22' x", "export DEPLOY_KEY='[redacted]' x"),
        ("env: GITHUB_TOKEN=hunter22", "env: GITHUB_TOKEN=[redacted]"),
        ("PRIVATE-TOKEN: hunter22", "PRIVATE-TOKEN: [redacted]"),
        ("deploy_key: a1b2c3d4e5", "deploy_key: [redacted]"),
        ("up --token a1b2c3d4e5 x", "up --token [redacted] x"),
        ("up --github-token=a1b2c3d4e5", "up --github-token=[redacted]"),
        ("up --db-password hunter --yes", "up --db-password [redacted] --yes"),
        ('["up", "--password", "hunter22"]', '["up", "--password", "[redacted]"]'),
        (r'{"a": "{\"password\": \"hunter22\"}"}', r'{"a": "{\"password\": \"[redacted]\"}"}'),
        (r'{"secret": "hun\"ter22", "b": 1}', '{"secret": "[redacted]", "b": 1}'),
        (r'{"a": "API_KEY=hunter22"}', r'{"a": "API_KEY=[redacted]"}'),
        ("secretary = Ann", "secretary = Ann"),
        ("def token(self): return 1", "def token(self): return 1"),
    ],
)
def test_values_that_are_named_secret_are_redacted_and_code_is_not(text: str, kept: str) -> None:
    assert redacted(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "token_count = 5",
        "max_tokens: 400",
        "sorted(names, key=lambda x: x)",
        "sorted(names, sort_key=lambda name: name)",
        "def log_in(password: str, otp: Optional[str]) -> None: ...",
        "password: Optional[str] = None",
        'password = os.environ["PASSWORD"]',
        "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        "next_token = self.tokens2.next_one",
        "left_key = node1_key",
        'cache_key = "all the users"',
        'EOS_TOKEN = "<|endoftext|>"',
        "sort --key 2 --sort-key name",
        "a basic understanding of the bearer authentication",
    ],
)
def test_code_and_prose_that_hold_no_secret_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


PREFIXES = st.from_regex(r"[A-Z][A-Z0-9]{0,9}(_[A-Z0-9]{1,9}){0,2}", fullmatch=True)
SECRETS = st.from_regex(r"[a-z]{3}[0-9]{3}[A-Za-z0-9+/_.-]{4,40}[A-Z]", fullmatch=True)


@given(
    prefix=PREFIXES,
    word=st.sampled_from(["TOKEN", "KEY", "SECRET", "PASSWORD"]),
    form=st.sampled_from(["{}={}", "export {}={}", "{}: {}", "{} = '{}'", 'x(--a, {}="{}")']),
    secret=SECRETS,
)
def test_what_a_variable_of_the_environment_holds_is_never_stored(
    prefix: str, word: str, form: str, secret: str
) -> None:
    name = f"{prefix}_{word}"
    assert redacted(form.format(name, secret)) == form.format(name, "[redacted]")


@given(
    name=st.sampled_from(["password", "github_token", "API_KEY", "client-secret"]),
    secret=SECRETS,
    depth=st.integers(0, 4),
)
def test_a_secret_is_found_in_json_however_deep_it_lies_in_strings(
    name: str, secret: str, depth: int
) -> None:
    def wrapped(value: str) -> str:
        text = json.dumps({name: value, "path": "a.py"})
        for _ in range(depth):
            text = json.dumps({"arguments": text})
        return text

    assert redacted(wrapped(secret)) == wrapped("[redacted]")


@pytest.mark.parametrize("piece", ["a-", "a.b", "password", "password=", "sk-", "x://y:", "eyJ-"])
def test_a_long_text_is_redacted_though_it_looks_like_the_start_of_a_secret_everywhere(
    piece: str,
) -> None:
    # Patterns that look back and forth would need minutes for this one.
    assert redacted(redacted(piece * 30_000)) == redacted(piece * 30_000)


@given(st.text() | st.lists(st.sampled_from(REDACTABLE)).map("".join))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


async def test_the_prompt_of_a_trace_is_the_users_though_the_model_was_asked_again(
    project: Path,
) -> None:
    traces.enable()
    path = await turn(project, READ, "", "Read.")
    assert path is not None
    assert traces.read(path.stem).data["prompt"] == "Read it, my key is [redacted]"


@pytest.mark.parametrize("secret", ["abcdefgh12345", 'abc"defgh\\12345'])
@pytest.mark.parametrize("name", ["api_key", "password", "GITHUB_TOKEN", "deploy_key"])
def test_a_value_under_a_telling_name_is_redacted(name: str, secret: str) -> None:
    given = {name: secret, "args": [{name: secret, "path": "a.py"}]}
    kept = {name: "[redacted]", "args": [{name: "[redacted]", "path": "a.py"}]}
    assert redacted(given) == kept
