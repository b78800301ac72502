"""A chat model in this process that answers many conversations at once.

Requests from concurrent turns are gathered into one batch; a request that comes later joins at the next
token, one that is done leaves. Answers are greedy, so scores can be repeated. What several conversations
begin with, such as the system prompt, is computed once and kept.

Covered: mlx-lm model folders and adapters, loaded by path. Not covered: sampling, images, servers.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from punie_agent.constrain import Constraint, TokenTexts, logits_processor
from punie_agent.models import Message, ModelReply, Usage
from punie_train.errors import ModelError
from punie_train.models.loading import LoadedModel, load_for_inference

KEPT_PREFIXES = 64
"""How many conversations' computed prefixes are kept for their next turn."""
KEPT_BYTES = 512 << 20
"""How much memory the kept prefixes may take."""
FREED_BYTES = 256 << 20
"""How much freed memory MLX may keep for reuse; batches of changing size would let it grow for ever."""
STUCK_TOKENS = 96
"""A reply that ends in so many tokens of one sequence, four times or more, is ended as too long."""
GATHER_SECONDS = 0.02
"""How long an idle model waits for more requests after the first."""


def is_stuck(tokens: Sequence[int]) -> bool:
    """Tell whether a reply has gone round in a circle for so long that greedy decoding never leaves it.

    Looked at every 16 tokens, so that it costs nothing.
    """
    if len(tokens) < STUCK_TOKENS or len(tokens) % 16:
        return False
    tail = list(tokens[-STUCK_TOKENS:])
    return any(tail[period:] == tail[:-period] for period in range(1, STUCK_TOKENS // 4 + 1))


@dataclass
class _Request:
    tokens: list[int]
    max_tokens: int
    future: Future[tuple[list[int], str]]
    constraint: Constraint | None = None
    written: list[int] = field(default_factory=list)


class BatchedModel:
    """A model folder as a `ChatModel`; use it as a context manager, which ends its thread.

    Args:
        path: an mlx-lm model folder.
        adapter: an adapter folder on it, or None.
        name: what to call it.
        max_tokens: the longest reply.
        batch: replies generated at once.

    Raises:
        ModelError: the folder cannot be loaded.
    """

    takes_constraint = True

    def __init__(
        self,
        path: Path,
        *,
        adapter: Path | None = None,
        name: str = "",
        max_tokens: int = 400,
        batch: int = 24,
    ) -> None:
        self.name = name or path.name
        self.loaded: LoadedModel = load_for_inference(path, adapter)
        limit = self.loaded.config.get("max_position_embeddings")
        self.context_limit: int | None = limit if isinstance(limit, int) else None
        self._max_tokens = max_tokens
        self._batch = batch
        self._requests: queue.Queue[_Request | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name=f"mlx-{self.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the generating thread; requests that are not answered fail."""
        if self._thread.is_alive():
            self._requests.put(None)
            self._thread.join()

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens the model sees for a conversation, ready for its answer."""
        return list(
            self.loaded.tokenizer.apply_chat_template(
                [{"role": message.role, "content": message.content} for message in messages],
                add_generation_prompt=True,
                tokenize=True,
            )
        )

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,  # noqa: ARG002 - the model shows no reasoning
        max_tokens: int | None = None,
        constraint: Constraint | None = None,
    ) -> ModelReply:
        """Answer a conversation; the text is reported whole.

        A constraint is kept to where the model's tokenizer is of a known kind.

        Raises:
            punie_agent.errors.ModelError: the conversation does not fit into the model's context.
        """
        from punie_agent.errors import ModelError as AgentModelError

        tokens = self.render(messages)
        wanted = max_tokens or self._max_tokens
        if self.context_limit is not None and len(tokens) + wanted > self.context_limit:
            raise AgentModelError(
                f"{self.name} holds {self.context_limit} tokens; this conversation has {len(tokens)} "
                f"and its answer may take {wanted}."
            )
        if not self._thread.is_alive():
            raise AgentModelError(f"{self.name} has been closed.")
        request = _Request(tokens, wanted, Future(), constraint)
        self._requests.put(request)
        try:
            written, reason = await asyncio.wrap_future(request.future)
        except ModelError as error:
            raise AgentModelError(str(error)) from None
        text = self.loaded.tokenizer.decode(written)
        if on_text is not None and text:
            on_text(text)
        return ModelReply(
            text,
            Usage(len(tokens), len(written), 1),
            finish="length" if reason == "length" else "stop",
        )

    def _work(self) -> None:
        waiting: dict[int, _Request] = {}
        try:
            from punie_train.training.fastmath import fast_math

            with fast_math(self.loaded.model):
                self._generate(waiting)
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers must learn of it
            self._fail(waiting, f"{self.name}: generation failed: {error}")
        else:
            self._fail(waiting, f"{self.name} was closed before it answered.")

    def _generate(self, waiting: dict[int, _Request]) -> None:
        import mlx.core as mx
        from mlx_lm.models.cache import LRUPromptCache

        mx.set_cache_limit(FREED_BYTES)
        generator = self._new_generator()
        prefixes = LRUPromptCache(max_size=KEPT_PREFIXES, max_bytes=KEPT_BYTES)
        try:
            while self._take_in(generator, prefixes, waiting):
                for response in generator.next()[1]:
                    request = waiting[response.uid]
                    reason = response.finish_reason
                    if reason != "stop":
                        request.written.append(response.token)
                    if reason is None and is_stuck(request.written):
                        generator.remove([response.uid])
                        reason = "length"
                    if reason is None:
                        continue
                    if response.prompt_cache is not None:
                        # Computed now: a lazy slice would keep the whole batch's cache alive.
                        mx.eval([layer.state for layer in response.prompt_cache])
                        prefixes.insert_cache("", response.all_tokens, response.prompt_cache)
                    del waiting[response.uid]
                    request.future.set_result((request.written, reason))
        finally:
            generator.close()

    def _new_generator(self) -> Any:
        import mlx.core as mx
        from mlx_lm.generate import BatchGenerator

        return BatchGenerator(
            self.loaded.model,
            stop_tokens=[[token] for token in self.loaded.tokenizer.eos_token_ids],
            completion_batch_size=self._batch,
            prefill_batch_size=self._batch,
            stream=mx.new_stream(mx.default_device()),
        )

    def _take_in(self, generator: Any, prefixes: Any, waiting: dict[int, _Request]) -> bool:
        """Put new requests into the batch, waiting for one when idle; False when it is time to end."""
        block = not waiting
        while True:
            try:
                request = self._requests.get(
                    block=block, timeout=None if not waiting else GATHER_SECONDS
                )
            except queue.Empty:
                return True
            if request is None:
                return False
            cache, rest = prefixes.fetch_nearest_cache("", request.tokens)
            if not rest:
                cache, rest = None, request.tokens
            (uid,) = generator.insert(
                [rest],
                [request.max_tokens],
                caches=None if cache is None else [cache],
                all_tokens=[request.tokens[: len(request.tokens) - len(rest)]],
                logits_processors=[self._processors(request)],
            )
            waiting[uid] = request

    @cached_property
    def _texts(self) -> TokenTexts | None:
        return TokenTexts.of(self.loaded.tokenizer)

    def _processors(self, request: _Request) -> list[Callable[[Any, Any], Any]]:
        if request.constraint is None or self._texts is None:
            return []
        return [logits_processor(request.constraint, self._texts)]

    def _fail(self, waiting: dict[int, _Request], why: str) -> None:
        pending = list(waiting.values())
        while not self._requests.empty():
            request = self._requests.get_nowait()
            if request is not None:
                pending.append(request)
        for request in pending:
            if not request.future.done():
                request.future.set_exception(ModelError(why))
