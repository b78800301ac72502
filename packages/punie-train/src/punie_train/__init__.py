"""Teach a small local model your typed tools: executed data, MLX LoRA, and scores earned by running what the model wrote."""
