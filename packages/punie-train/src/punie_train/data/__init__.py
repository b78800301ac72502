"""Data: from hand-written sources to executed, checked and split training examples.

`generate` draws examples and runs each one; `merge` audits and splits them; `audit` says again what a data
set holds; `harvest` makes candidates from traces that a person accepted. Importing this is cheap.
"""

from __future__ import annotations

from punie_train.data.audit import audit, render_audit
from punie_train.data.config import GenerateConfig, MergeConfig, contract_for
from punie_train.data.generate import generate
from punie_train.data.harvest import harvest
from punie_train.data.merge import merge

__all__ = [
    "GenerateConfig",
    "MergeConfig",
    "audit",
    "contract_for",
    "generate",
    "harvest",
    "merge",
    "render_audit",
]
