"""The one error family of punie-train; each message says what happened, where, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class TrainError(Exception):
    """Base of every error punie-train raises on purpose; the command line prints it without a traceback."""


class PhaseError(TrainError):
    """A phase file, a stage configuration or a model name is not what the kit understands."""


class DataError(TrainError):
    """A source, a record or a data set breaks a rule; the message lists each with its file and line."""


class ModelError(TrainError):
    """Model weights are missing, damaged or not the ones that were asked for."""


class TrainingError(TrainError):
    """Training, fusing or quantising could not produce a model that passes its own gate."""


class EvaluationError(TrainError):
    """A suite, a workspace or a report cannot be used for scoring."""


SHOWN = 8
"""Faults of a file that a message lists; a file of another kind has hundreds."""


def faults(error: ValidationError) -> str:
    """Return what is wrong with a file or a part of one, the first faults with their places in it."""
    found = [
        f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}"
        for each in error.errors(include_url=False)
    ]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*found[:SHOWN], *more])
