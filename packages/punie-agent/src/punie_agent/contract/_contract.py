"""The contract itself: one object that the agent, the training data and the evaluation all ask."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, get_args

from punie_agent.contract import _output, _parse
from punie_agent.contract._brief import brief_signatures, function_names
from punie_agent.contract._compact import DESCRIBE, compacted, describer, listed, split_by_budget
from punie_agent.contract._prompt import CallFormat, Style, system_prompt
from punie_agent.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.contract._reply import Reply
    from punie_sandbox import ExternalFunctions, RunResult
    from punie_tools import Toolbox

__all__ = ["Contract", "standard_functions"]

_VERSION = 1
_OUTPUT_LIMIT: dict[Style, int] = {"full": 12_000, "brief": 3_000}


class Contract:
    """How a model is spoken to, and how its answers are read.

    Args:
        functions: what the model's code may call; the stubs are rendered from them. When there are too
            many for a full prompt, the contract's own `functions` has `describe` besides them.
        style: "full" for general models, "brief" for models trained on these functions.
        call_format: how code is written in a message: "fenced" (a ```python block), "xml" (Qwen's
            tool call), or "native" (the provider's tool calling; messages hold fenced blocks).
    """

    def __init__(
        self,
        functions: ExternalFunctions,
        *,
        style: Style = "full",
        call_format: CallFormat = "fenced",
    ) -> None:
        if style not in get_args(Style):
            raise ContractError(
                f"no contract style {style!r}; there are: {', '.join(get_args(Style))}"
            )
        if call_format not in get_args(CallFormat):
            known = ", ".join(get_args(CallFormat))
            raise ContractError(f"no call format {call_format!r}; there are: {known}")
        self.style: Style = style
        self.call_format: CallFormat = call_format
        self.functions, shown = _disclosed(functions) if style == "full" else (functions, "")
        self.stubs: str = self.functions.stubs()
        self.tools: tuple[str, ...] = function_names(self.stubs)
        self.system_prompt: str = system_prompt(
            style=style,
            call_format=call_format,
            stubs=shown,
            signatures=brief_signatures(self.stubs),
        )

    @property
    def output_limit(self) -> int:
        """Characters of printed output that the model is told."""
        return _OUTPUT_LIMIT[self.style]

    def parse(self, text: str) -> Reply:
        """Read a model's message: its prose, and the code to run if there is any. Never raises."""
        return _parse.parse(text, tools=self.tools)

    def format_call(self, code: str) -> str:
        """Write code the way the model is asked to write it."""
        code = code.strip("\n")
        if self.call_format == "xml":
            return (
                "<tool_call>\n<function=execute_code>\n<parameter=code>\n"
                f"{code}\n</parameter>\n</function>\n</tool_call>"
            )
        ticks = "```"
        while ticks in code:
            ticks += "`"
        return f"{ticks}python\n{code}\n{ticks}"

    def format_result(self, result: RunResult) -> str:
        """Write what a run led to, as the content of the `user` message that follows the code."""
        return _output.format_result(result, limit=self.output_limit)

    def digest(self) -> str:
        """A fingerprint of everything a model sees: prompt, call form, result form ("sha256:…")."""
        sample = "print(1)"
        seen = {
            "version": _VERSION,
            "system_prompt": self.system_prompt,
            "call": self.format_call(sample),
            "output": [_output.NO_OUTPUT, self.output_limit],
        }
        text = json.dumps(seen, sort_keys=True, ensure_ascii=False)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What is needed to build the same contract again, as plain JSON values."""
        return {
            "version": _VERSION,
            "style": self.style,
            "call_format": self.call_format,
            "tools": [name for name in self.tools if name != DESCRIBE],
        }

    @classmethod
    def from_json(cls, data: object, toolbox: Toolbox) -> Contract:
        """Build a contract again from what `to_json` gave, with the functions of a toolbox.

        Raises:
            ContractError: the data is damaged, newer than this version, or names a function that
                the toolbox does not have.
        """
        if not isinstance(data, dict):
            raise ContractError(f"a contract is a JSON object, not {type(data).__name__}")
        version, tools = data.get("version"), data.get("tools")
        if version != _VERSION:
            raise ContractError(
                f"this contract has version {version!r}; this Punie speaks version {_VERSION}"
            )
        if not isinstance(tools, list) or not all(isinstance(name, str) for name in tools):
            raise ContractError("a contract needs `tools`, a list of function names")
        return cls(
            standard_functions(toolbox, tools),
            style=data.get("style", "full"),
            call_format=data.get("call_format", "fenced"),
        )


def _disclosed(functions: ExternalFunctions) -> tuple[ExternalFunctions, str]:
    """The functions and the stubs that a full prompt shows; with `describe` when not all fit."""
    from punie_sandbox import ExternalFunctions as Functions

    names = list(functions.names)
    shown, rest = split_by_budget(functions.stubs, names)
    if not rest:
        return functions, compacted(functions.stubs())
    calls = [function.call for function in functions]
    more = Functions(
        [*calls, describer(functions.stubs, rest)],
        effects=functions.effects,
        hide=functions.hide,
        awaited=functions.awaited,
    )
    text = compacted(more.stubs([*shown, DESCRIBE]))
    note = f'# More functions; print({DESCRIBE}("NAME")) shows the rest of each:'
    return more, f"{text}\n\n{note}\n{listed(functions.stubs(rest))}"


def standard_functions(toolbox: Toolbox, names: Sequence[str] | None = None) -> ExternalFunctions:
    """A toolbox's tools as the functions that code may call, with their effects.

    The evidence that results carry about their own run (`run`) is hidden from the code. A turn that
    is watched reports the calls of these functions as they happen.

    Args:
        toolbox: whose tools.
        names: only these, in this order; all of them when None.

    Raises:
        ContractError: the toolbox has no tool of that name.
    """
    from punie_agent._watch import observed
    from punie_sandbox import ExternalFunctions
    from punie_tools import ToolsError

    try:
        functions = toolbox.functions(names)
    except ToolsError as error:
        raise ContractError(str(error)) from error
    return ExternalFunctions(
        [observed(each) for each in functions], effects=toolbox.effects, hide=frozenset({"run"})
    )
