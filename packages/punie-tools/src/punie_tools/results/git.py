r"""The results of git. `success` says that git answered; a dirty tree is `clean == False`.

File names that are not UTF-8 are shown with `\xNN` for the bytes that are not.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from punie_tools.results.base import ToolResult

__all__ = [
    "ChangeKind",
    "DiffFile",
    "GitCommit",
    "GitDiffResult",
    "GitFileStatus",
    "GitLogResult",
    "GitStatusResult",
]

ChangeKind = Literal[
    "modified", "added", "deleted", "renamed", "copied", "type_changed", "untracked", "conflicted"
]


class GitFileStatus(BaseModel):
    """One change of one file; a file changed in the index and again after it has two."""

    model_config = ConfigDict(frozen=True)

    file: Annotated[str, Field(description="Path relative to the workspace.")]
    status: ChangeKind
    staged: Annotated[bool, Field(description="Whether the change is in the index.")]


class GitStatusResult(ToolResult):
    """What `git status` says about a path."""

    files: list[GitFileStatus] = Field(default_factory=list)

    @computed_field(description="Whether git answered and nothing is changed.")
    @property
    def clean(self) -> bool:
        """Whether git answered and nothing is changed."""
        return self.success and not self.files

    @computed_field(description="Number of changed files.")
    @property
    def file_count(self) -> int:
        """Number of changed files."""
        return len({each.file for each in self.files})


class DiffFile(BaseModel):
    """What changed in one file."""

    model_config = ConfigDict(frozen=True)

    file: Annotated[str, Field(description="Path relative to the workspace; the new one.")]
    status: ChangeKind
    additions: Annotated[int, Field(ge=0, description="Lines added; 0 for a binary file.")]
    deletions: Annotated[int, Field(ge=0, description="Lines removed; 0 for a binary file.")]


class GitDiffResult(ToolResult):
    """What `git diff` says about a path."""

    files: list[DiffFile] = Field(default_factory=list)

    @computed_field(description="Number of changed files.")
    @property
    def file_count(self) -> int:
        """Number of changed files."""
        return len(self.files)

    @computed_field(description="Lines added in all.")
    @property
    def additions(self) -> int:
        """Lines added in all."""
        return sum(each.additions for each in self.files)

    @computed_field(description="Lines removed in all.")
    @property
    def deletions(self) -> int:
        """Lines removed in all."""
        return sum(each.deletions for each in self.files)


class GitCommit(BaseModel):
    """One commit."""

    model_config = ConfigDict(frozen=True)

    hash: Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
    message: Annotated[str, Field(description="Subject, and body after an empty line.")]
    author: str
    date: Annotated[str, Field(description="Author date, ISO 8601.")]


class GitLogResult(ToolResult):
    """The newest commits that touch a path, newest first."""

    commits: list[GitCommit] = Field(default_factory=list)

    @computed_field(description="Number of commits returned.")
    @property
    def commit_count(self) -> int:
        """Number of commits returned."""
        return len(self.commits)
