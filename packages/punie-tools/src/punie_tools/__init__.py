"""Typed results of the tools a Python developer checks with: ty, ruff, pytest, git, LSP."""
