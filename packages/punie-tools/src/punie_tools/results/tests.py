"""The result of pytest."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from punie_tools.results.base import ToolResult

__all__ = ["Outcome", "TestCase", "TestResult"]

Outcome = Literal[
    "passed", "failed", "error", "skipped", "xfailed", "xpassed", "subtest passed", "subtest failed"
]


class TestCase(BaseModel):
    """One outcome of one test; a test that fails and then errs in its teardown has two."""

    __test__: ClassVar[bool] = False
    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="Node id; its path is relative to the workspace.")]
    outcome: Outcome
    duration: Annotated[float, Field(ge=0, allow_inf_nan=False, description="Seconds.")] = 0.0
    message: Annotated[str, Field(description="Why, where it did not pass.")] = ""


class TestResult(ToolResult):
    """What pytest says about a path. The counts are those of pytest's last line."""

    __test__: ClassVar[bool] = False

    tests: list[TestCase] = Field(default_factory=list)
    duration: Annotated[float, Field(ge=0, allow_inf_nan=False, description="Seconds.")] = 0.0

    @model_validator(mode="after")
    def _status_agrees(self) -> Self:
        wrong = self.failed + self.errors
        if (self.status == "clean" and (wrong or not self.tests)) or (
            self.status == "findings" and not wrong
        ):
            counts = f"{self.failed} failed and {self.errors} errors"
            raise ValueError(f"status {self.status} with {counts}")
        return self

    @computed_field(description="Tests that passed.")
    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self._count("passed")

    @computed_field(description="Tests that failed, subtests included.")
    @property
    def failed(self) -> int:
        """Tests that failed, subtests included."""
        return self._count("failed") + self._count("subtest failed")

    @computed_field(description="Errors in collection, setup or teardown.")
    @property
    def errors(self) -> int:
        """Errors in collection, setup or teardown."""
        return self._count("error")

    @computed_field(description="Tests that were skipped.")
    @property
    def skipped(self) -> int:
        """Tests that were skipped."""
        return self._count("skipped")

    def _count(self, outcome: Outcome) -> int:
        return sum(each.outcome == outcome for each in self.tests)
