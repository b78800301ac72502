"""Teach a small local model your typed tools.

Executed data, MLX LoRA training, and scores earned by running what the model wrote.
"""
