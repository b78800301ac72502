"""What fills the slots of a phrasing: values that must be copied, and phrasings that suit them."""

import ast
import json
import shlex
from random import Random

import pytest

from punie_train.data.binders import BINDERS
from punie_train.data.bindings import Binding, can_say
from punie_train.data.scenes import World
from punie_train.data.wide import WideWorld


@pytest.fixture(params=["narrow", "wide"])
def either(request: pytest.FixtureRequest, world: World) -> World:
    return world if request.param == "narrow" else WideWorld(world.sources, world.workspaces)


def bound(intent: str, world: World, count: int = 60) -> list[Binding]:
    found = [BINDERS[intent](Random(seed), world) for seed in range(count)]
    return [each for each in found if each is not None]


def test_a_folder_is_named_where_one_is_meant_and_nowhere_else(either: World) -> None:
    bindings = bound("find_files", either)
    anywhere = [each for each in bindings if not each.said["dir"]]
    assert anywhere
    assert len(anywhere) < len(bindings)
    for binding in bindings:
        assert can_say("find {kind} in {dir}", binding) == bool(binding.said["dir"])
        assert can_say("find {kind}", binding) == (not binding.said["dir"])
        assert binding.said["dir"] or binding.slots["dir"] == "."


def test_a_kind_of_file_without_words_is_called_by_its_extension(either: World) -> None:
    kinds = {each.said["kind"]: each.slots["suffix"] for each in bound("find_files", either)}
    assert any(not kind.startswith(".") for kind in kinds)
    assert all(kind in (f"{end} files", kind.lstrip(".")) for kind, end in kinds.items())


def test_quotes_around_a_slot_are_not_those_in_its_value(world: World) -> None:
    scene = world.stage(Random(0)).scene
    binding = Binding(scene, {"text": "print('tick')", "path": "a.py"}, {})
    assert can_say('Write "{text}" to {path}', binding)
    assert can_say("Write to {path}: {text}", binding)
    assert not can_say("Write '{text}' to {path}", binding)


def test_nobody_asks_which_fields_a_function_has(world: World) -> None:
    scene = world.stage(Random(0)).scene
    function = Binding(scene, {"symbol": "shut"}, {"kind": "helper function"})
    assert not can_say("Which fields does {symbol} have?", function)
    assert can_say("The body of {symbol}", function)
    assert can_say("Which fields does {symbol} have?", Binding(scene, {}, {"kind": "class"}))


@pytest.mark.parametrize("seed", range(40))
def test_code_to_be_written_is_one_line_of_python(either: World, seed: int) -> None:
    code = either.code(Random(seed))
    assert "\n" not in code
    ast.parse(code)


def test_words_are_found_where_they_are_searched(either: World) -> None:
    hits = [
        binding
        for binding in bound("grep_text", either)
        if any(str(binding.slots["text"]) in text for text in binding.scene.files.values())
    ]
    assert len(hits) > 15


def test_scripts_are_read_as_well_as_run(either: World) -> None:
    read, run = (
        {str(b.slots["path"]) for b in bound(i, either)} for i in ("read_file", "run_script")
    )
    folders = ("scripts/", "tools/", "jobs/")
    assert any(path.startswith(folders) for path in read)
    assert any(path.startswith(folders) for path in run)


def test_settings_to_be_read_are_in_the_format_of_their_file(either: World) -> None:
    bindings = bound("read_file", either, 400)
    texts = {str(each.slots["path"]): each.scene.files for each in bindings}
    files = [files[path] for path, files in texts.items() if path.endswith(".json")]
    assert files
    assert all(isinstance(json.loads(text), dict) for text in files)


def test_commands_can_be_split_as_a_shell_would(either: World) -> None:
    commands = [str(each.slots["command"]) for each in bound("run_command", either, 200)]
    assert any(command.startswith("python -c") for command in commands)
    assert all(shlex.split(command) for command in commands)


def test_a_setting_is_replaced_as_a_line_or_by_its_value(world: World) -> None:
    wide = WideWorld(world.sources, world.workspaces)
    pairs = [(str(b.slots["old"]), str(b.slots["new"])) for b in bound("replace_text", wide, 300)]
    keys = [
        (old.partition(" = ")[0], new.partition(" = ")[0]) for old, new in pairs if " = " in old
    ]
    assert any(old == new for old, new in keys)


def test_a_file_that_is_found_by_its_name_is_called_by_it(either: World) -> None:
    for intent in ("recover", "recover_clean", "recover_count", "recover_list", "recover_messages"):
        for binding in bound(intent, either, 20):
            assert binding.said["path"] == str(binding.slots["path"]).rpartition("/")[2]
            assert binding.slots["name"] == binding.said["path"]
