"""Imports and the check: what can be imported has no finding, and what cannot has one."""

import importlib
import sys
from typing import Any

import pytest

from punie_sandbox import Diagnostic, Sandbox, Status
from punie_sandbox._hints import MODULES
from punie_sandbox._missing import MISSING, MISSING_MODULES
from punie_sandbox._modules import PROVIDED


async def test_every_module_that_a_hint_names_can_be_imported(sandbox: Sandbox) -> None:
    """behaviour: check.modules."""
    for module in MODULES.split(", "):
        assert (await sandbox.run(f"import {module}")).status is Status.OK, module


@pytest.mark.parametrize("name", sorted(PROVIDED))
@pytest.mark.parametrize(
    "where", ["def f():\n    ", "class A:\n    def f(self): ", "async def f(): "]
)
async def test_a_provided_module_can_be_imported_anywhere(
    sandbox: Sandbox, where: str, name: str
) -> None:
    """behaviour: check.modules-inside."""
    assert await sandbox.check(f"{where}import {name}") == ()
    (found,) = await sandbox.check(name)  # the import of a function stays inside
    assert found.message == f"Name `{name}` used when not defined"


async def test_a_module_that_only_the_checker_knows_is_a_finding(
    sandbox: Sandbox, unchecked: Any
) -> None:
    """behaviour: check.missing-modules."""
    for module, hint in MISSING_MODULES.items():
        code = f"import {module}"
        assert await sandbox.check(code) == (
            Diagnostic(1, 1, "missing-name", f"`{module}` does not exist here", hint),
        )
        assert (await unchecked(sandbox, code)).status is Status.ERROR, code
    public = [name for name in sys.stdlib_module_names if not name.startswith("_")]
    for module in [*public, "json.decoder", "concurrent.futures", "os.path"]:
        code = f"import {module}"
        if await sandbox.check(code) == ():
            assert (await sandbox.run(code)).status is Status.OK, code


async def test_the_names_that_are_said_to_be_missing_are_those_that_are(
    sandbox: Sandbox, unchecked: Any
) -> None:
    """behaviour: check.missing-names."""
    for module, names in MISSING.items():
        for name in names:
            code = f"from {module} import {name}"
            assert (await unchecked(sandbox, code)).status is Status.ERROR, code
    for module in [*MODULES.split(", "), "collections.abc"]:
        for name in getattr(importlib.import_module(module), "__all__", ()):
            code = f"from {module} import {name}"
            if await sandbox.check(code) == () and (module, name) != ("os.path", "sameopenfile"):
                assert (await sandbox.run(code)).status is Status.OK, code
