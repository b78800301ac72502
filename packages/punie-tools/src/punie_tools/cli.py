"""The command line `punie-tools`: list, schema, run, parse.

Exit codes: 0 clean, 1 findings, 2 anything that is not an answer; 143 and 129 when SIGTERM or
SIGHUP ended it, its children with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from punie_tools._calls import arguments, name_of, result_schema, signature_text
from punie_tools._pretty import pretty, wants_colour
from punie_tools.columns import lines_below
from punie_tools.errors import MissingFileError, PluginError, ToolsError
from punie_tools.local import LocalHost
from punie_tools.parsers import PARSERS, Evidence
from punie_tools.plugins import load_plugins
from punie_tools.results import ToolResult
from punie_tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from punie_tools.host import Completed

__all__ = ["main"]

#: Tools whose columns become code points only with the text of the line.
COUNTS_DIFFERENTLY = {"mypy", "pyright", "basedpyright"}
CLEAN, FINDINGS, NO_ANSWER = 0, 1, 2
SIGNALLED = 128  # plus the signal's number, as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Everything behind `--` is the tool's; argparse would take the two dashes away.
    ours, tools = (
        (words[: words.index("--")], words[words.index("--") :]) if "--" in words else (words, [])
    )
    options = _parser().parse_args(ours)
    options.words = [*getattr(options, "words", []), *tools]
    try:
        code = options.run(options)
        sys.stdout.flush()
    except ToolsError as error:
        print(f"punie-tools: {error}", file=sys.stderr)
        return NO_ANSWER
    except BrokenPipeError:
        # The reader has gone (`| head`); nothing more can be told to it, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_ANSWER
    except Exception:  # noqa: BLE001 - Python's exit code for it is 1, which here means findings
        traceback.print_exc()
        return NO_ANSWER
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="punie-tools", description="Typed results of Python developer tools, as JSON."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listed = commands.add_parser("list", help="list the tools")
    listed.set_defaults(run=_list)
    schema = commands.add_parser("schema", help="print the JSON Schema of a tool's result")
    schema.add_argument("tool", metavar="TOOL")
    schema.set_defaults(run=_schema)
    run = commands.add_parser("run", help="run a tool and print its result")
    run.add_argument("--root", default=".", help="the workspace (default: the current directory)")
    run.add_argument("--timeout", type=float, default=600.0, help="seconds (default: 600)")
    run.add_argument("--pretty", action="store_true", help="for people, in colour")
    run.add_argument("tool", metavar="TOOL")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="ARGS")
    run.set_defaults(run=_run)
    parse = commands.add_parser("parse", help="parse a tool's output from standard input")
    parse.add_argument("tool", choices=sorted(PARSERS), metavar="TOOL")
    parse.add_argument("--exit-code", type=int, required=True, help="the tool's exit code")
    parse.add_argument("--stderr", type=Path, help="a file with its standard error")
    parse.add_argument(
        "--root",
        type=Path,
        help="make absolute paths relative to this directory, and count columns in the files of it "
        "(default: the current directory for mypy and pyright, whose columns need that)",
    )
    parse.add_argument("--tool-version", help="the tool's version")
    parse.add_argument("--pretty", action="store_true", help="for people, in colour")
    parse.set_defaults(run=_parse)
    return parser


class _Host(LocalHost):
    """This machine, which keeps how its last command ended: the text of a command does not say."""

    last: Completed | None = None

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - of the protocol
    ) -> Completed:
        """Run a command; see `LocalHost.run`."""
        self.last = await super().run(argv, cwd=cwd, env=env, timeout=timeout)
        return self.last


def _toolbox(host: LocalHost | None = None, timeout: float = 600.0) -> Toolbox:
    return Toolbox(host or LocalHost("."), timeout=timeout, plugins=load_plugins(_warn))


def _warn(error: PluginError) -> None:
    print(f"punie-tools: {error}", file=sys.stderr)


def _list(_options: argparse.Namespace) -> int:
    toolbox = _toolbox()
    functions = toolbox.functions()
    width = max(len(signature_text(each)) for each in functions)
    for each in functions:
        summary = (each.__doc__ or "").strip().partition("\n")[0]
        effect = toolbox.effects[name_of(each)]
        print(f"{signature_text(each):{width}}  {effect:7}  {summary}")
    return CLEAN


def _schema(options: argparse.Namespace) -> int:
    [function] = _toolbox().functions([options.tool])
    print(json.dumps(result_schema(function), indent=2, ensure_ascii=False))
    return CLEAN


def _run(options: argparse.Namespace) -> int:
    return asyncio.run(_until_ended(options))


async def _until_ended(options: argparse.Namespace) -> int:
    """Call the tool; when this process is told to end, end what the tool runs first."""
    loop, call = asyncio.get_running_loop(), asyncio.ensure_future(_call(options))
    told: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        if not told:  # a second signal must not disturb the clean-up
            call.cancel()
        told.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        # What is ignored (`nohup`) or somebody else's stays so.
        if signal.getsignal(number) is signal.SIG_DFL and _in_main_thread():
            loop.add_signal_handler(number, end, number)
    try:
        return await call
    except asyncio.CancelledError:
        if not told:
            raise
    print(f"punie-tools: ended by {told[0].name}", file=sys.stderr)
    return SIGNALLED + told[0]


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


async def _call(options: argparse.Namespace) -> int:
    host = _Host(options.root)
    toolbox = _toolbox(host, options.timeout)
    [function] = toolbox.functions([options.tool])
    words = list(options.words)
    end = words.index("--") if "--" in words else len(words)
    # Options of ours are accepted behind the tool's name too, where people put them.
    people = options.pretty or "--pretty" in words[:end]
    ours = [word for word in words[:end] if word != "--pretty"]
    given = arguments(function, [*ours, *words[end:]])
    code = _show(await function(**given), people=people)
    if options.tool == "run_command" and host.last is not None:
        # Which of a command's own exit codes mean findings is nobody's to know.
        well = host.last.exit_code == 0 and not host.last.timed_out
        return CLEAN if well else NO_ANSWER
    return code


def _parse(options: argparse.Namespace) -> int:
    if options.stderr and not options.stderr.is_file():
        raise MissingFileError(f"there is no file {options.stderr}")
    stderr = options.stderr.read_bytes() if options.stderr else b""
    counts = options.tool in COUNTS_DIFFERENTLY
    given = options.root or (Path() if counts else None)
    root = given.resolve() if given else None
    evidence = Evidence(root=root, tool_version=options.tool_version)
    parser: Any = PARSERS[options.tool]
    if root is not None and counts:
        parser = partial(parser, lines=lines_below(root))
    result = parser(sys.stdin.buffer.read(), stderr, options.exit_code, evidence)
    return _show(result, people=options.pretty)


def _show(result: Any, *, people: bool) -> int:
    if people:
        _print(pretty(result, colour=wants_colour(sys.stdout)))
    elif isinstance(result, BaseModel):
        _print(result.model_dump_json(indent=2))
    else:
        _print(json.dumps(result, ensure_ascii=False))
    if not isinstance(result, ToolResult) or result.status == "clean":
        return CLEAN
    return FINDINGS if result.status == "findings" else NO_ANSWER


def _print(text: str) -> None:
    """Print text, as UTF-8 where the locale cannot have it."""
    try:
        print(text)
    except UnicodeEncodeError:
        sys.stdout.buffer.write(f"{text}\n".encode())
