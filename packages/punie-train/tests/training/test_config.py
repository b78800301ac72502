"""Configurations are read strictly."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from punie_train.training import FuseConfig, QuantizeConfig, TrainConfig
from punie_train.training.loop import learning_rate


def test_names_of_other_tools_are_refused() -> None:
    with pytest.raises(ValidationError, match="lora_rank"):
        TrainConfig.model_validate({"lora_rank": 8})


def test_iterations_replace_the_default_epochs_and_both_are_refused() -> None:
    assert TrainConfig(iterations=500).epochs is None
    with pytest.raises(ValidationError, match="not both"):
        TrainConfig(iterations=500, epochs=2)


def test_the_router_of_a_mixture_is_never_adapted() -> None:
    with pytest.raises(ValidationError, match="router"):
        TrainConfig(keys=("mlp.gate",))


def test_bits_that_do_not_exist_are_refused() -> None:
    assert QuantizeConfig().bits == 5
    with pytest.raises(ValidationError):
        QuantizeConfig.model_validate({"bits": 7})


@pytest.mark.parametrize("config", [TrainConfig, FuseConfig, QuantizeConfig])
def test_every_key_is_documented(config: type[BaseModel]) -> None:
    assert [name for name, field in config.model_fields.items() if not field.description] == []


def test_the_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    config = TrainConfig(learning_rate=1.0, warmup=0.1, final_rate=0.1)
    rates = [learning_rate(step, 100, config) for step in (1, 10, 55, 100)]
    assert rates == pytest.approx([0.1, 1.0, 0.55, 0.1])
    assert learning_rate(1, 100, TrainConfig(learning_rate=1.0, warmup=0)) == pytest.approx(
        1.0, rel=1e-3
    )
