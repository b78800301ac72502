"""A two-layer Qwen3 mixture of experts with random weights: the smoke model that proves the MoE path.

It needs no download: weights come from a seed, the tokenizer is trained from the standard library's own
sources, whose text every installation has. It learns nothing useful; every stage runs on it as on a real
model, in seconds.

Covered: a folder mlx-lm loads, trains, fuses, quantises and serves. Not covered: good answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from punie_train.artefacts import write_json
from punie_train.mlx import flat, mx
from punie_train.models.tokenizer import CHATML, pieces, write_tokenizer

SEED = 23
VOCABULARY = 1024
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "moe_intermediate_size": 128,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "torch_dtype": "float32",
}


def make_tiny_moe(out: Path, seed: int = SEED) -> None:
    """Write the random model and its tokenizer into an existing folder; one seed, one result."""
    tokens, merges = _train_tokenizer()
    write_tokenizer(
        out,
        tokens=tokens,
        merges=merges,
        special=SPECIAL,
        names={"bos": SPECIAL[1], "eos": SPECIAL[2], "pad": SPECIAL[0], "unk": SPECIAL[0]},
        chat_template=CHATML,
        max_length=CONFIG["max_position_embeddings"],
    )
    config = {**CONFIG, "vocab_size": len(tokens)}
    write_json(out / "config.json", config)
    write_json(out / "generation_config.json", {"eos_token_id": config["eos_token_id"]})
    mx.save_safetensors(
        str(out / "model.safetensors"), _random_weights(config, seed), metadata={"format": "mlx"}
    )


def _train_tokenizer() -> tuple[list[str], list[tuple[str, str]]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pieces()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pieces_alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CORPUS.read_text(encoding="utf-8")], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return tokens, [tuple(merge) for merge in model["merges"]]


def pieces_alphabet() -> list[str]:
    """Return the 256 characters byte-level BPE writes bytes as."""
    return pre_tokenizers.ByteLevel.alphabet()


CORPUS = Path(__file__).with_name("tiny_moe_corpus.txt")
"""Committed text, so that the tokenizer does not depend on the Python at hand."""


def _random_weights(config: dict[str, Any], seed: int) -> dict[str, mx.array]:
    from mlx_lm.models.qwen3_moe import Model, ModelArgs

    model = Model(ModelArgs.from_dict(config))
    key = mx.random.key(seed)
    weights = {}
    for name, value in sorted(flat(model.parameters()).items()):
        key, own = mx.random.split(key)
        scale = value.shape[-1] ** -0.5
        weights[name] = value if value.ndim == 1 else scale * mx.random.normal(value.shape, key=own)
    return weights
