"""Phase files: strict, layered, and precise about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.errors import PhaseError
from punie_train.phase import merge_tables, read_phase

PLAIN = st.recursive(
    st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(st.text(max_size=3), PLAIN, max_size=4)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_phase_takes_over_what_it_does_not_say_from_the_phase_it_extends(tmp_path: Path) -> None:
    write(
        tmp_path,
        phase1='description = "one"\nsuites = ["a"]\n[quantize]\nbits = 5\n',
        phase2='extends = "phase1"\ndescription = "two"\n[quantize]\ngroup_size = 32\n',
    )
    phase = read_phase(tmp_path / "phase2.toml")
    assert (phase.name, phase.description, phase.suites) == ("phase2", "two", ("a",))
    assert phase.stages["quantize"] == {"bits": 5, "group_size": 32}


def test_the_model_has_the_last_word_after_the_data_variant(tmp_path: Path) -> None:
    write(
        tmp_path,
        phase1="""
        [train]
        iterations = 1
        [data.full.train]
        iterations = 2
        [models.tiny.train]
        iterations = 3
        """,
    )
    path = tmp_path / "phase1.toml"
    found = {
        (data, model): read_phase(path, data=data, model=model).stages["train"]["iterations"]
        for data in ("", "full")
        for model in ("other", "tiny")
    }
    assert found == {("", "other"): 1, ("full", "other"): 2, ("", "tiny"): 3, ("full", "tiny"): 3}


def test_an_empty_table_of_a_variant_has_nothing_of_the_phase(tmp_path: Path) -> None:
    text = "[generate.drills]\ncheck = 3\n[data.exact.generate]\ndrills = {}\n"
    path = write(tmp_path, phase1=text) / "phase1.toml"
    found = [read_phase(path, data=data).stages["generate"] for data in ("", "exact")]
    assert found == [{"drills": {"check": 3}}, {"drills": {}}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "unknown key 'colour'"),
        ("[quantize", "not valid TOML"),
        ('extends = "phase1"', "goes round in a circle"),
        ('extends = "phase0"', "no such phase file (known phases: phase1)"),
        ("suites = 3", "suites: Input should be a valid list"),
        ("generate = 5", "[generate] must be a table, not int"),
        ("data = 3", "[data] must be a table, not int"),
        ("[data]\nfull = 3", "[data.full] must be a table, not int"),
        ("[data.full]\ngenerate = 3", "[data.full.generate] must be a table, not int"),
        ("models = [1]", "[models] must be a table, not list"),
        ("[models]\ntiny = 'x'", "[models.tiny] must be a table, not str"),
        ("[models.tiny]\ntrain = 1", "[models.tiny.train] must be a table, not int"),
        ("extends = 5", "names a phase beside this one, not 5"),
        ("extends = '../phase0'", "names a phase beside this one, not '../phase0'"),
        ("extends = ''", "names a phase beside this one, not ''"),
    ],
)
def test_a_faulty_phase_file_is_refused_with_its_name_and_the_fault(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, phase1=text) / "phase1.toml"
    with pytest.raises(PhaseError) as caught:
        read_phase(path, data="full" if "full" in text else "", model="tiny")
    assert str(tmp_path) in str(caught.value)
    assert message in str(caught.value)


def test_an_unknown_data_variant_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = write(tmp_path, phase1="[data.full.merge]\nseed = 1\n") / "phase1.toml"
    with pytest.raises(PhaseError, match=r"no data variant 'huge' \(known: full\)"):
        read_phase(path, data="huge")


def test_an_unknown_key_of_a_stage_is_named_with_file_and_table(tmp_path: Path) -> None:
    path = write(tmp_path, phase1="[quantize]\nbitz = 5\n") / "phase1.toml"
    with pytest.raises(PhaseError) as caught:
        read_phase(path).config("quantize")
    assert str(caught.value) == f"{path}: [quantize] bitz: unknown key"


@given(TABLES, TABLES)
def test_laying_a_table_over_itself_or_over_nothing_changes_nothing(base: dict, over: dict) -> None:
    assert merge_tables(base, {}) == base
    assert merge_tables(base, base) == base
    once = merge_tables(base, over)
    assert merge_tables(once, over) == once
