"""What the model will see: lengths in its own tokens, and the chat template's round trip.

The training loop tokenises the messages of a record one prefix after another; a server renders the whole
conversation with the chat template. Both must give the same tokens, else the model is asked in a form it was
never trained in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from punie_train.errors import DataError

__all__ = ["Tokenizer"]


class Tokenizer:
    """The tokenizer of a base model folder."""

    def __init__(self, folder: Path) -> None:
        # Only tokenizers are used of it; that PyTorch is missing is no news (mlx-lm says the same).
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import AutoTokenizer

        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError) as error:
            raise DataError(f"{folder}: no tokenizer that can be loaded: {error}.") from None
        self._tokenizer = tokenizer

    def render(self, messages: Sequence[Mapping[str, str]], *, ask: bool = False) -> str:
        """Return the conversation as the chat template writes it; `ask` opens the model's turn."""
        return self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=ask
        )

    def tokens(self, messages: Sequence[Mapping[str, str]], *, ask: bool = False) -> list[int]:
        """Return the conversation's tokens."""
        return self._tokenizer.encode(self.render(messages, ask=ask), add_special_tokens=False)

    def problems(self, record: Mapping[str, Any], whole: list[int] | None = None) -> list[str]:
        """Say where a record does not survive the round trip; nothing when it does.

        Args:
            record: with `messages`.
            whole: their tokens, where they are known.
        """
        messages = record["messages"]
        whole = self.tokens(messages) if whole is None else whole
        problems = []
        for place, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            before = self.tokens(messages[:place], ask=True)
            is_last = place + 1 == len(messages)
            after = whole if is_last else self.tokens(messages[: place + 1])
            if whole[: len(before)] != before or whole[: len(after)] != after:
                problems.append(
                    f"message {place}: the template renders it differently inside the conversation"
                )
        return problems
