"""From a llama-architecture GGUF file to an mlx-lm model folder.

Covered: weights MLX can read from GGUF (float, Q4_0, Q4_1, Q8_0), tied or untied output, the `gpt2`
byte-level BPE tokenizer with individual digits (SmolLM), the chat template in the file's metadata.
Not covered: K-quants, other architectures, other pre-tokenizers; each is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from punie_train.artefacts import write_json
from punie_train.errors import ModelError
from punie_train.mlx import mx
from punie_train.models.tokenizer import write_tokenizer

LAYER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
TOP_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_Q4_1_GROUP = 32
SPECIAL = 3
"""GGUF's token type of control tokens."""


def convert_gguf(source: Path, out: Path) -> None:
    """Write a GGUF file's model, tokenizer and chat template into a folder, in float32.

    Args:
        source: the GGUF file.
        out: an existing folder.

    Raises:
        ModelError: the file cannot be read, or is of an architecture or tokenizer not covered.
    """
    try:
        loaded = mx.load(str(source), return_metadata=True)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{source}: not a GGUF file MLX can read: {error}") from None
    weights, metadata = cast("tuple[dict[str, mx.array], dict[str, Any]]", loaded)
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise ModelError(f"{source}: architecture {architecture!r} is not covered, only 'llama'.")
    config = _config(metadata, tied="output.weight" not in weights)
    converted = _convert_weights(weights, config)
    mx.save_safetensors(str(out / "model.safetensors"), converted, metadata={"format": "mlx"})
    write_json(out / "config.json", config)
    write_json(out / "generation_config.json", {"eos_token_id": config["eos_token_id"]})
    _write_tokenizer(metadata, source, out)


def _number(metadata: dict[str, Any], key: str) -> float:
    value = metadata.get(key)
    if value is None:
        raise ModelError(f"the GGUF metadata has no {key}.")
    return value.item()


def _config(metadata: dict[str, Any], *, tied: bool) -> dict[str, Any]:
    def whole(key: str) -> int:
        return int(_number(metadata, key))

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": whole("llama.embedding_length"),
        "num_hidden_layers": whole("llama.block_count"),
        "intermediate_size": whole("llama.feed_forward_length"),
        "num_attention_heads": whole("llama.attention.head_count"),
        "num_key_value_heads": whole("llama.attention.head_count_kv"),
        "rms_norm_eps": _number(metadata, "llama.attention.layer_norm_rms_epsilon"),
        "rope_theta": _number(metadata, "llama.rope.freq_base"),
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "max_position_embeddings": whole("llama.context_length"),
        "tie_word_embeddings": tied,
        "bos_token_id": whole("tokenizer.ggml.bos_token_id"),
        "eos_token_id": whole("tokenizer.ggml.eos_token_id"),
        "pad_token_id": whole("tokenizer.ggml.padding_token_id"),
        "torch_dtype": "float32",
    }


def _convert_weights(weights: dict[str, mx.array], config: dict[str, Any]) -> dict[str, mx.array]:
    converted = {}
    for name in weights:
        stem, _, leaf = name.rpartition(".")
        if leaf != "weight":
            continue
        value = _as_float(weights, stem)
        if stem.startswith("blk."):
            _, layer, part = stem.split(".")
            heads = {
                "attn_q": config["num_attention_heads"],
                "attn_k": config["num_key_value_heads"],
            }.get(part)
            if heads:
                value = _unpermute(value, heads)
            converted[f"model.layers.{layer}.{LAYER_NAMES[part]}.weight"] = value
        else:
            converted[f"{TOP_NAMES[stem]}.weight"] = value
    return converted


def _as_float(weights: dict[str, mx.array], stem: str) -> mx.array:
    weight = weights[f"{stem}.weight"]
    if weight.dtype != mx.uint32:
        return weight.astype(mx.float32)
    scales = weights[f"{stem}.scales"].astype(mx.float32)
    biases = weights[f"{stem}.biases"].astype(mx.float32)
    bits = weight.shape[-1] * 32 // (scales.shape[-1] * _Q4_1_GROUP)
    return mx.dequantize(weight, scales, biases, group_size=_Q4_1_GROUP, bits=bits)


def _unpermute(weight: mx.array, heads: int) -> mx.array:
    # GGUF interleaves the two halves of each head for its own rotary embedding; mlx-lm does not.
    rows, columns = weight.shape
    return (
        weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def _write_tokenizer(metadata: dict[str, Any], source: Path, out: Path) -> None:
    kind = (metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise ModelError(f"{source}: tokenizer {kind} is not covered, only ('gpt2', 'smollm').")
    tokens = metadata["tokenizer.ggml.tokens"]
    types = metadata["tokenizer.ggml.token_type"].tolist()

    def token(key: str) -> str:
        return tokens[int(_number(metadata, f"tokenizer.ggml.{key}_token_id"))]

    write_tokenizer(
        out,
        tokens=tokens,
        merges=[tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]],
        special=[text for text, type_ in zip(tokens, types, strict=True) if type_ == SPECIAL],
        names={key: token(full) for key, full in _NAMED_TOKENS.items()},
        chat_template=metadata["tokenizer.chat_template"],
        max_length=int(_number(metadata, "llama.context_length")),
    )


_NAMED_TOKENS = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
