"""Training Llama-like layers on an x86 CPU: hand-derived gradients on MKL, without MLX in between.

MLX computes everything but matrix products one operation, one pass over memory and one core at a time, and
its `exp` takes 20 ns an element there; on two cores a training step reached a third of what the products
alone would take. Here the products are MKL's, called on NumPy arrays; what lies between them is compiled by
Numba, one pass over memory each; rows are packed one after the other, so nothing is padded; and each core has
its own rows of a batch.

Covered: dense decoders of mlx-lm's `llama` type with plain rotary positions and no biases; all weights or
low-rank adapters of the last layers, with products in float32, float16 or bfloat16. Everything else is
trained by MLX (`punie_train.training.mlx_engine`), which also is what the gradients here are tested against.
"""
