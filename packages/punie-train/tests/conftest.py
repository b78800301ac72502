"""Two tiny models: a mixture of experts, and a Llama."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from punie_train.mlx import flat, mx
from punie_train.models import prepare_base, resolve_base
from punie_train.progress import Progress


@pytest.fixture(scope="session")
def tiny_moe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-moe"
    prepare_base(resolve_base("tiny-moe"), out=folder, progress=Progress(stream=io.StringIO()))
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tiny_moe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A three-layer Llama with random weights and the tokenizer of the tiny mixture."""
    from mlx_lm.models.llama import Model, ModelArgs

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / name).write_bytes((tiny_moe / name).read_bytes())
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "intermediate_size": 128,
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
    mx.random.seed(7)
    model = Model(ModelArgs.from_dict(config))
    mx.save_safetensors(str(folder / "model.safetensors"), flat(model.parameters()))
    return folder
