"""Reading model messages: the contract's own form, and what models write in its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.contract import ProseStream, Reply
from punie_agent.contract._parse import parse

TOOLS = ("typecheck", "read_file", "write_file", "run_command")
CHECK = 'print(typecheck("src/"))'


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Dependency injection means …", Reply("Dependency injection means …")),
        (f"Let me look.\n\n```python\n{CHECK}\n```", Reply("Let me look.", CHECK)),
        (f"```python\n{CHECK}\n```\nDone!", Reply("", CHECK)),
        (f"```py\n{CHECK}\n```", Reply("", CHECK)),
        (f"```Python\n{CHECK}\n```", Reply("", CHECK)),
        (f"  ```python\n  {CHECK}\n  ```", Reply("", CHECK)),
        (f"~~~python\n{CHECK}\n~~~", Reply("", CHECK)),
        (f"```python\n{CHECK}", Reply("", CHECK, cut=True)),
        (f"```\n{CHECK}\n```", Reply("", CHECK, form="bare fence")),
        (f"<think>Hm.</think>\n```python\n{CHECK}\n```", Reply("", CHECK, thought="Hm.")),
        (f"Hm.\n</think>\n```python\n{CHECK}\n```", Reply("", CHECK, thought="Hm.")),
        (f"```python\n{CHECK}\n```<|im_end|>", Reply("", CHECK)),
        (
            f"```python\n{CHECK}\n```\n```output\n3\n```\n```python\nprint(4)\n```",
            Reply("", CHECK, ignored=1),
        ),
        (
            'Write it.\n```python\nwrite_file("R.md", """\n```sh\nls\n```\n""")\n```',
            Reply("Write it.", 'write_file("R.md", """\n```sh\nls\n```\n""")'),
        ),
        (CHECK, Reply("", CHECK, form="bare code")),
        (f"`{CHECK}`", Reply("", CHECK, form="bare code")),
        (
            '{"name": "execute_code", "arguments": {"code": "print(1)"}}',
            Reply("", "print(1)", form="json"),
        ),
        (
            '<tool_call>\n{"name": "execute_code", "arguments": {"code": "print(1)"}}\n</tool_call>',
            Reply("", "print(1)", form="json"),
        ),
        (
            'Sure.\n<tool_call>{"name": "typecheck", "arguments": {"path": "src/"}',
            Reply("Sure.", "print(typecheck(path='src/'))", form="json", cut=True),
        ),
        (
            '```json\n{"name": "read_file", "arguments": "{\\"path\\": \\"a.py\\"}"}\n```',
            Reply("", "print(read_file(path='a.py'))", form="json"),
        ),
        (
            '[TOOL_CALLS][{"name": "read_file", "arguments": {"path": "a.py"}}]',
            Reply("", "print(read_file(path='a.py'))", form="json"),
        ),
        (
            '{"type": "function", "function": {"name": "read_file", "arguments": {"path": "a"}}}',
            Reply("", "print(read_file(path='a'))", form="json"),
        ),
        (
            "{'name': 'execute_code', 'arguments': {'code': 'print(1)',}}",
            Reply("", "print(1)", form="json"),
        ),
        (
            """I check.
<tool_call>
<function=execute_code>
<parameter=code>
print(1)
</parameter>
</function>
</tool_call>""",
            Reply("I check.", "print(1)", form="xml"),
        ),
        (
            "<function=typecheck><parameter=path>src/</parameter></function>",
            Reply("", "print(typecheck(path='src/'))", form="xml"),
        ),
        (
            "<function=execute_code>\n<parameter=code>\nprint(1)",
            Reply("", "print(1)", form="xml", cut=True),
        ),
    ],
)
def test_a_message_is_read_as_what_it_means(text: str, reply: Reply) -> None:
    assert parse(text, tools=TOOLS) == reply


@pytest.mark.parametrize(
    "text",
    [
        "For example:\n```python\nclass Shape(Protocol):\n    def area(self) -> float: ...\n```",
        "Used so:\n```python\nclass Dog:\n    def bark(self): ...\n\nDog().bark()\n```",
        "Install it:\n```sh\npip install punie\n```",
        'A config:\n```json\n{"name": "my-app", "version": "1.0"}\n```',
        "```\njust a quote\n```",
        '{"name": "unknown_tool", "arguments": {}}',
        "Use `typecheck` for that.",
        "",
        "```python\n```",
    ],
)
def test_an_example_inside_an_answer_is_not_run(text: str) -> None:
    assert parse(text, tools=TOOLS) == Reply(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        '```\nwrite_file("app.py", "x")\nprint("a")',
        '<tool_call>\n{"name": "write_file", "arguments": {"path": "app.py", "content": "x = {1: 2}',
        '[TOOL_CALLS][{"name": "write_file", "arguments": {"path": "app.py", "content": "x',
        '```json\n{"name": "write_file", "arguments": {"path": "app.py", "content": "x',
        "<tool_call>\n<function=execute_code>\n<parameter=code>\nprint(1)",
    ],
)
def test_a_call_that_is_never_closed_is_cut(text: str) -> None:
    assert parse(text, tools=TOOLS).cut


def test_a_whole_call_is_read_though_a_second_one_after_it_was_cut_off() -> None:
    call = '{"name": "execute_code", "arguments": {"code": "print(1)"}}'
    assert parse(f"{call}\n{call[:50]}", tools=TOOLS) == Reply("", "print(1)", form="json")


@given(st.text())
def test_a_call_in_json_is_cut_wherever_it_ends_before_its_end(code: str) -> None:
    arguments = {"name": "execute_code", "arguments": {"code": f"print(1)\n{code}"}}
    call = json.dumps(arguments, ensure_ascii=False)
    assert not parse(call, tools=TOOLS).cut
    begun = call.index("print(1)")
    assert all(parse(call[:end], tools=TOOLS).cut for end in range(begun, len(call) - 1))


@pytest.mark.parametrize(
    "code", ["2 ** 10", "print(2 ** 10)", "def f(n):\n    return n\nprint(f(2))", "n"]
)
def test_code_that_shows_something_is_run_even_without_a_tool(code: str) -> None:
    assert parse(f"```python\n{code}\n```", tools=TOOLS) == Reply("", code)


def test_broken_python_that_calls_a_tool_is_kept_so_that_its_author_hears_of_it() -> None:
    assert (
        parse("```python\nprint(typecheck('src/')\n```", tools=TOOLS).code
        == "print(typecheck('src/')"
    )


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    reply = parse(text, tools=TOOLS)
    assert reply.code is None or reply.code.strip()


_PIECES = st.sampled_from(
    [
        *(
            "```python\n",
            "```",
            "\n",
            " ",
            '"""',
            "src/",
            CHECK,
            "<think>",
            "</think>",
            "[TOOL_CALLS]",
        ),
        *("<tool_call>", "</tool_call>", "<function=typecheck>", "<parameter=path>"),
        *('{"name": "typecheck", "arguments": {', "}}"),
    ]
)


@given(st.lists(_PIECES, max_size=12))
def test_any_mixture_of_call_syntax_is_read_without_an_error(pieces: list[str]) -> None:
    reply = parse("".join(pieces), tools=TOOLS)
    assert reply.code is None or reply.code.strip()


@given(st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=12))
def test_streamed_prose_is_the_beginning_of_the_prose_that_is_read_in_the_end(
    pieces: list[str],
) -> None:
    stream = ProseStream(TOOLS)
    shown = "".join(stream.feed(piece) for piece in pieces)
    reply = parse("".join(pieces), tools=TOOLS)
    if reply.form in {"fenced", "xml"} and not reply.thought:
        whole = (shown + stream.finish(reply)).strip()
        assert whole == reply.text or not reply.text.startswith(shown.strip())


def test_prose_is_shown_as_it_arrives_and_code_never() -> None:
    stream = ProseStream(TOOLS)
    message = f"I will check the types of the project.\n\n```python\n{CHECK}\n```"
    given_out = [stream.feed(message[start : start + 7]) for start in range(0, len(message), 7)]
    given_out.append(stream.finish(parse(message, tools=TOOLS)))
    assert "".join(given_out) == "I will check the types of the project."
    assert sum(bool(piece) for piece in given_out) > 2


def test_an_example_block_is_shown_when_the_answer_is_complete() -> None:
    stream = ProseStream(TOOLS)
    message = "A class, for example:\n\n```python\nclass A:\n    x: int = 1\n```\nThat is all."
    shown = "".join(stream.feed(letter) for letter in message)
    assert shown + stream.finish(parse(message, tools=TOOLS)) == message
