"""`punie serve-model`: one local model on an OpenAI-compatible URL, verified, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio

from punie_agent.cli._terminal import interruptible, run_to_end
from punie_agent.errors import ModelUnavailableError
from punie_agent.models import registry
from punie_agent.models._served import ModelServer

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Serve; returns the exit code."""
    found = registry.named(options.name) or registry.find(options.name)
    return run_to_end(_serve(ModelServer(found, host=options.host, port=options.port)))


async def _serve(server: ModelServer) -> int:
    async with interruptible() as interrupted:
        try:
            await server.start()
            print(f"{server.artefact.name} is served at {server.url}/v1#default_model", flush=True)
            print(
                f"folder {server.artefact.folder}\ndigest {server.identity['digest']}", flush=True
            )
            print("Ctrl-C stops it.", flush=True)
            ended = asyncio.ensure_future(server.ended())
            stopped = asyncio.ensure_future(interrupted.wait())
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not interrupted.is_set():
                raise ModelUnavailableError(
                    f"the server of {server.artefact.name!r} ended by itself"
                )
            ended.cancel()
        finally:
            await server.stop()
    return 0
