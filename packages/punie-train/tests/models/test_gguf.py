"""A model written as GGUF and read back is the same model with the same tokenizer."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from punie_train.errors import ModelError
from punie_train.mlx import flat, mx
from punie_train.models import prepare_base, resolve_base
from punie_train.models.gguf import convert_gguf
from punie_train.models.gguf_export import export_gguf
from punie_train.models.loading import load_base
from punie_train.progress import Progress


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A two-layer Llama with random weights that float16 holds exactly, and a real tokenizer."""
    from mlx_lm.models.llama import Model, ModelArgs

    folder = tmp_path / "llama"
    prepare_base(resolve_base("tiny-moe"), out=folder, progress=Progress(stream=io.StringIO()))
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "vocab_size": 1024,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
        "eos_token_id": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    model = Model(ModelArgs.from_dict(config))
    model.set_dtype(mx.float16)
    mx.save_safetensors(str(folder / "model.safetensors"), flat(model.parameters()))
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


def test_a_mixture_cannot_be_exported_and_is_refused_by_name(tmp_path: Path) -> None:
    prepare_base(
        resolve_base("tiny-moe"), out=tmp_path / "moe", progress=Progress(stream=io.StringIO())
    )
    with pytest.raises(ModelError, match="covers Llama models, not 'qwen3_moe'"):
        export_gguf(tmp_path / "moe", tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()
