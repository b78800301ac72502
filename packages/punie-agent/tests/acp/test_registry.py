"""The entry for the ACP registry: it names this version, and what it says can be run is there."""

from __future__ import annotations

import json
from importlib.metadata import distribution, version
from importlib.resources import files
from xml.etree import ElementTree

FOLDER = files("punie_agent.acp") / "registry"


def test_the_entry_names_this_package_version_and_licence():
    entry = json.loads((FOLDER / "agent.json").read_text())
    here = version("punie-agent")
    assert entry["version"] == here
    assert entry["distribution"]["uvx"] == {"package": f"punie-agent@{here}", "args": ["acp"]}
    assert entry["license"] == distribution("punie-agent").metadata["License-Expression"]


def test_uvx_finds_a_program_of_the_packages_name():
    scripts = {
        entry.name
        for entry in distribution("punie-agent").entry_points.select(group="console_scripts")
    }
    assert {"punie", "punie-agent"} <= scripts


def test_the_icon_is_a_16_pixel_square_in_the_editors_colour():
    icon = ElementTree.fromstring((FOLDER / "icon.svg").read_text())
    assert (icon.get("width"), icon.get("height"), icon.get("viewBox")) == ("16", "16", "0 0 16 16")
    assert icon.get("stroke") == "currentColor"
