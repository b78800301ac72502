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
    logging.basicConfig(level=logging.WARNING, format="punie: %(message)s", stream=sys.stderr)
    module = importlib.import_module(f"punie_agent.cli.{options.module}")
    try:
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
        print(f"punie: {error}", file=sys.stderr)
        return 3 if isinstance(error, ModelError) else 2
    except Exception as error:
        if not _expected(error):
            raise
        print(f"punie: {error}", file=sys.stderr)
        return 2


def _expected(error: Exception) -> bool:
    """True for what the tools, the sandbox or the file system report, as opposed to a mistake in Punie."""
    from punie_sandbox import SandboxError
    from punie_tools import ToolsError

    return isinstance(error, (SandboxError, ToolsError, OSError))
