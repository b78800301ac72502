"""What the data stages can be told, and the contract that their records are written in.

Importing this module is cheap: `make` asks for the contract each time it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from punie_agent.contract import Contract, standard_functions
from punie_tools import LocalHost, Toolbox, load_plugins

__all__ = ["GenerateConfig", "MergeConfig", "Quota", "contract_for"]

Quota = Annotated[
    tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt],
    Field(description="How many examples for train, valid and test."),
]

PHASE22: dict[str, tuple[int, int, int]] = {
    "reading": (136, 17, 17),
    "writing": (88, 11, 11),
    "commands": (88, 11, 11),
    "searching": (112, 14, 14),
    "direct": (141, 17, 19),
}
"""The 707 examples of phase 22."""

TYPES: dict[str, tuple[int, int, int]] = {
    "ty_check": (12, 1, 2),
    "ty_fix": (12, 2, 1),
    "ty_coding": (8, 1, 1),
    "ty_direct": (8, 1, 1),
}
"""The 50 examples phase 23 adds: simple check, check and fix, type-informed coding, direct answers."""


class GenerateConfig(BaseModel):
    """What is generated.

    Attributes:
        tools: the functions the model is shown, in this order.
        counts: how many examples of each category go to train, valid and test.
        drills: how many more rows of an intent go to train that end with the first program, by intent.
        mistakes: how many faults are made by rule in each module, beside those that were written by hand.
        seed: chooses other names and files for the same phrasings.
        ngram: prompts that share this many words in a row with a query of a frozen suite are passed over.
        near_duplicate: MinHash similarity (0 to 1) from which an example is passed over as one too many.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: tuple[str, ...] = ("typecheck", "read_file", "write_file", "run_command")
    counts: dict[str, Quota] = Field(default_factory=lambda: {**PHASE22, **TYPES})
    drills: dict[str, NonNegativeInt] = Field(default_factory=dict)
    mistakes: NonNegativeInt = 0
    seed: int = 23
    ngram: int = Field(default=6, ge=4)
    near_duplicate: float = Field(default=0.95, gt=0.5, le=1)


class MergeConfig(BaseModel):
    """What the merge accepts.

    Attributes:
        sizes: the exact number of rows of train, valid and test, without drills; None accepts any.
        drills: the exact number of drills; None accepts any.
        max_tokens: the longest row, in the base model's tokens.
        near_duplicate: MinHash similarity (0 to 1) from which two examples count as the same one.
        ngram: this many words in a row shared with a query of a frozen suite count as a leak.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sizes: tuple[int, int, int] | None = None
    drills: NonNegativeInt | None = None
    max_tokens: int = Field(default=2048, gt=0)
    near_duplicate: float = Field(default=0.95, gt=0.5, le=1)
    ngram: int = Field(default=6, ge=4)


def contract_for(config: GenerateConfig) -> Contract:
    """Return the contract of the records: the one the trained model must be served under."""
    toolbox = Toolbox(LocalHost(Path.cwd()), plugins=load_plugins())
    return Contract(standard_functions(toolbox, config.tools), style="brief", call_format="fenced")
