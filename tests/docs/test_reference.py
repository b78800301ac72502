"""The reference describes every public name of the leaf packages."""

from __future__ import annotations

import re

import pytest
from support import ROOT

import punie_sandbox
import punie_tools

REFERENCE = ROOT / "docs/reference"


def test_every_name_of_the_sandbox_has_its_place() -> None:
    page = (REFERENCE / "punie-sandbox.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: punie_sandbox\.(\w+)$", page, re.MULTILINE)
    assert sorted(named) == sorted(punie_sandbox.__all__)


@pytest.mark.parametrize("name", punie_tools.__all__)
def test_every_name_of_the_tools_is_in_a_module_that_the_page_shows(name: str) -> None:
    page = (REFERENCE / "punie-tools.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: (punie_tools\.\w+)$", page, re.MULTILINE)
    modules = [__import__(module, fromlist=["_"]) for module in shown]
    assert any(name in module.__all__ for module in modules)
