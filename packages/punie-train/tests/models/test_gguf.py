"""A model written as GGUF and read back is the same model with the same tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from punie_train.errors import ModelError
from punie_train.mlx import flat, mx
from punie_train.models.gguf import convert_gguf
from punie_train.models.gguf_export import export_gguf
from punie_train.models.loading import load_base


@pytest.fixture
def llama(tiny_llama: Path, tmp_path: Path) -> Path:
    """A Llama with random weights that float16 holds exactly, and a real tokenizer."""
    folder = tmp_path / "llama"
    shutil.copytree(tiny_llama, folder)
    weights = {
        name: each.astype(mx.float16)
        for name, each in flat(load_base(folder).model.parameters()).items()
    }
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    return folder


def test_export_and_conversion_are_inverse(llama: Path, tmp_path: Path) -> None:
    export_gguf(llama, tmp_path / "model.gguf")
    (tmp_path / "back").mkdir()
    convert_gguf(tmp_path / "model.gguf", tmp_path / "back")

    one, other = load_base(llama), load_base(tmp_path / "back")
    ours, theirs = flat(one.model.parameters()), flat(other.model.parameters())
    assert ours.keys() == theirs.keys()
    assert all(mx.array_equal(ours[name], theirs[name]).item() for name in ours)
    text = "def café(x: int) -> str:\n    return f'{x}: 2024'<|im_end|>\n"
    assert one.tokenizer.encode(text) == other.tokenizer.encode(text)
    messages = [{"role": "user", "content": "hi"}]
    assert one.tokenizer.apply_chat_template(messages) == other.tokenizer.apply_chat_template(
        messages
    )


def test_a_mixture_cannot_be_exported_and_is_refused_by_name(
    tiny_moe: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="covers Llama models, not 'qwen3_moe'"):
        export_gguf(tiny_moe, tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()
