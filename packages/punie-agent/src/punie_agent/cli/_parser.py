"""The command line as data: every command, option and example, without importing what they run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["build_parser"]

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - has no other name

_MODEL_HELP = (
    "a model made here, a folder with an mlx-lm model, the URL of an OpenAI-compatible server, a "
    "pydantic-ai name, or `test` (default: $PUNIE_MODEL, else the newest model made here, else test)"
)
_EXIT_CODES = """\
exit codes:
  0  done              1  the task ended without an answer, or a check found a problem
  2  wrong usage or configuration        3  the model cannot be used
  130  interrupted"""


class _Version(argparse.Action):
    """Reads the version only when it is asked for: start-up is what editors wait for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        print(f"punie {version('punie-agent')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The parser of `punie`."""
    parser = argparse.ArgumentParser(
        prog="punie",
        description="A coding agent for Python projects, on a model you own.",
        epilog=f'Try: punie ask "Check types in src/" --model test\n\n{_EXIT_CODES}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        _ask,
        _chat,
        _acp,
        _serve,
        _init,
        _doctor,
        _models,
        _serve_model,
        _sessions,
        _trace,
        _contract,
    ):
        add(commands)
    _completion(commands)
    return parser


def _command(
    commands: _Commands, name: str, text: str, *examples: str, module: str = ""
) -> argparse.ArgumentParser:
    lines = "\n".join(f"  {example}" for example in examples)
    parser = commands.add_parser(
        name,
        help=text[0].lower() + text[1:].removesuffix("."),
        description=text,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=name, module=module or f"_{name.replace('-', '_')}")
    return parser


def _model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help=_MODEL_HELP)


def _task_options(parser: argparse.ArgumentParser) -> None:
    _model_option(parser)
    parser.add_argument("--cwd", default=".", help="the project's folder (default: here)")
    parser.add_argument("--yes", action="store_true", help="allow every write and every command")
    parser.add_argument(
        "--plan", action="store_true", help="run on an overlay, show one diff, ask once"
    )
    parser.add_argument(
        "--no-constrain",
        dest="constrain",
        action="store_false",
        help="let a model made here write any path and any field (others always may)",
    )
    parser.add_argument(
        "--no-rehearse",
        dest="rehearse",
        action="store_false",
        help="make the first edit that a model made here thinks of, and try none on a copy before",
    )
    parser.add_argument(
        "--max-requests",
        type=_positive,
        default=20,
        metavar="N",
        help="model requests a turn (default: 20)",
    )


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return number


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return number


def _ask(commands: _Commands) -> None:
    parser = _command(
        commands,
        "ask",
        "Do one task in a project and print what came out.",
        'punie ask "Check types in src/"',
        'punie ask "Fix the type errors in app.py" --plan --model smollm2-phase23',
        'punie ask "Read README.md" --model test --json',
    )
    parser.add_argument("prompt", help="what to do; - reads it from standard input")
    _task_options(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object in place of text"
    )


def _chat(commands: _Commands) -> None:
    parser = _command(
        commands,
        "chat",
        "Talk with the agent about a project, turn by turn.",
        "punie chat",
        "punie chat --model http://localhost:1234/v1#qwen3",
    )
    _task_options(parser)


def _acp(commands: _Commands) -> None:
    parser = _command(
        commands,
        "acp",
        "Serve an editor over the Agent Client Protocol on standard input and output.",
        "punie acp",
        "punie acp --model smollm2-phase23",
    )
    _model_option(parser)


def _serve(commands: _Commands) -> None:
    parser = _command(
        commands,
        "serve",
        "Serve editors over WebSocket on this machine, with a token.",
        "punie serve",
        "punie serve --port 8765 --model smollm2-phase23",
    )
    _model_option(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=_port, default=0, help="port (default: a free one)")


def _init(commands: _Commands) -> None:
    parser = _command(
        commands,
        "init",
        "Register Punie with an editor: merged into its settings, shown as a diff first.",
        "punie init zed",
        "punie init jetbrains --yes",
        "punie init neovim --dry-run",
    )
    parser.add_argument("editor", choices=["zed", "jetbrains", "neovim"])
    _model_option(parser)
    parser.add_argument("--file", help="the settings file (default: the editor's usual one)")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--dry-run", action="store_true", help="show the diff and write nothing")


def _doctor(commands: _Commands) -> None:
    parser = _command(
        commands,
        "doctor",
        "Check that everything Punie needs is there and works.",
        "punie doctor",
        "punie doctor --json",
    )
    parser.add_argument("--cwd", default=".", help="the project's folder (default: here)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")


def _models(commands: _Commands) -> None:
    parser = _command(
        commands,
        "models",
        "List the models that can be used by name here.",
        "punie models",
        "punie models --verify",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    parser.add_argument(
        "--verify", action="store_true", help="compare every model's files with its digest"
    )


def _serve_model(commands: _Commands) -> None:
    parser = _command(
        commands,
        "serve-model",
        "Serve a local model on an OpenAI-compatible URL until Ctrl-C.",
        "punie serve-model smollm2-phase23",
        "punie serve-model ./my-model --port 8080",
    )
    parser.add_argument("name", help="a model made here, or a folder with an mlx-lm model")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=_port, default=0, help="port (default: a free one)")


def _sessions(commands: _Commands) -> None:
    parser = _command(
        commands,
        "sessions",
        "List, show or delete the conversations that editors had with Punie.",
        "punie sessions",
        "punie sessions show 3f2a…",
        "punie sessions delete 3f2a…",
    )
    parser.add_argument("action", nargs="?", default="list", choices=["list", "show", "delete"])
    parser.add_argument("session", nargs="?", help="the session's id")
    parser.add_argument("--json", action="store_true", help="print JSON in place of text")


def _trace(commands: _Commands) -> None:
    parser = _command(
        commands,
        "trace",
        "Keep what the agent did, on this machine only, and make training data of it.",
        "punie trace on",
        "punie trace show",
        "punie trace export accepted.jsonl --outcome accepted",
    )
    parser.add_argument("action", choices=["on", "off", "show", "export"])
    parser.add_argument(
        "target", nargs="?", help="show: a trace's id; export: the file to write, - for output"
    )
    parser.add_argument(
        "--outcome",
        choices=["accepted", "rejected", "failed", "all"],
        default="accepted",
        help="which traces to export (default: accepted)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of text")


def _contract(commands: _Commands) -> None:
    parser = _command(
        commands,
        "contract",
        "Print what a model is told: the system prompt, its digest, the stubs.",
        "punie contract",
        "punie contract --style brief --tools typecheck,read_file,write_file,run_command",
        "punie contract --model smollm2-phase23 --json",
    )
    _model_option(parser)
    parser.add_argument("--style", choices=["full", "brief"])
    parser.add_argument("--format", choices=["fenced", "xml", "native"], dest="call_format")
    parser.add_argument("--tools", type=_names, help="only these functions, by name, with commas")
    parser.add_argument("--stubs", action="store_true", help="print the stubs alone")
    parser.add_argument("--digest", action="store_true", help="print the digest alone")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def _names(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _completion(commands: _Commands) -> None:
    parser = _command(
        commands,
        "completion",
        "Print a completion script for a shell.",
        'eval "$(punie completion bash)"',
        "punie completion zsh > ~/.zfunc/_punie",
    )
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"])
