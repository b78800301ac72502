"""From an mlx-lm model folder to one GGUF file (F16) that llama.cpp and its kin read.

The inverse of `punie_train.models.gguf`, tokenizer and chat template included; mlx-lm's own export writes
a byte-level BPE vocabulary as a SentencePiece one, which tokenises differently.

Covered: what `punie_train.models.gguf` covers. Not covered: quantised GGUF types (llama.cpp makes those
from this file), mixtures of experts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from punie_train.artefacts import whole_file
from punie_train.errors import ModelError
from punie_train.mlx import flat, mx
from punie_train.models.gguf import LAYER_NAMES, SPECIAL, TOP_NAMES
from punie_train.models.loading import load_base

NORMAL = 1
"""GGUF's token type of ordinary tokens."""
FILE_TYPE_F16 = 1


def export_gguf(model: Path, out: Path) -> None:
    """Write a model folder as a GGUF file, whole or not at all.

    Args:
        model: an mlx-lm folder of a Llama model; a quantised one is dequantised.
        out: the file to write.

    Raises:
        ModelError: the architecture or tokenizer is not covered.
    """
    loaded = load_base(model)
    if loaded.config["model_type"] != "llama":
        raise ModelError(
            f"{model}: GGUF export covers Llama models, not {loaded.config['model_type']!r}."
        )
    weights = _weights(flat(loaded.model.parameters()), loaded.config)
    metadata = {**_architecture(loaded.config, model.name), **_tokenizer(model, loaded)}
    with whole_file(out) as temporary:
        # MLX appends the suffix when it is missing.
        named = temporary.with_suffix(".gguf")
        mx.save_gguf(str(named), weights, metadata)
        named.replace(temporary)


def _weights(parameters: dict[str, mx.array], config: dict[str, Any]) -> dict[str, mx.array]:
    layer_names = {full: short for short, full in LAYER_NAMES.items()}
    top_names = {full: short for short, full in TOP_NAMES.items()}
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config["num_key_value_heads"],
    }
    weights = {}
    for name, value in parameters.items():
        stem = name.removesuffix(".weight")
        if stem.startswith("model.layers."):
            _, _, layer, part = stem.split(".", 3)
            short = layer_names[part]
            if short in heads:
                value = _permute(value, heads[short])  # noqa: PLW2901 - the same weight in another order
            target = f"blk.{layer}.{short}.weight"
        else:
            target = f"{top_names[stem]}.weight"
        weights[target] = value.astype(mx.float32 if value.ndim == 1 else mx.float16)
    return weights


def _permute(weight: mx.array, heads: int) -> mx.array:
    rows, columns = weight.shape
    return (
        weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def _architecture(config: dict[str, Any], name: str) -> dict[str, Any]:
    def whole(number: int) -> mx.array:
        return mx.array(number, dtype=mx.uint32)

    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return {
        "general.architecture": "llama",
        "general.name": name,
        "general.file_type": whole(FILE_TYPE_F16),
        "llama.embedding_length": whole(config["hidden_size"]),
        "llama.block_count": whole(config["num_hidden_layers"]),
        "llama.feed_forward_length": whole(config["intermediate_size"]),
        "llama.attention.head_count": whole(config["num_attention_heads"]),
        "llama.attention.head_count_kv": whole(config["num_key_value_heads"]),
        "llama.attention.layer_norm_rms_epsilon": mx.array(config["rms_norm_eps"], mx.float32),
        "llama.rope.freq_base": mx.array(config["rope_theta"], mx.float32),
        "llama.rope.dimension_count": whole(head),
        "llama.context_length": whole(config["max_position_embeddings"]),
        "llama.vocab_size": whole(config["vocab_size"]),
    }


def _tokenizer(model: Path, loaded: Any) -> dict[str, Any]:
    described = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = [
        one["type"] for one in (described.get("pre_tokenizer") or {}).get("pretokenizers", [])
    ]
    if described["model"]["type"] != "BPE" or pieces != ["Digits", "ByteLevel"]:
        raise ModelError(
            f"{model}: GGUF export covers SmolLM's tokenizer (BPE after Digits and ByteLevel), "
            f"not {described['model']['type']} after {pieces}."
        )
    vocabulary = described["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {one["content"] for one in described["added_tokens"] if one["special"]}
    merges = [
        merge if isinstance(merge, str) else " ".join(merge)
        for merge in described["model"]["merges"]
    ]
    types = [SPECIAL if token in special else NORMAL for token in tokens]
    ids = {
        f"tokenizer.ggml.{role}_token_id": mx.array(
            vocabulary[getattr(loaded.tokenizer, f"{short}_token")], mx.uint32
        )
        for role, short in (("bos", "bos"), ("eos", "eos"), ("padding", "pad"), ("unknown", "unk"))
    }
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": mx.array(types, mx.int32),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": mx.array(False),
        "tokenizer.chat_template": loaded.tokenizer.chat_template,
        **ids,
    }
