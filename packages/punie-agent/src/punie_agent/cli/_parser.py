"""The command line as data: every command, option and example, without importing what they run."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["build_parser"]

_MODEL_HELP = (
    "a model made here, a folder with an mlx-lm model, the URL of an OpenAI-compatible server, a "
    "pydantic-ai name, or `test` (default: $PUNIE_MODEL, else the newest model made here, else test)"
)


class _Version(argparse.Action):
    """Reads the version only when it is asked for: start-up is what editors wait for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        print(f"punie {version('punie-agent')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The parser of `punie`."""
    parser = argparse.ArgumentParser(
        prog="punie",
        description="A coding agent for Python projects, on a model you own.",
        epilog='Try: punie ask "Check types in src/" --model test',
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _ask(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    module: str,
    text: str,
    examples: Iterable[str],
) -> argparse.ArgumentParser:
    lines = "\n".join(f"  {example}" for example in examples)
    parser = commands.add_parser(
        name,
        help=text[0].lower() + text[1:].removesuffix("."),
        description=text,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=name, module=module)
    return parser


def _ask(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "ask",
        "_ask",
        "Do one task in a project and print what came out.",
        [
            'punie ask "Check types in src/"',
            'punie ask "Fix the type errors in app.py" --yes --model smollm2-phase23',
            'punie ask "Read README.md" --model test --json',
        ],
    )
    parser.add_argument("prompt", help="what to do; - reads it from standard input")
    parser.add_argument("--model", help=_MODEL_HELP)
    parser.add_argument("--cwd", default=".", help="the project's folder (default: here)")
    parser.add_argument("--yes", action="store_true", help="allow every write and every command")
    parser.add_argument(
        "--plan", action="store_true", help="run on an overlay, show one diff, ask once"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object in place of text"
    )
    parser.add_argument(
        "--max-requests", type=int, default=20, metavar="N", help="model requests (default: 20)"
    )
