"""`punie COMMAND …`: parse, dispatch, and turn every expected error into one line and an exit code.

Exit codes: 0 done; 1 the task ended without an answer (a limit, or nothing found); 2 wrong usage or
configuration; 3 the model cannot be reached or is another one; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Sequence

from punie_agent._visible import visible
from punie_agent.cli._parser import build_parser
from punie_agent.errors import AgentError, ModelError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments; those of the process when None.

    Returns:
        The exit code, see the module's description.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    _log_to_standard_error()
    try:
        module = importlib.import_module(f"punie_agent.cli.{options.module}")
        return int(module.run(options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the shell's prompt begins on a line of its own
        return 130
    except BrokenPipeError:
        # The reader went away (`punie … | head`): nobody is left to tell.
        sys.stderr.close()
        return 1
    except AgentError as error:
        _tell(error)
        return 3 if isinstance(error, ModelError) else 2
    except Exception as error:
        if not _expected(error):
            raise
        _tell(error)
        return 2


def _tell(error: Exception) -> None:
    """Say what is wrong. It may quote a model's server or a file: nothing in it commands the terminal."""
    print(f"punie: {visible(str(error))}", file=sys.stderr)


class _Harmless(logging.Formatter):
    """Messages quote what comes from outside, as errors do."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Harmless("punie: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _expected(error: Exception) -> bool:
    """True for what the tools, the sandbox or the file system report, as opposed to a mistake in Punie."""
    from punie_sandbox import SandboxError
    from punie_tools import ToolsError

    return isinstance(error, (SandboxError, ToolsError, OSError))
