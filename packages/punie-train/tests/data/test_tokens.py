"""Lengths in tokens and the chat template's round trip."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from punie_train.artefacts import read_jsonl
from punie_train.data import MergeConfig, merge
from punie_train.data.tokens import Tokenizer
from punie_train.errors import DataError
from punie_train.progress import Progress

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LAST_DIFFERS = CHATML.replace(
    "{{ message.content }}", "{{ message.content }}{% if loop.last %}!{% endif %}"
)


def tokenizer_folder(folder: Path, template: str) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fast = FastTokenizer(
        models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[])
    )
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=fast)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(str(folder))
    return folder


def test_records_survive_the_round_trip(generated, tmp_path):
    folder = tokenizer_folder(tmp_path / "base", CHATML)
    tokenizer = Tokenizer(folder)
    assert [tokenizer.problems(record) for record in read_jsonl(generated)] == [[]] * 45


def test_a_template_that_renders_a_turn_differently_later_is_found(generated, tmp_path):
    tokenizer = Tokenizer(tokenizer_folder(tmp_path / "base", LAST_DIFFERS))
    record = next(record for record in read_jsonl(generated) if record["trace"])
    assert tokenizer.problems(record)[0].startswith(
        "message 2: the template renders it differently"
    )


def test_a_row_that_is_too_long_is_refused(generated, tmp_path):
    folder = tokenizer_folder(tmp_path / "base", CHATML)
    with pytest.raises(DataError, match=r"tokens, more than 600"):
        merge(
            MergeConfig(max_tokens=600),
            inputs=[generated],
            out=tmp_path / "out",
            progress=Progress(),
            tokenizer=folder,
        )


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(DataError, match="no tokenizer that can be loaded"):
        Tokenizer(tmp_path)
