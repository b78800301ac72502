"""Writing a byte-level BPE tokenizer the way transformers and mlx-lm read it.

Covered: SmolLM's kind (digits one by one, then GPT-2's byte-level pieces), special tokens, ChatML.
Not covered: training one (`punie_train.models.tiny_moe` does, with the tokenizers library).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from punie_train.artefacts import write_json

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The ChatML template without a default system prompt."""


def pieces() -> pre_tokenizers.PreTokenizer:
    """Return the splitting before BPE: digits one by one, then GPT-2's byte-level pieces."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def write_tokenizer(
    out: Path,
    *,
    tokens: Sequence[str],
    merges: Sequence[tuple[str, str]],
    special: Sequence[str],
    names: Mapping[str, str],
    chat_template: str,
    max_length: int,
) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` into a folder.

    Args:
        out: an existing folder.
        tokens: the vocabulary in the order of its ids.
        merges: BPE merges, the first with the highest rank.
        special: tokens that text is never split into by BPE.
        names: the special tokens' roles: `bos`, `eos`, `pad`, `unk`.
        chat_template: a Jinja template.
        max_length: tokens the model can read.
    """
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
    tokenizer.pre_tokenizer = pieces()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(out / "tokenizer.json"))
    write_json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": chat_template,
            "model_max_length": max_length,
            "clean_up_tokenization_spaces": False,
            **{f"{role}_token": token for role, token in names.items()},
        },
    )
