"""The configuration of training, fusing and quantising: every key, its unit and its default.

Covered: reading and checking. Not covered: what a phase changes (`data/phases/*.toml`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ATTENTION_KEYS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
MLP_KEYS = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
EXPERT_KEYS = (
    "mlp.switch_mlp.gate_proj",
    "mlp.switch_mlp.up_proj",
    "mlp.switch_mlp.down_proj",
)
DEFAULT_KEYS = (*ATTENTION_KEYS, *MLP_KEYS, *EXPERT_KEYS)
"""Modules of a layer that may be adapted; never the router of a mixture of experts (`mlp.gate`)."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TrainConfig(_Strict):
    """How the adapter is trained."""

    trainer: Literal["punie", "mlx-lm"] = "punie"
    """`punie`: the loop of this package. `mlx-lm`: `mlx_lm.lora` as shipped, for comparison."""
    method: Literal["lora", "dora", "full"] = "lora"
    """Low-rank adapters, weight-decomposed ones, or all weights of the trained layers."""
    num_layers: int = Field(default=8, ge=-1)
    """Layers trained, counted from the last; -1 trains all."""
    rank: int = Field(default=8, ge=1)
    """Rank of the adapters."""
    scale: float = Field(default=20.0, gt=0)
    """Factor of the adapters' output (mlx-lm's `scale`, not alpha)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the adapters."""
    keys: tuple[str, ...] = DEFAULT_KEYS
    """Modules adapted in each layer, by their names in it; those a layer lacks are left out."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Peak learning rate."""
    warmup: float = Field(default=0.05, ge=0, le=1)
    """Part of all steps over which the rate rises linearly from zero."""
    final_rate: float = Field(default=0.05, ge=0, le=1)
    """The rate at the last step as a part of the peak; a cosine leads there."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decoupled weight decay."""
    beta2: float = Field(default=0.999, gt=0, lt=1)
    """How much of AdamW's mean of squared gradients stays at a step. With less than usual the gradients of
    the first steps, which are the largest, do not slow the last of some hundred steps."""
    clip_norm: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    epochs: float | None = Field(default=3, gt=0)
    """Passes over the training rows; exclusive with `iterations`."""
    iterations: int | None = Field(default=None, ge=1)
    """Optimizer steps; exclusive with `epochs`."""
    batch_size: int = Field(default=8, ge=1)
    """Rows a step, over all ranks."""
    accumulate: int = Field(default=1, ge=1)
    """Parts a batch is computed in, one after another, to save memory; the result is the same."""
    tail_weight: float = Field(default=1.0, gt=0, le=1)
    """What a token of an answer in prose counts after its first 16. A text is learned whole from fewer
    repetitions than it takes to learn which of many to begin, so below 1 more is learned of all else."""
    whole_ends: int = Field(default=0, ge=0)
    """How many rows keep the end of a program that they share with others; in later ones it stops once it is
    told from all that go on otherwise, because its rest is learned from the first. 0 leaves all whole."""
    whole_answers: int = Field(default=0, ge=0)
    """How many rows keep an answer in prose that they share; in later ones it stops after 16 tokens. It takes
    fewer repetitions to learn a text by heart than to learn what it answers to. 0 leaves all whole."""
    skip_below: float = Field(default=0.0, ge=0)
    """Rows whose mean loss in a step (nats a token) is below this are not learned from in it: they are known,
    and what they would add to the gradient is not worth two thirds of their time (Jiang et al., 2019,
    https://arxiv.org/abs/1910.00762). 0 learns from all."""
    shared_gradient: bool = True
    """Whether the gradient also goes through the tokens that all rows begin with (the system prompt). Without
    it weights are learned from what the rows' own tokens do with them alone, which spares two thirds of the
    shared tokens' time; what these tokens are to the rows is computed anew in each step all the same."""
    max_tokens: int = Field(default=2048, ge=16)
    """Rows with more tokens than this are refused."""
    seed: int = 23
    """Seed of the adapters' first weights, the dropout and the order of rows."""
    evaluate_every: int = Field(default=50, ge=0)
    """Steps between measurements of the validation loss; 0 measures at the end only."""
    save_every: int = Field(default=25, ge=1)
    """Steps between checkpoints; training goes on from the last one."""
    keep: Literal["last", "best", "behaviour"] = "best"
    """Which weights become the adapter: the last, those with the lowest validation loss, or those that do
    most validation records right when what they write is run (ties: the lower loss)."""
    patience: int = Field(default=0, ge=0)
    """Stop after this many measurements without a better one; 0 never stops early."""
    cache_mb: int = Field(default=1024, ge=0)
    """Memory for activations below the first trained layer, in MB; what exceeds it is on disk."""
    streams: int = Field(default=0, ge=0)
    """Parallel computations on CPU; 0 takes one for each core, at most eight, or four where MLX computes."""
    engine: Literal["auto", "cpu", "mlx"] = "auto"
    """What computes: `cpu` for Llama-like models on x86, `mlx` for everything else; `auto` chooses."""
    precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the `cpu` engine multiplies in; sums over tokens and steps are float32. `auto` takes what the CPU
    multiplies fastest: bfloat16 (AMX), float16 (AVX512-FP16), bfloat16 (AVX512-BF16) or float32."""
    track: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Also send the metrics to these (extras of the package)."""

    @model_validator(mode="before")
    @classmethod
    def _iterations_replace_epochs(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("iterations") is not None:
            if values.get("epochs") is not None:
                raise ValueError("give `epochs` or `iterations`, not both")
            return {**values, "epochs": None}
        return values

    @model_validator(mode="after")
    def _router_is_never_adapted(self) -> TrainConfig:
        routers = [key for key in self.keys if key.endswith(("mlp.gate", ".router"))]
        if routers:
            raise ValueError(
                f"{routers[0]} is the router of a mixture of experts; it is not adapted"
            )
        return self


class FuseConfig(_Strict):
    """How the adapter is fused into the base."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of the fused weights."""
    tolerance: float = Field(default=1e-3, gt=0)
    """Largest difference of a logit between the adapter model and the fused one, before `dtype`."""


class QuantizeConfig(_Strict):
    """How the fused model is quantised."""

    bits: Literal[2, 3, 4, 5, 6, 8] = 5
    """Bits of a weight."""
    group_size: Literal[32, 64, 128] = 32
    """Weights that share a scale; in groups of 32, weights of a base that was 4-bit before stay exact."""
    scale_dtype: Literal["float32", "float16", "bfloat16"] = "float16"
    """Type of scales, biases and of what is not quantised."""
    embedding_bits: Literal[4, 5, 6, 8] | None = None
    """Bits of embeddings and output, where they shall have more."""
    keep: dict[str, Literal[4, 5, 6, 8]] = {}
    """Bits of modules whose path contains the key, such as `down_proj = 6`; the longest key wins."""
