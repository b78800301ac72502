"""What serves a model on a CPU computes what scored it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from mlx_lm.generate import generate_step
from mlx_lm.utils import load_model

from punie_agent.models import Message, registry
from punie_agent.models._launcher import engines, fastest_here, to_float32
from punie_agent.models._served import ServedModel
from punie_agent.models.dequantized import take_stored
from punie_train.evaluation.batching import BatchedModel
from punie_train.mlx import flat, mx
from punie_train.models.loading import load_base, load_for_inference
from punie_train.progress import Progress
from punie_train.serving import PackedModel, on_cpu
from punie_train.training.config import QuantizeConfig
from punie_train.training.cpu.products import available
from punie_train.training.quantizing import quantize

packed = pytest.mark.skipif(not available(), reason="models are left to MLX on this machine")


def written(model: Any, prompt: list[int], cache: Any = None) -> list[int]:
    """Return what mlx-lm generates, greedily."""
    steps = generate_step(mx.array(prompt), model, max_tokens=20, prompt_cache=cache)
    return [int(token) for token, _ in islice(steps, 20)]


def test_the_weights_of_a_quantised_model_are_served_as_they_are_scored(
    tiny_llama: Path, tmp_path: Path
) -> None:
    """None is rounded to the half precision of its scale."""
    quantize(QuantizeConfig(bits=5), model=tiny_llama, out=tmp_path / "q", progress=Progress())
    served = flat(to_float32(load_model(tmp_path / "q")[0]).parameters())
    scored = flat(load_for_inference(tmp_path / "q").model.parameters())
    assert served.keys() == scored.keys()
    assert all(mx.array_equal(value, scored[name]) for name, value in served.items())
    assert any(not mx.array_equal(value, value.astype(mx.float16)) for value in served.values())


def test_what_is_trained_or_adapted_is_not_known_by_its_codes_any_more(
    tiny_llama: Path, tmp_path: Path
) -> None:
    quantize(QuantizeConfig(bits=5), model=tiny_llama, out=tmp_path / "q", progress=Progress())
    assert take_stored(load_for_inference(tmp_path / "q").model)
    assert take_stored(load_base(tmp_path / "q").model) == {}


@packed
@pytest.mark.parametrize("length", [1, 2, 40, 300, 600])
def test_generation_is_what_it_is_without(tiny_llama: Path, length: int) -> None:
    model = load_for_inference(tiny_llama).model
    faster = on_cpu(model)
    prompt = [number * 7 % 900 + 5 for number in range(length)]
    assert isinstance(faster, PackedModel)
    assert written(faster, prompt) == written(model, prompt)
    assert faster.args is model.args


@packed
def test_a_cache_of_another_kind_is_the_models_own(tiny_llama: Path) -> None:
    from mlx_lm.models.cache import make_prompt_cache

    model = load_for_inference(tiny_llama).model
    faster = on_cpu(model)
    assert faster is not None
    assert faster(mx.array([[5, 6, 7]])).shape == (1, 3, 1024)
    assert written(faster, [5, 6, 7], make_prompt_cache(model)) == written(model, [5, 6, 7])


@packed
async def test_a_llama_is_served_by_the_engine_that_scores_it(tiny_llama: Path) -> None:
    asked = [Message("user", "Check src/ please")]
    with BatchedModel(tiny_llama, max_tokens=12) as model:
        here = await model.reply(asked)
    served = ServedModel(registry.artefact(tiny_llama))
    try:
        first, again = [(await served.reply(asked, max_tokens=12)).text for _ in range(2)]
        engine = served.server.identity["engine"]
    finally:
        await served.aclose()
    assert (first, again, engine) == (here.text, here.text, "packed")


def test_an_engine_that_cannot_be_loaded_is_named_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    told = tmp_path / "broken-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[punie_agent.engines]\nbroken = nowhere:engine\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert engines() == {"packed": on_cpu}
    assert capsys.readouterr().err == (
        "the engine 'broken' cannot be loaded: No module named 'nowhere'\n"
    )


def test_where_an_engine_fails_or_has_nothing_faster_the_model_is_served_as_it_is(
    tiny_moe: Path, capsys: pytest.CaptureFixture
) -> None:
    def broken(model: Any) -> Any:
        raise ValueError(f"no {model.model_type}")

    model, engine = fastest_here(load_base(tiny_moe).model, {"broken": broken, "packed": on_cpu})
    assert engine == "mlx"
    assert capsys.readouterr().err == (
        f"the engine 'broken' fails at this model: no {model.model_type}\n"
    )
