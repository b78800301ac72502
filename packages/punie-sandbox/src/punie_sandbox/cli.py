"""The command `punie-sandbox`: check and run a snippet, print stubs.

Host functions come from a Python file or module: its `functions` (an `ExternalFunctions`, or a function
that returns one), or else every public function it defines, with effects from its `EFFECTS`. Its `preview`,
if there is one, makes `run --plan` possible; without it a plan needs functions `read_file` and
`write_file`.

Exit status: 0 when the code ran or the check found nothing, 1 when not, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._json import encode_any
from punie_sandbox._sandbox import Sandbox
from punie_sandbox.errors import SandboxError
from punie_sandbox.limits import Limits
from punie_sandbox.preview import Plan, Preview
from punie_sandbox.records import Diagnostic, RunResult

__all__ = ["main"]


class _UsageError(SandboxError):
    """The command line asks for something that is not there."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(arguments.command(arguments))
    except SandboxError as error:
        print(f"punie-sandbox: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="punie-sandbox", description="Run Python in a sandbox, with host functions."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="type-check a snippet; nothing runs")
    check.set_defaults(command=_check)
    run = commands.add_parser("run", help="check a snippet and run it")
    run.set_defaults(command=_run)
    stubs = commands.add_parser("stubs", help="print the stubs the model is shown")
    stubs.set_defaults(command=_stubs)
    for command in (check, run):
        command.add_argument("file", help="the snippet; - is standard input")
        command.add_argument("--json", action="store_true", help="print JSON")
    for command in (check, run, stubs):
        command.add_argument(
            "--functions", metavar="MODULE_OR_FILE", help="where the host functions are"
        )
    run.add_argument(
        "--max-seconds", type=float, metavar="S", help="time for computing, host calls excluded"
    )
    run.add_argument(
        "--plan",
        action="store_true",
        help="run on an overlay and print the diff; nothing is written",
    )
    return parser


async def _check(arguments: argparse.Namespace) -> int:
    functions, _ = _load(arguments.functions)
    async with Sandbox(functions) as sandbox:
        diagnostics = await sandbox.check(_read(arguments.file))
    if arguments.json:
        print(json.dumps([_as_data(diagnostic) for diagnostic in diagnostics], indent=2))
    else:
        _print_diagnostics(arguments.file, diagnostics)
    return 1 if diagnostics else 0


async def _run(arguments: argparse.Namespace) -> int:
    functions, preview = _load(arguments.functions)
    limits = Limits()
    if arguments.max_seconds is not None:
        if arguments.max_seconds <= 0:
            raise _UsageError("--max-seconds must be positive")
        limits = replace(limits, seconds=arguments.max_seconds)
    code = _read(arguments.file)
    async with Sandbox(functions, limits=limits, preview=preview) as sandbox:
        if arguments.plan:
            plan = await sandbox.plan(code)
            _print_plan(arguments, plan)
            return 0 if plan.result.ok else 1
        result = await sandbox.run(code)
    if arguments.json:
        print(json.dumps(result.to_json(), indent=2))
    else:
        _print_result(arguments.file, result)
    return 0 if result.ok else 1


async def _stubs(arguments: argparse.Namespace) -> int:
    functions, _ = _load(arguments.functions)
    print(functions.stubs(), end="")
    return 0


def _read(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _UsageError(f"{name} cannot be read: {error}") from error


def _load(name: str | None) -> tuple[ExternalFunctions, Preview | None]:
    if name is None:
        return ExternalFunctions([]), None
    module = _import(name)
    functions = getattr(module, "functions", None)
    if callable(functions) and not isinstance(functions, ExternalFunctions):
        functions = functions()
    if functions is None:
        functions = ExternalFunctions(_public(module), getattr(module, "EFFECTS", {}))
    if not isinstance(functions, ExternalFunctions):
        raise _UsageError(f"`functions` of {name} is no ExternalFunctions")
    preview = getattr(module, "preview", None)
    if preview is None and {"read_file", "write_file"} <= set(functions.names):
        preview = Preview.by_name(functions, read="read_file", write="write_file")
    return functions, preview


def _import(name: str) -> ModuleType:
    path = Path(name)
    try:
        if path.suffix != ".py":
            sys.path.insert(0, str(Path.cwd()))
            return importlib.import_module(name)
        own_name = f"punie_functions_{path.stem}"  # whatever it is called, it hides no module
        spec = importlib.util.spec_from_file_location(own_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[own_name] = module  # so that annotations of its classes can be resolved
        sys.path.insert(0, str(path.resolve().parent))
        spec.loader.exec_module(module)
    except Exception as error:
        raise _UsageError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _public(module: ModuleType) -> list[Any]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "line": diagnostic.line,
        "column": diagnostic.column,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    }


def _print_diagnostics(file: str, diagnostics: Sequence[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        print(f"{file}:{diagnostic}")


def _print_result(file: str, result: RunResult) -> None:
    print(result.stdout, end="")
    _print_diagnostics(file, result.diagnostics)
    if result.value is not None:
        print(_shown(result.value))
    if result.error is not None:
        print(result.error, file=sys.stderr)


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # an integer of thousands of digits, somewhere inside
        return json.dumps(encode_any(value))


def _print_plan(arguments: argparse.Namespace, plan: Plan) -> None:
    if arguments.json:
        changes = [{"path": c.path, "before": c.before, "after": c.after} for c in plan.changes]
        print(
            json.dumps(
                {"result": plan.result.to_json(), "diff": plan.diff, "changes": changes}, indent=2
            )
        )
        return
    print(plan.diff, end="")
    _print_diagnostics(arguments.file, plan.result.diagnostics)
    if plan.result.error is not None:
        print(plan.result.error, file=sys.stderr)
