"""What serves a model on a CPU computes what scored it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from mlx_lm.generate import generate_step

from punie_agent.models import Message, registry
from punie_agent.models._launcher import engines, fastest_here
from punie_agent.models._served import ServedModel
from punie_train.evaluation.batching import BatchedModel
from punie_train.mlx import mx
from punie_train.models.loading import load_base, load_for_inference
from punie_train.serving import PackedModel, on_cpu
from punie_train.training.cpu.products import available

packed = pytest.mark.skipif(not available(), reason="models are left to MLX on this machine")


def written(model: Any, prompt: list[int], cache: Any = None) -> list[int]:
    """Return what mlx-lm generates, greedily."""
    steps = generate_step(mx.array(prompt), model, max_tokens=20, prompt_cache=cache)
    return [int(token) for token, _ in islice(steps, 20)]


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
