"""A small project in memory, with functions like a coding agent's: for tests and examples.

Nothing here touches a disk or a process. The "type checker" finds what is written into the files as `#
error: message`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pydantic import BaseModel, Field, computed_field

from punie_sandbox._functions import ExternalFunctions
from punie_sandbox.preview import Preview

__all__ = ["MemoryProject", "Severity", "ToolRun", "TypeCheckError", "TypeCheckResult"]


class Severity(enum.StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


class TypeCheckError(BaseModel):
    """One finding."""

    file: str = Field(description="path of the file")
    line: int
    message: str
    severity: Severity = Severity.ERROR
    code: str | None = None


class ToolRun(BaseModel):
    """Evidence of how a result came about; hidden from sandboxed code."""

    argv: list[str]
    exit_code: int


class TypeCheckResult(BaseModel):
    """What a type check found."""

    errors: list[TypeCheckError]
    run: ToolRun

    @computed_field
    @property
    def success(self) -> bool:
        """Whether nothing was found."""
        return not self.errors

    @computed_field
    @property
    def error_count(self) -> int:
        """How much was found."""
        return len(self.errors)


@dataclass
class MemoryProject:
    """Files in memory, and functions on them.

    Attributes:
        files: the texts, by path.
        commands: what `run_command` was asked to run.
    """

    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    @classmethod
    def sample(cls) -> MemoryProject:
        """A project of three modules, of which two have findings."""
        return cls(
            {
                "src/app.py": (
                    "import os\n\n\ndef main() -> int:\n    return 'x'  # error: expected int, got str\n"
                ),
                "src/util.py": "def double(x: int) -> int:\n    return x * 2\n",
                "src/models.py": (
                    "name: str = 3  # error: expected str\nage: int = ''  # error: expected int\n"
                ),
                "README.md": "# Sample\n",
            }
        )

    async def read_text(self, path: str) -> str:
        """The text of a file."""
        try:
            return self.files[str(PurePosixPath(path))]
        except KeyError:
            raise FileNotFoundError(f"no such file: {path}") from None

    async def write_text(self, path: str, text: str) -> None:
        """Replace a file."""
        self.files[str(PurePosixPath(path))] = text

    def functions(self) -> ExternalFunctions:
        """The functions of this project, as a sandbox takes them."""
        return ExternalFunctions(
            [self.read_file, self.write_file, self.list_files, self.typecheck, self.run_command],
            effects={"write_file": "write", "run_command": "execute"},
            hide={"run"},
        )

    def preview(self) -> Preview:
        """How plans are made for this project."""
        return Preview.by_name(self.functions(), read="read_file", write="write_file")

    async def read_file(self, path: str) -> str:
        """Return the text of a file."""
        return await self.read_text(path)

    async def write_file(self, path: str, content: str) -> None:
        """Replace a file, or make it."""
        await self.write_text(path, content)

    def list_files(self, folder: str = "") -> list[str]:
        """List the paths below a folder."""
        return sorted(path for path in self.files if path.startswith(folder))

    async def typecheck(self, path: str, strict: bool = False) -> TypeCheckResult:
        """Type-check a file or folder."""
        await asyncio.sleep(0)
        errors = [
            TypeCheckError(
                file=file, line=number, message=line.partition("# error: ")[2], code="assignment"
            )
            for file, text in sorted(self.files.items())
            if file.startswith(path.rstrip("/"))
            for number, line in enumerate(text.splitlines(), 1)
            if "# error: " in line
        ]
        argv = ["check", path, *(["--strict"] if strict else [])]
        return TypeCheckResult(errors=errors, run=ToolRun(argv=argv, exit_code=1 if errors else 0))

    async def run_command(self, command: str) -> str:
        """Run a command and return what it prints."""
        self.commands.append(command)
        return f"ran {command}\n"

    def snapshot(self) -> Mapping[str, str]:
        """A copy of the files, to compare with later."""
        return dict(self.files)
