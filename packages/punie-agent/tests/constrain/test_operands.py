"""Operands of commands: paths that are there, and words of the request."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.constrain import Constraint, ReplyCursor
from punie_agent.contract import Contract, standard_functions
from punie_agent.models import Message
from punie_tools import LocalHost, Toolbox


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    (tmp_path / "orrery" / "bodies").mkdir(parents=True)
    (tmp_path / "orrery" / "bodies" / "moon.py").write_text("")
    (tmp_path / "ruff.toml").write_text("")
    return Contract(standard_functions(Toolbox(LocalHost(tmp_path))), style="brief")


def misfits(constraint: Constraint, command: str, *, whole: bool = True) -> int:
    """How often a program with this command, or its beginning, departs from what it may name."""
    cursor = ReplyCursor(constraint.rules)
    end = '"))' if whole else ""
    assert cursor.advance(f'```python\nprint(run_command("{command}{end}')
    return cursor.departures.misfits


@pytest.fixture
def constraint(contract: Contract, tmp_path: Path) -> Constraint:
    request = Message("user", "Which files are below orrery/bodies? And backup.py")
    return Constraint.of(contract, [Message("system", ""), request], tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "ls orrery/bodies",
        "find orrery/bodies -name '*.py'",
        "find orrery/bodies -type f -name ruff/bodies",
        "find . -name backup.py",
        "ls -l orrery/bodies/ | wc -l",
        "head -n 12 orrery/bodies/moon.py",
        "cat orrery/bodies/*.py",
        "grep -rn 'nobody' anywhere",
        "python -m rich orrery/bodies/moon.py",
        "ruff format --check elsewhere",
        "ls 'some where'",
    ],
)
def test_what_is_there_or_was_said_is_in_no_doubt(constraint: Constraint, command: str) -> None:
    assert misfits(constraint, command) == 0


@pytest.mark.parametrize(
    ("command", "until"),
    [
        ("find ruff/bodies -name '*.py'", "find r"),
        ("ls o .", "ls o "),
        ("ls -l orrery/bodies -a orrery/m", "ls -l orrery/bodies -a orrery/m"),
        ("cat orrery/bodies/moon.py x", "cat orrery/bodies/moon.py x"),
        ("ls orrery/bodies; ls off", "ls orrery/bodies; ls of"),
    ],
)
def test_an_operand_departs_at_its_first_wrong_letter(
    constraint: Constraint, command: str, until: str
) -> None:
    beginnings = (command[:end] for end in range(len(command) + 1))
    assert next(each for each in beginnings if misfits(constraint, each, whole=False)) == until


def test_an_operand_that_ends_too_early_departs_at_its_end(constraint: Constraint) -> None:
    assert misfits(constraint, "ls orrery/bodie", whole=False) == 0
    assert misfits(constraint, "ls orrery/bodie") == 1


def test_without_a_workspace_nothing_is_known_of_operands(contract: Contract) -> None:
    said = [Message("system", ""), Message("user", "List it")]
    assert misfits(Constraint.of(contract, said), "ls nowhere/at/all") == 0


@given(command=st.text(st.characters(exclude_characters='"\\\n\0', codec="ascii")))
def test_no_command_is_refused(tmp_path_factory: pytest.TempPathFactory, command: str) -> None:
    root = tmp_path_factory.getbasetemp()
    contract = Contract(standard_functions(Toolbox(LocalHost(root))), style="brief")
    constraint = Constraint.of(contract, [Message("user", "ls a/b")], root)
    assert misfits(constraint, command) >= 0
    assert Constraint.from_json(constraint.to_json()).to_json() == constraint.to_json()


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("ls orrery/bodies", False),
        ("find ./orrery/bodies/ -name '*.py'", False),
        ("cat orrery/bodies/moon.py", False),
        ("ls ..", False),
        ("python backup", False),
        ("grep -rn nobody sources", False),
        ("find sources", True),
        ("ls orrery/body", True),
        ("lsorrery", True),
        ("tailor orrery", True),
        ("lint orrery", False),
        ("ls orrery | head ruff", True),
        ("ls backup.py", False),  # the request looks for it
    ],
)
def test_what_is_looked_at_has_to_be_there_where_the_request_names_what_is(
    constraint: Constraint, command: str, wrong: bool
) -> None:
    cursor = ReplyCursor(constraint.rules)
    assert cursor.advance(f'```python\nprint(run_command("{command}"))')
    assert bool(cursor.departures.breaks) == wrong


def test_anything_may_be_looked_at_where_the_request_names_nothing_that_is_there(
    contract: Contract, tmp_path: Path
) -> None:
    request = Message("user", "What is in the folder of sources?")
    rules = Constraint.of(contract, [Message("system", ""), request], tmp_path).rules
    cursor = ReplyCursor(rules)
    assert cursor.advance('```python\nprint(run_command("ls sources"))')
    assert cursor.departures.breaks == 0
