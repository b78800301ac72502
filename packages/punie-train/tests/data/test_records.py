"""What a user asked is told from what a program printed."""

from __future__ import annotations

import pytest

from punie_train.data.records import user_prompts


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Types are checked by ty.", ["Who checks types?", "And style?"]),
        ("Write this:\n```toml\n[tool.ty]\n```", ["Who checks types?", "And style?"]),
        ('```python\nprint(typecheck("."))\n```', ["Who checks types?"]),
        ('Let me see.\n```py\ntypecheck(".")\n```', ["Who checks types?"]),
    ],
)
def test_what_follows_a_program_is_its_output_and_anything_else_is_a_question(
    said: str, asked: list[str]
) -> None:
    messages = [("system", "…"), ("user", "Who checks types?"), ("assistant", said)]
    told = [*messages, ("user", "And style?"), ("assistant", "ruff does.")]
    record = {"messages": [{"role": role, "content": text} for role, text in told]}

    assert user_prompts(record) == asked
