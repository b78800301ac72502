"""The contract: what a model is shown, pinned by goldens, and rebuilt from JSON."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from punie_agent.contract import Contract, standard_functions
from punie_agent.contract._compact import compacted
from punie_agent.contract._stream import ProseStream
from punie_agent.errors import ContractError
from punie_sandbox import (
    CallRecord,
    Diagnostic,
    ExternalFunctions,
    RunError,
    RunResult,
    Sandbox,
    Status,
)
from punie_tools import LocalHost, Toolbox, TypeCheckResult

TOOLS = ["typecheck", "read_file", "write_file", "run_command"]
Golden = Callable[[str, str], None]


def make(folder: Path, **choices: object) -> Contract:
    return Contract(standard_functions(Toolbox(LocalHost(folder)), TOOLS), **choices)  # ty: ignore


def tokens(text: str) -> int:
    """An upper bound for common tokenizers: words, digits and signs one each, long words in two."""
    return sum(1 + (len(piece) > 9) for piece in re.findall(r"[A-Za-z]+|\d|[^\sA-Za-z\d]", text))


def test_the_brief_prompt_is_pinned_by_a_golden(project: Path, golden: Golden) -> None:
    golden("brief.txt", make(project, style="brief").system_prompt)


def test_the_full_prompt_is_pinned_by_a_golden(project: Path, golden: Golden) -> None:
    golden("full.txt", make(project).system_prompt)


def test_the_digests_of_all_forms_are_pinned_by_a_golden(project: Path, golden: Golden) -> None:
    lines = [
        f"{style} {form} {make(project, style=style, call_format=form).digest()}\n"
        for style in ("full", "brief")
        for form in ("fenced", "xml", "native")
    ]
    assert len(set(lines)) == 6
    golden("digests.txt", "".join(lines))


def test_the_brief_prompt_of_four_tools_stays_under_130_tokens(project: Path) -> None:
    # 115 with the SmolLM2 tokenizer; this count of words and signs is well above it.
    assert tokens(make(project, style="brief").system_prompt) < 175


def test_the_full_prompt_of_the_whole_toolbox_stays_under_2500_tokens(project: Path) -> None:
    whole = Contract(standard_functions(Toolbox(LocalHost(project))))
    assert len(whole.system_prompt) < 2_500 * 4


def test_the_prompt_depends_neither_on_the_workspace_nor_on_the_time(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    assert make(folders[0]).system_prompt == make(folders[1]).system_prompt
    assert make(folders[0]).digest() == make(folders[1]).digest()


def test_a_contract_is_rebuilt_from_its_json(project: Path) -> None:
    original = make(project, style="brief", call_format="xml")
    rebuilt = Contract.from_json(original.to_json(), Toolbox(LocalHost(project)))
    assert rebuilt.digest() == original.digest()
    assert rebuilt.tools == tuple(TOOLS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "a contract is a JSON object, not list"),
        ({}, "version None"),
        ({"version": 99, "tools": []}, "version 99"),
        ({"version": 1, "tools": "typecheck"}, "a list of function names"),
        ({"version": 1, "tools": ["fly"]}, "there is no tool 'fly'"),
        ({"version": 1, "tools": ["typecheck"], "style": "loud"}, "no contract style 'loud'"),
        ({"version": 1, "tools": ["typecheck"], "call_format": "smoke"}, "no call format 'smoke'"),
    ],
)
def test_damaged_contract_data_is_refused_with_the_reason(
    project: Path, data: object, said: str
) -> None:
    with pytest.raises(ContractError, match=re.escape(said)):
        Contract.from_json(data, Toolbox(LocalHost(project)))


@pytest.mark.parametrize("call_format", ["fenced", "xml", "native"])
@pytest.mark.parametrize(
    "code",
    [
        'print(typecheck("src/"))',
        'text = """\n```python\nx = 1\n```\n"""\nwrite_file("README.md", text)',
        "for i in range(3):\n    print(i)",
        "print(1 < 2 and '</parameter>' or '```')",
    ],
)
def test_a_call_is_parsed_back_as_it_was_formatted(
    project: Path, call_format: str, code: str
) -> None:
    contract = make(project, call_format=call_format)
    reply = contract.parse(f"I will look.\n\n{contract.format_call(code)}")
    assert (reply.text, reply.code) == ("I will look.", code)


def result(**values: object) -> RunResult:
    return RunResult(**{"status": Status.OK, "code": "", **values})  # ty: ignore


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (result(stdout="2 errors\n"), "```output\n2 errors\n```"),
        (result(), "```output\n(nothing printed)\n```"),
        (result(value=3), "```output\n3\n```"),
        (result(stdout="a\n", value="b"), "```output\na\n'b'\n```"),
        (result(stdout="```python\n```\n"), "````output\n```python\n```\n````"),
        (
            result(status=Status.ERROR, stdout="before\n", error=RunError("KeyError", "'x'", 2)),
            "```output\nbefore\n```\nError: KeyError: 'x' (line 2)",
        ),
        (
            result(
                status=Status.CHECK_FAILED,
                diagnostics=(Diagnostic(1, 2, "unresolved-attribute", "no `foo`", "use `errors`"),),
            ),
            "Not run, the code has errors:\nline 1: no `foo` (use `errors`)",
        ),
        (
            result(
                status=Status.TIME_LIMIT,
                state="lost",
                error=RunError("time_limit", "ran longer than 10 s"),
            ),
            "Stopped (time limit): ran longer than 10 s\nThe variables are lost.",
        ),
    ],
)
def test_a_run_is_told_in_one_fixed_form(contract: Contract, run: RunResult, told: str) -> None:
    assert contract.format_result(run) == told


def test_long_output_is_cut_in_the_middle_and_says_so(project: Path) -> None:
    brief = make(project, style="brief")
    told = brief.format_result(result(stdout="a" * 10_000 + "b" * 10_000))
    assert "[cut: 17000 of 20000 characters]" in told
    assert told.startswith("```output\naaa")
    assert told.endswith("bbb\n```")


def test_more_than_five_diagnostics_are_counted(contract: Contract) -> None:
    many = tuple(Diagnostic(line, 1, "rule", f"problem {line}") for line in range(1, 9))
    told = contract.format_result(result(status=Status.CHECK_FAILED, diagnostics=many))
    assert told.splitlines()[-2:] == ["line 5: problem 5", "and 3 more"]


async def test_the_hidden_evidence_of_a_result_is_not_readable_from_code(
    contract: Contract,
) -> None:
    async with Sandbox(contract.functions) as sandbox:
        run = await sandbox.run('print(typecheck("app.py").run.argv)')
    assert run.status is Status.CHECK_FAILED


async def test_a_real_type_check_reaches_the_code_with_its_fields(contract: Contract) -> None:
    async with Sandbox(contract.functions) as sandbox:
        run = await sandbox.run('r = typecheck("app.py")\nprint(r.error_count, r.errors[0].line)')
    assert run.stdout == "1 1\n"
    assert [type(call) for call in run.calls] == [CallRecord]


def tool_named(name: str) -> Callable[..., object]:
    def tool(path: str, depth: int = 1) -> TypeCheckResult:
        """Do one of many things."""
        raise AssertionError(path, depth)

    tool.__name__ = name
    return tool


async def test_a_grown_toolbox_shows_the_rest_in_one_line_each_and_describes_it_on_demand(
    project: Path,
) -> None:
    standard = standard_functions(Toolbox(LocalHost(project)))
    grown = ExternalFunctions(
        [*(each.call for each in standard), *(tool_named(f"tool_number_{n}") for n in range(60))],
        effects=standard.effects,
        hide=standard.hide,
    )
    contract = Contract(grown)
    assert len(contract.system_prompt) < 2_500 * 4
    assert "def typecheck(path: str) -> TypeCheckResult" in contract.system_prompt
    assert "# tool_number_59(path, depth=1)" in contract.system_prompt
    assert "def tool_number_59" not in contract.system_prompt
    async with Sandbox(contract.functions) as sandbox:
        run = await sandbox.run('print(describe("tool_number_59"))')
    assert "def tool_number_59(path: str, depth: int = 1) -> TypeCheckResult" in run.stdout
    assert "class TypeCheckError:" in run.stdout
    assert "describe" not in contract.to_json()["tools"]


def test_the_shown_stubs_declare_what_the_checker_sees(project: Path) -> None:
    functions = standard_functions(Toolbox(LocalHost(project)))
    shown, checked = (declared(text) for text in (compacted(functions.stubs()), functions.stubs()))
    assert shown == checked


def declared(stubs: str) -> dict[str, object]:
    """Fields and signatures by name, with named Literals put back in their places."""
    module = ast.parse(stubs)
    aliases = {
        ast.unparse(node.targets[0]): ast.unparse(node.value)
        for node in module.body
        if isinstance(node, ast.Assign)
    }
    found: dict[str, object] = {}
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            found[node.name] = [
                (
                    ast.unparse(each.target),
                    aliases.get(ast.unparse(each.annotation), ast.unparse(each.annotation)),
                )
                for each in fields
            ]
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = (
                ast.unparse(node.args),
                ast.unparse(node.returns) if node.returns else "",
            )
    return found


def test_an_answer_after_reasoning_without_an_opening_tag_is_shown(contract: Contract) -> None:
    stream, text = ProseStream(contract.tools), "Let me think.</think>\n\nIt is 42."
    shown = "".join(stream.feed(text[at : at + 4]) for at in range(0, len(text), 4))
    assert shown + stream.finish(contract.parse(text)) == "Let me think.\n\nIt is 42."
