"""What a person can set on a session: its mode and its model, as modes and as config options.

Both forms are always sent, complete: newer clients show the options, older ones the modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acp import schema

from punie_agent.permissions import MODES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MODE_NAMES", "config_options", "mode_state"]

MODE_NAMES = {"ask": "Ask", "accept-edits": "Accept edits", "plan": "Plan", "auto": "Auto"}


def mode_state(current: str) -> schema.SessionModeState:
    """Return all modes and the current one."""
    modes = [
        schema.SessionMode(id=mode, name=MODE_NAMES[mode], description=text)
        for mode, text in MODES.items()
    ]
    return schema.SessionModeState(available_modes=modes, current_mode_id=current)


def config_options(
    *, mode: str, model: str, models: Sequence[tuple[str, str]]
) -> list[schema.SessionConfigOptionSelect]:
    """Return the complete list of options; the current model is offered even if it is not listed."""
    offered = dict(models)
    offered.setdefault(model, "")
    return [
        schema.SessionConfigOptionSelect(
            id="model",
            name="Model",
            category="model",
            type="select",
            current_value=model,
            options=[
                schema.SessionConfigSelectOption(value=name, name=name, description=text or None)
                for name, text in offered.items()
            ],
        ),
        schema.SessionConfigOptionSelect(
            id="mode",
            name="Mode",
            category="mode",
            type="select",
            current_value=mode,
            options=[
                schema.SessionConfigSelectOption(value=key, name=MODE_NAMES[key], description=text)
                for key, text in MODES.items()
            ],
        ),
    ]
