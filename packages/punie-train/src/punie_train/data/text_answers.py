"""Final answers about files, searches and commands, computed from what the programs printed."""

from __future__ import annotations

import re
from collections.abc import Callable

from punie_train.data.verdicts import Runs, Slots, begun, name_of, need, plural, results


def _lines(runs: Runs) -> list[str]:
    return [line for line in runs[-1].stdout.splitlines() if line.strip()]


def found(what: str) -> Callable[[Slots, Runs], str]:
    """How many lines or files a search found."""

    def answer(slots: Slots, runs: Runs) -> str:  # noqa: ARG001 - all answers are called alike
        lines = _lines(runs)
        if lines and lines[-1].startswith("[exit code"):
            need(
                lines[-1] == "[exit code 1]" and len(lines) == 1, f"the search failed: {lines[-1]}"
            )
            lines = []
        return f"Found {plural(len(lines), what)}." if lines else f"No {what} found."

    return answer


def located(slots: Slots, runs: Runs) -> str:
    """Where a file lies."""
    lines = _lines(runs)
    need(lines and not lines[-1].startswith("[exit code"), "the file was not found")
    if len(lines) == 1:
        return f"{slots['name']} is at {lines[0].removeprefix('./')}."
    return f"Found {len(lines)} files called {slots['name']}."


def used(slots: Slots, runs: Runs) -> str:
    """In how many lines a name is used; its own definition is no use."""
    definition = re.compile(rf":\d+:\s*(class|def) {slots['symbol']}\b")
    uses = [line for line in _lines(runs) if not definition.search(line)]
    if not uses:
        return f"{slots['symbol']} is used nowhere but where it is defined."
    return f"{slots['symbol']} is used in {plural(len(uses), 'line')}."


def defined(slots: Slots, runs: Runs) -> str:
    """Where a name is defined."""
    place = _lines(runs)[0].split(":") if runs[-1].stdout.strip() else []
    need(
        len(place) > 2 and place[0].removeprefix("./") == slots["path"],
        "the definition was not found",
    )
    return f"{slots['symbol']} is defined in {slots['path']}, line {place[1]}."


def shown(slots: Slots, runs: Runs) -> str:
    """Which file was shown."""
    need(results(runs, "read_file"), "nothing was read")
    return f"That is {slots['path']}."


def show_symbol(slots: Slots, runs: Runs) -> str:
    """Which file the symbol is in; refused when another file was shown."""
    read = [
        call.arguments["path"] for run in runs for call in run.calls if call.name == "read_file"
    ]
    need([path.removeprefix("./") for path in read] == [slots["path"]], f"read {read} instead")
    return f"{slots['symbol']} is in {slots['path']}."


def recovered_read(slots: Slots, runs: Runs) -> str:
    """Where the file was after all."""
    need(runs[0].status == "error" and runs[-1].ok, "there was nothing to recover from")
    return f"That is {slots['path']}."


def head(slots: Slots, runs: Runs) -> str:
    """Which lines were shown, or that the file has no more."""
    count = len(str(results(runs, "read_file")[-1]).splitlines())
    if count <= int(str(slots["count"])):
        return f"That is all of {slots['path']}: {plural(count, 'line')}."
    return f"Those are the first {slots['count']} lines of {slots['path']}."


def counted(slots: Slots, runs: Runs) -> str:
    """How long the file is."""
    return f"{slots['path']} has {plural(int(runs[-1].stdout), 'line')}."


def ran(slots: Slots, runs: Runs) -> str:
    """That the command ran."""
    command = slots.get("command") or f"python {slots['path']}"
    lines = _lines(runs)
    if lines and lines[-1].startswith("[exit code"):
        return f"{command} ended with {lines[-1].strip('[]')}."
    return f"That is the output of {command}." if lines else f"{command} printed nothing."


def listed(slots: Slots, runs: Runs) -> str:
    """How many entries the folder has."""
    lines = _lines(runs)
    need(lines and not lines[-1].startswith("[exit"), "the folder could not be listed")
    return f"{name_of(slots['dir'])} has {plural(len(lines), 'entry').replace('entrys', 'entries')}.".replace(
        "the project", "The project"
    )


def formatted(slots: Slots, runs: Runs) -> str:
    """Whether the formatter would change something."""
    text = runs[-1].stdout
    need("formatted" in text, f"ruff did not answer: {text[:80]}")
    if "would be reformatted" in text or "[exit code 1]" in text:
        return begun(f"{name_of(slots['path'])} needs reformatting.")
    return begun(f"{name_of(slots['path'])} is formatted.")


def _wrote(runs: Runs) -> str:
    written = results(runs, "write_file")
    need(written, "nothing was written")
    return str(written[-1])


def wrote(slots: Slots, runs: Runs) -> str:
    """What was written."""
    _wrote(runs)
    return f"Wrote {slots['path']}."


def appended(slots: Slots, runs: Runs) -> str:
    """What was added."""
    _wrote(runs)
    return f"Added the line to {slots['path']}."


def replaced(slots: Slots, runs: Runs) -> str:
    """What was replaced; refused when nothing changed."""
    before = results(runs, "read_file")[0]
    need(str(slots["old"]) in before, "there was nothing to replace")
    _wrote(runs)
    return f"Replaced {slots['old']} with {slots['new']} in {slots['path']}."
