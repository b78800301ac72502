"""What the tests share: a project in memory and a sandbox on it, and the Hypothesis profiles."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from punie_sandbox import RunResult, Sandbox
from punie_sandbox._run import Run
from punie_sandbox.testing import MemoryProject

_slow_ok = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,
    suppress_health_check=_slow_ok,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
settings.register_profile("fuzz", max_examples=3000, deadline=None, suppress_health_check=_slow_ok)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def project() -> MemoryProject:
    return MemoryProject.sample()


@pytest.fixture
async def sandbox(project: MemoryProject) -> AsyncIterator[Sandbox]:
    async with Sandbox(project.functions(), preview=project.preview()) as opened:
        yield opened


@pytest.fixture
def unchecked() -> Callable[[Sandbox, str], Awaitable[RunResult]]:
    """Run code past the check, as if the checker had found nothing."""

    async def run(sandbox: Sandbox, code: str) -> RunResult:
        session = sandbox._open_session()
        started = Run(code, sandbox.functions, sandbox.limits, None)

        async def begin() -> Any:
            prepared = await session.prepare(code)
            return await started.start(await session.open(), prepared)

        return await sandbox._finish(started, session, begin)

    return run
