"""The modules that a conversation's files are, as `import` names them.

Covered: files whose paths were said or printed, and the standard library. Not covered: what is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable

__all__ = ["modules_of"]


def modules_of(paths: Iterable[str], known: Collection[str]) -> list[str]:
    """Dotted names of Python files, and of the standard library's modules; nothing where no file is one.

    A folder that is no package may be left out before the rest (`src/` mostly is), a package may not.

    Args:
        paths: of files.
        known: the workspace's files, among them the packages' `__init__.py`.
    """
    found = []
    for path in paths:
        parts = path.removeprefix("./").removesuffix(".py").split("/")
        if not path.endswith(".py") or not all(part.isidentifier() for part in parts):
            continue
        packages = [f"{'/'.join(parts[:end])}/__init__.py" in known for end in range(len(parts))]
        named = parts[:-1] if parts[-1] == "__init__" else parts
        found += [
            ".".join(named[start:])
            for start in range(len(named))
            if not packages[start] or not start
        ]
    return [*found, *sys.stdlib_module_names] if found else []
