"""What fills the slots of each intent's phrasings, of all intents."""

from __future__ import annotations

from collections.abc import Mapping

from punie_train.data.bindings import PLACE_BINDERS, Binder
from punie_train.data.check_bindings import CHECK_BINDERS
from punie_train.data.repair_bindings import REPAIR_BINDERS
from punie_train.data.shell_bindings import SHELL_BINDERS
from punie_train.data.text_bindings import TEXT_BINDERS

BINDERS: Mapping[str, Binder] = {
    **PLACE_BINDERS,
    **TEXT_BINDERS,
    **SHELL_BINDERS,
    **CHECK_BINDERS,
    **REPAIR_BINDERS,
}
