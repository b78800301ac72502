"""A chat model in this process that answers many conversations at once.

Requests from concurrent turns are gathered into one batch; a request that comes later joins at the next
token, one that is done leaves. Answers are greedy: nothing is drawn by chance. Yet who shares a batch depends
on timing, and products of another number of rows differ in their last bits, so that of two tokens that are
nearly equally likely now one and now the other may be taken. What several conversations begin with, such as
the system prompt, is computed once and kept.

Covered: mlx-lm model folders and adapters, loaded by path. Not covered: sampling, images, servers.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from punie_agent.constrain import Constraint, LogitsProcessor, TokenTexts
from punie_agent.models import Message, ModelReply, Usage
from punie_train.errors import ModelError
from punie_train.evaluation.decoding import Passes, Replies, Reply, read
from punie_train.evaluation.drafting import Drafts
from punie_train.models.loading import LoadedModel, load_for_inference

KEPT_PREFIXES = 64
"""How many conversations' computed prefixes are kept for their next turn."""
KEPT_BYTES = 256 << 20
"""How much memory the kept prefixes may take."""
FREED_BYTES = 256 << 20
"""How much freed memory MLX may keep for reuse; batches of changing size would let it grow for ever."""
WORTH_SHARING = 32
"""Tokens that several prompts begin with, from which on they are read once before all."""
CHEAP = 4
"""Replies at once that cost little more than one: what takes the time is to read the weights."""
GATHER_SECONDS = 0.02
"""How long an idle model waits for more requests after the first."""


@dataclass
class _Request:
    reply: Reply
    future: Future[Reply]


class BatchedModel:
    """A model folder as a `ChatModel`; use it as a context manager, which ends its thread.

    Args:
        path: an mlx-lm model folder.
        adapter: an adapter folder on it, or None.
        name: what to call it.
        max_tokens: the longest reply.
        batch: replies generated at once.
        drafts: replies of other models with the same tokenizer; this model's are added.

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
        drafts: Drafts | None = None,
    ) -> None:
        self.name = name or path.name
        self.loaded: LoadedModel = load_for_inference(path, adapter)
        limit = self.loaded.config.get("max_position_embeddings")
        self.context_limit: int | None = limit if isinstance(limit, int) else None
        self._max_tokens = max_tokens
        self._batch = batch
        self._drafts = Drafts() if drafts is None else drafts
        self._asked_for = 0
        self._closing = threading.Event()
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
            self._closing.set()
            self._requests.put(None)
            self._thread.join()

    @property
    def idle_places(self) -> int:
        """How many more replies could be written now at next to no cost."""
        return max(min(CHEAP, self._batch) - self._asked_for, 0)

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
        request = _Request(self._new_reply(tokens, wanted, constraint), Future())
        self._requests.put(request)
        self._asked_for += 1
        try:
            reply = await asyncio.wrap_future(request.future)
        except ModelError as error:
            raise AgentModelError(str(error)) from None
        except asyncio.CancelledError:
            request.reply.limit = 0  # it ends with its next token
            raise
        finally:
            self._asked_for -= 1
        text = self.loaded.tokenizer.decode(reply.written)
        if on_text is not None and text:
            on_text(text)
        return ModelReply(
            text,
            Usage(len(tokens), len(reply.written), 1),
            finish=reply.finish or "stop",
            alternatives=() if reply.keep is None else tuple(reply.keep.alternatives),
        )

    def _new_reply(self, tokens: list[int], limit: int, constraint: Constraint | None) -> Reply:
        ends = frozenset(self.loaded.tokenizer.eos_token_ids)
        if constraint is None or self._texts is None:
            return Reply(tokens, limit, ends)
        keep = LogitsProcessor(constraint, self._texts)
        start = self.loaded.tokenizer.encode(constraint.start, add_special_tokens=False)
        written = keep.begin_with(start)
        return Reply(tokens, limit, ends, keep, constraint.start, written)

    @cached_property
    def _texts(self) -> TokenTexts | None:
        return TokenTexts.of(self.loaded.tokenizer)

    def _work(self) -> None:
        waiting: dict[Reply, Future[Reply]] = {}
        try:
            from punie_train.evaluation.fast_decoding import fast_decoding
            from punie_train.evaluation.mlx_decoding import MlxPasses
            from punie_train.evaluation.packed import packed_passes
            from punie_train.mlx import mx

            mx.set_cache_limit(FREED_BYTES)
            stream = mx.new_stream(mx.default_device())
            with fast_decoding(self.loaded.model), mx.stream(stream):
                passes = packed_passes(self.loaded.model) or MlxPasses(self.loaded.model)
                self._generate(passes, waiting)
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers must learn of it
            self._fail(waiting, f"{self.name}: generation failed: {error}")
        else:
            self._fail(waiting, f"{self.name} was closed before it answered.")

    def _generate(self, passes: Passes, waiting: dict[Reply, Future[Reply]]) -> None:
        from mlx_lm.models.cache import LRUPromptCache

        batch = passes.new_batch()
        prefixes = LRUPromptCache(max_size=KEPT_PREFIXES, max_bytes=KEPT_BYTES)
        while self._take_in(passes, batch, prefixes, waiting):
            for reply, cache in batch.step():
                self._hand_back(reply, cache, prefixes, waiting)

    def _take_in(
        self, passes: Passes, batch: Replies, prefixes: Any, waiting: dict[Reply, Future[Reply]]
    ) -> bool:
        """Let those join who asked, waiting for one when idle; False when it is time to end."""
        idle, joining = not waiting, list[Reply]()
        while len(waiting) < self._batch and not self._closing.is_set():
            try:
                request = self._requests.get(
                    block=idle, timeout=GATHER_SECONDS if waiting else None
                )
            except queue.Empty:
                break
            if request is None or not request.future.set_running_or_notify_cancel():
                continue
            waiting[request.reply] = request.future
            joining.append(request.reply)
        if len(joining) > 1:
            self._read_once(passes, [reply.prompt for reply in joining], prefixes)
        for reply in joining:
            reply.others = self._drafts.given(reply)
            known = self._known(passes, reply.tokens, prefixes)
            batch.join(reply, *known, self._drafts.of(reply))
        return not self._closing.is_set()

    def _read_once(self, passes: Passes, prompts: list[list[int]], prefixes: Any) -> None:
        """Read what several prompts begin with, so that each of them finds it."""
        shortest = min(map(len, prompts)) - 1  # each keeps a token that tells what follows
        same = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
        common = [tokens[0] for tokens in islice(same, shortest)]
        cache, rest = self._known(passes, common, prefixes)
        if len(rest) < WORTH_SHARING:
            return
        read(passes, rest, cache)
        prefixes.insert_cache("", common, cache)

    def _known(
        self, passes: Passes, prompt: list[int], prefixes: Any
    ) -> tuple[list[Any], list[int]]:
        """Return a cache of what earlier ones left of a prompt, and the rest, which is not empty."""
        cache, rest = prefixes.fetch_nearest_cache("", prompt)
        if cache is None or not rest:
            return passes.new_cache(), prompt
        return cache, rest

    def _hand_back(
        self,
        reply: Reply,
        cache: list[Any],
        prefixes: Any,
        waiting: dict[Reply, Future[Reply]],
    ) -> None:
        """Give a reply that ended to who asked for it, and keep its cache for the next turn."""
        self._drafts.remember(reply)
        prefixes.insert_cache("", reply.seen, cache)
        waiting.pop(reply).set_result(reply)

    def _fail(self, waiting: dict[Reply, Future[Reply]], why: str) -> None:
        pending = list(waiting.values())
        while not self._requests.empty():
            request = self._requests.get_nowait()
            if request is not None:
                pending.append(request.future)
        for future in pending:
            if not future.done():
                future.set_exception(ModelError(why))
