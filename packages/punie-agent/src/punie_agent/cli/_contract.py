"""`punie contract`: what a model is told, for people who write prompts, train models or compare digests."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from punie_agent import models
from punie_agent.contract import Contract, standard_functions
from punie_agent.workbench import toolbox_for
from punie_tools import LocalHost

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    toolbox = toolbox_for(LocalHost(Path()))
    own = models.contract_for(models.resolve(options.model or "test"), toolbox)
    contract = Contract(
        own.functions if options.tools is None else standard_functions(toolbox, options.tools),
        style=options.style or own.style,
        call_format=options.call_format or own.call_format,
    )
    if options.json:
        print(json.dumps(_everything(contract), indent=2, ensure_ascii=False))
    elif options.digest:
        print(contract.digest())
    else:
        print(contract.stubs.rstrip() if options.stubs else contract.system_prompt)
    return 0


def _everything(contract: Contract) -> dict[str, object]:
    return {
        **contract.to_json(),
        "digest": contract.digest(),
        "system_prompt": contract.system_prompt,
        "stubs": contract.stubs,
    }
