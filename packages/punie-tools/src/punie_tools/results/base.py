"""What every result has: a status, the reason when there is no answer, and the evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

__all__ = ["FAILED", "Status", "ToolResult", "ToolRun"]

Status = Literal[
    "clean", "findings", "nothing_checked", "tool_error", "crashed", "timeout", "unparsable"
]
"""How a run came out.

`clean`: the tool did its work and has nothing to complain about (for a question, such as
`git_status`: it was answered). `findings`: it found something. `nothing_checked`: it ran, and
there was nothing to run on. `tool_error`: it says itself that it could not (bad flag, missing
path, not installed). `crashed`: it died. `timeout`: it was ended. `unparsable`: it wrote something
that cannot be what it claims to be.
"""

FAILED: frozenset[Status] = frozenset({"tool_error", "crashed", "timeout", "unparsable"})
"""The statuses that are no answer at all."""


class ToolRun(BaseModel):
    """The evidence of a result: what was run, and what it left."""

    model_config = ConfigDict(frozen=True)

    argv: list[str] = Field(default_factory=list, description="Program and arguments.")
    exit_code: Annotated[
        int | None, Field(description="Exit code; negative for a signal; null when not run.")
    ] = None
    tool_version: Annotated[str | None, Field(description="Version of the tool.")] = None
    stderr_tail: Annotated[str, Field(description="The end of standard error.")] = ""
    duration: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="Wall-clock seconds.")
    ] = None


class ToolResult(BaseModel):
    """Base of all results. `success` is true only when `status` is `clean`."""

    model_config = ConfigDict(frozen=True)

    status: Annotated[Status, Field(description="How the run came out.")]
    parse_error: Annotated[
        str | None, Field(description="Why there is no answer, in one sentence.")
    ] = None
    run: Annotated[ToolRun, Field(description="What was run.", repr=False)] = ToolRun()

    @computed_field(description="True only when the status is clean.")
    @property
    def success(self) -> bool:
        """True only when the tool ran and has nothing to complain about."""
        return self.status == "clean"
