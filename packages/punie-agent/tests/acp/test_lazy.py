"""Waiting that a cancel ends."""

from __future__ import annotations

import asyncio

import pytest

from punie_agent.acp.lazy import TurnCancelledError, held


async def test_who_waits_for_a_lock_is_cancelled_though_its_holder_goes_on():
    lock, cancel = asyncio.Lock(), asyncio.Event()
    async with lock:
        waiting = asyncio.create_task(_hold(lock, cancel))
        await asyncio.sleep(0)
        cancel.set()
        with pytest.raises(TurnCancelledError):
            await waiting
        assert lock.locked()

    assert not lock.locked()
    assert await _hold(lock, asyncio.Event()) == "held"


async def test_a_lock_that_was_given_just_as_the_cancel_came_is_free_afterwards():
    lock, cancel = asyncio.Lock(), asyncio.Event()
    await lock.acquire()
    waiting = asyncio.create_task(_hold(lock, cancel))
    await asyncio.sleep(0)

    lock.release()
    cancel.set()
    ended = await asyncio.gather(waiting, return_exceptions=True)

    assert ended == ["held"] or isinstance(ended[0], TurnCancelledError)
    assert not lock.locked()


async def _hold(lock: asyncio.Lock, cancel: asyncio.Event) -> str:
    async with held(lock, cancel):
        return "held"


async def test_a_lock_that_was_given_just_as_its_request_ended_is_free_afterwards():
    lock = asyncio.Lock()
    await lock.acquire()
    waiting = asyncio.create_task(_hold(lock, asyncio.Event()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    lock.release()
    await asyncio.sleep(0)
    assert lock.locked()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not lock.locked()
