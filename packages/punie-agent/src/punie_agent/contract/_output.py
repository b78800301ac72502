"""What a model is told after its code: the text of the `user` message that follows.

One fixed form. What was printed stands in an `output` fence, cut in the middle when it is long, with
a note that says so. Below it, and only when there is something to say: which tools gave no answer and
why, why nothing ran, or which error ended the run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from punie_agent._unanswered import unanswered

if TYPE_CHECKING:
    from punie_sandbox import Diagnostic, RunResult

__all__ = ["NO_OUTPUT", "clip", "format_result"]

NO_OUTPUT = "(nothing printed)"
_MOST_DIAGNOSTICS = 5
_LONGEST_MESSAGE = 800


def clip(text: str, limit: int) -> str:
    """The text, or its beginning and end with a note of how much is missing between them."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    missing = len(text) - head - tail
    return f"{text[:head]}\n[cut: {missing} of {len(text)} characters]\n{text[-tail:]}"


def format_result(result: RunResult, *, limit: int) -> str:
    """Render a run for the model.

    Args:
        result: what the sandbox returned.
        limit: characters of printed output to keep.
    """
    parts: list[str] = []
    shown = _shown(result)
    problem = _problem(result)
    if shown or problem is None:
        parts.append(_fenced(clip(shown or NO_OUTPUT, limit)))
    parts += unanswered(result, shown)
    if problem is not None:
        parts.append(problem)
    return "\n".join(parts)


def _shown(result: RunResult) -> str:
    """Printed text, then the value of a trailing expression, as a Python prompt shows it."""
    text = result.stdout.rstrip()
    if result.value is not None:
        text = f"{text}\n{result.value!r}" if text else repr(result.value)
    return text


def _fenced(body: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}output\n{body}\n{ticks}"


def _problem(result: RunResult) -> str | None:
    if result.status == "ok":
        return None
    if result.status == "check_failed":
        listed = [_diagnostic(item) for item in result.diagnostics[:_MOST_DIAGNOSTICS]]
        more = len(result.diagnostics) - len(listed)
        if more > 0:
            listed.append(f"and {more} more")
        return "Not run, the code has errors:\n" + "\n".join(listed)
    error = result.error
    if error is None:
        said = f"Stopped: {str(result.status).replace('_', ' ')}"
    elif result.status == "error":
        said = f"Error: {clip(str(error).strip(), _LONGEST_MESSAGE)}"
    else:
        reason = clip(error.message.strip(), _LONGEST_MESSAGE)
        said = f"Stopped ({str(result.status).replace('_', ' ')}): {reason}"
    return f"{said}\nThe variables are lost." if result.state == "lost" else said


def _diagnostic(item: Diagnostic) -> str:
    said = f"line {item.line}: {clip(item.message, _LONGEST_MESSAGE)}"
    return f"{said} ({item.hint})" if item.hint else said
