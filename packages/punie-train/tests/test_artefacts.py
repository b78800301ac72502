"""Artefacts are whole or absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.artefacts import (
    WHOLE_BYTES,
    digest_file,
    digest_folder,
    digest_large_file,
    held,
    read_jsonl,
    whole_file,
    whole_folder,
    write_json,
    write_jsonl,
)
from punie_train.errors import DataError


def test_a_file_whose_writing_fails_keeps_its_old_content_and_leaves_nothing_beside_it(
    tmp_path: Path,
) -> None:
    target = tmp_path / "scores.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), whole_file(target) as temporary:
        temporary.write_text('{"a":')
        raise RuntimeError
    assert json.loads(target.read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_a_folder_whose_making_fails_keeps_its_old_content(tmp_path: Path) -> None:
    target = tmp_path / "fused"
    with whole_folder(target) as folder:
        (folder / "weights").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(target) as folder:
        (folder / "weights").write_text("new")
        raise RuntimeError
    assert (target / "weights").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["fused"]


def test_an_interrupted_folder_that_resumes_is_found_again_as_it_was_left(tmp_path: Path) -> None:
    target = tmp_path / "adapter"
    with pytest.raises(KeyboardInterrupt), whole_folder(target, keep=True) as folder:
        (folder / "checkpoint").write_text("step 10")
        raise KeyboardInterrupt
    assert not target.exists()
    with whole_folder(target, keep=True) as folder:
        assert (folder / "checkpoint").read_text() == "step 10"
    assert (target / "checkpoint").read_text() == "step 10"


@pytest.mark.parametrize(
    ("line", "message"),
    [('{"a": ', "not valid JSON"), ("[1]", "expected a JSON object, found list")],
)
def test_a_malformed_line_is_named_with_its_file_and_number(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"a": 1}\n' + line + "\n")
    with pytest.raises(DataError) as caught:
        list(read_jsonl(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


@given(
    st.lists(
        st.dictionaries(st.text(max_size=4), st.integers() | st.text() | st.none(), max_size=3),
        max_size=5,
    )
)
def test_records_come_back_from_json_lines_as_they_were_written(
    tmp_path_factory, records: list[dict]
) -> None:
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    write_jsonl(path, records)
    assert list(read_jsonl(path)) == records


def test_the_digest_of_a_folder_depends_on_names_and_contents_and_on_nothing_else(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a.py").write_text("x = 1\n")
    assert digest_folder(first) == digest_folder(second)
    (second / "sub" / "a.py").rename(second / "sub" / "b.py")
    assert digest_folder(first) != digest_folder(second)


def test_a_lock_file_is_held_by_one_at_a_time_and_given_back_whatever_happens(
    tmp_path: Path,
) -> None:
    path = tmp_path / "models" / ".lock"
    with pytest.raises(KeyboardInterrupt), held(path) as waited:
        assert not waited
        with pytest.raises(BlockingIOError), held(path):
            pass
        raise KeyboardInterrupt
    with held(path) as waited:
        assert not waited


def test_the_digest_of_weights_is_that_of_the_file_up_to_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    assert digest_large_file(path) == digest_file(path)


@pytest.mark.parametrize("place", [8, 3 << 20, WHOLE_BYTES])
def test_the_digest_of_larger_weights_sees_their_header_their_size_and_pieces_up_to_their_end(
    tmp_path: Path, place: int
) -> None:
    def digest(size: int, place: int | None = None) -> str:
        path = tmp_path / "model.safetensors"
        with path.open("wb") as handle:
            handle.truncate(size)  # takes no room on the disk
            if place is not None:
                handle.seek(place)
                handle.write(b"!")
        return digest_large_file(path)

    whole = digest(WHOLE_BYTES + 1)
    assert whole == digest(WHOLE_BYTES + 1)
    assert whole != digest(WHOLE_BYTES + 2)
    assert whole != digest(WHOLE_BYTES + 1, place)
