"""The configuration of validation: the `[validate]` table of a phase file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ValidateConfig(BaseModel):
    """How models are scored. Every key has a default that suits a model trained by this kit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: Literal["brief", "full"] = Field(
        "brief", description="how the contract speaks to the model; trained models need `brief`"
    )
    tools: list[str] | None = Field(
        None,
        description="tools every model is given; by default those of its own contract, else the suite's",
    )
    max_tokens: int = Field(400, ge=1, description="longest single reply, in tokens")
    max_requests: int = Field(8, ge=1, description="replies of the model in one turn")
    max_failures: int = Field(3, ge=1, description="failed programs in a row before a turn ends")
    through: Literal["process", "acp"] = Field(
        "process",
        description="`process` asks the model here, in batches; `acp` starts `punie acp` for each turn, "
        "as an editor does: slow, and it must agree",
    )
    constrained: bool = Field(
        True,
        description="keep what models write to the contract and to the paths of the conversation and the "
        "workspace, as `punie` does for models made here; `acp` does so for those and for no others",
    )
    rehearsed: bool = Field(
        True,
        description="try edits of constrained replies on a copy of the workspace before one is made, as "
        "`punie` does for models made here",
    )
    batch: int = Field(
        16, ge=1, description="turns played at once, their replies generated together"
    )
    turn_seconds: float = Field(900.0, gt=0, description="wall-clock bound of one turn")
    only: dict[str, list[str]] = Field(
        {},
        description="for a suite's name, the models scored on it, of base, adapter, fused and "
        "quantized; a suite that is not named scores them all",
    )
    first_query_seconds: float = Field(
        60.0, gt=0, description="gate: the first query, loading included"
    )
    later_query_seconds: float = Field(10.0, gt=0, description="gate: the median query after it")
    latency_queries: int = Field(
        4,
        ge=0,
        description="queries played one at a time on the last model, to measure what a person waits",
    )
    max_model_bytes: int | None = Field(None, description="gate: bytes of the last model's weights")
    max_memory_bytes: int | None = Field(
        None, description="gate: peak resident memory while scoring"
    )
