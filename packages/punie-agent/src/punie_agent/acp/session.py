"""One open session: its turns, one at a time, and what may be set on it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acp import schema
from acp.exceptions import RequestError

from punie_agent.acp import commands
from punie_agent.acp.asking import Person
from punie_agent.acp.editor import UpdateStream
from punie_agent.acp.history import History
from punie_agent.acp.lazy import GRACE, LazyWorkspace, TurnCancelledError, finished, held
from punie_agent.acp.narrator import Narrator
from punie_agent.acp.options import config_options, mode_state
from punie_agent.acp.prompt import Prompt, read_prompt
from punie_agent.acp.store import now
from punie_agent.errors import AgentError, ModelError
from punie_agent.permissions import MODES

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from punie_agent.acp.editor import Editor
    from punie_agent.acp.mcp import ServerConfig
    from punie_agent.acp.models import Models
    from punie_agent.acp.store import StoredSession
    from punie_agent.acp.workspace import Kit
    from punie_agent.models import ChatModel
    from punie_agent.paused import PausedRun
    from punie_agent.permissions import Mode

__all__ = ["Session"]

_MOST_WAITING = 16
_TITLE = 80


class Session:
    """A conversation that an editor has open."""

    def __init__(
        self,
        stored: StoredSession,
        editor: Editor,
        models: Models,
        servers: Sequence[ServerConfig] = (),
    ) -> None:
        self.stored = stored
        self.history = History(stored)
        self._editor = editor
        self._models = models
        self._servers = servers
        self._notices: list[str] = []
        self._workspace = LazyWorkspace(editor, stored, servers)
        self._turns = asyncio.Lock()
        self._cancels: list[asyncio.Event] = []
        self._closed = False
        self._person: Person | None = None

    @property
    def id(self) -> str:
        """The session's id."""
        return self.stored.header.id

    def works_with(self, roots: Sequence[str], servers: Sequence[ServerConfig]) -> bool:
        """Return whether this session has these directories and these MCP servers."""
        header = self.stored.header
        have = (header.cwd, *header.additional_directories)
        return have == tuple(roots) and list(self._servers) == list(servers)

    # -- settings ---------------------------------------------------------------------------

    def modes(self) -> schema.SessionModeState:
        """Return the modes and the current one."""
        return mode_state(self.stored.header.mode)

    def options(self) -> list[schema.SessionConfigOptionSelect]:
        """Return all config options with their current values."""
        header = self.stored.header
        return config_options(mode=header.mode, model=header.model, models=self._models.choices())

    async def set_mode(self, mode: str) -> None:
        """Change the mode; it holds from the next tool call on, also where it cannot be written down."""
        chosen = _mode(mode)
        self._workspace.set_mode(chosen)
        self._keep(mode=chosen)

    async def set_model(self, model: str) -> None:
        """Change the model; it holds from the next turn on."""
        self._models.check(model)
        self._keep(model=model)

    def _keep(self, **changes: str) -> None:
        try:
            self.stored.change(**changes)
        except OSError as error:
            self._notices.append(f"The settings could not be saved ({error.strerror or error}).")

    async def announce(self) -> None:
        """Tell the editor the slash commands."""
        from punie_tools import EFFECTS

        update = schema.AvailableCommandsUpdate(
            session_update="available_commands_update",
            available_commands=commands.available(list(EFFECTS)),
        )
        self._editor.tell(self.id, _wire(update))

    async def announce_settings(self) -> None:
        """Tell the editor the settings, after something other than its own request changed them."""
        mode = schema.CurrentModeUpdate(
            session_update="current_mode_update", current_mode_id=self.stored.header.mode
        )
        options = schema.ConfigOptionUpdate(
            session_update="config_option_update", config_options=self.options()
        )
        for update in (mode, options):
            self._editor.tell(self.id, _wire(update))

    async def replay(self) -> None:
        """Show the editor everything that happened, in order."""
        for update in self.history.load():
            await self._editor.show(self.id, update)

    # -- turns ------------------------------------------------------------------------------

    def prompt(self, blocks: Sequence[object]) -> Coroutine[Any, Any, schema.PromptResponse]:
        """Register a turn at once, so that a cancel right behind it finds it; await it to run it."""
        if len(self._cancels) >= _MOST_WAITING:
            raise RequestError.invalid_request(
                {
                    "reason": f"session {self.id} is busy: {_MOST_WAITING} prompts are waiting; cancel first"
                }
            )
        prompt = read_prompt(blocks, Path(self.stored.header.cwd))
        cancel = asyncio.Event()
        self._cancels.append(cancel)
        return self._prompt(prompt, blocks, cancel)

    def cancel(self) -> None:
        """End the running turn and all that wait."""
        for cancel in self._cancels:
            cancel.set()

    async def abandon(self) -> None:
        """Close the session because the editor is gone; a run whose permission it was asked for waits."""
        self._closed = True
        if self._person is not None and self._person.asked:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE), self._turns:
                    pass
        await self.close()

    async def close(self) -> None:
        """Cancel everything, wait for it, and let go of the workspace."""
        self._closed = True
        self.cancel()
        async with self._turns:
            await self._workspace.close()

    async def _prompt(
        self, prompt: Prompt, blocks: Sequence[object], cancel: asyncio.Event
    ) -> schema.PromptResponse:
        try:
            # Who holds the lock may be opening the workspace for a minute, unaware of this turn's cancel.
            async with held(self._turns, cancel):
                if cancel.is_set() or self._closed:
                    return schema.PromptResponse(stop_reason="cancelled")
                with self.stored.turn() as changed:
                    if changed:
                        self.history.load()
                    return await self._turn(prompt, blocks, cancel)
        except TurnCancelledError:
            return schema.PromptResponse(stop_reason="cancelled")
        finally:
            self._cancels.remove(cancel)

    async def _turn(
        self, prompt: Prompt, blocks: Sequence[object], cancel: asyncio.Event
    ) -> schema.PromptResponse:
        stream = UpdateStream(self._editor, self.id, self.history.told)
        try:
            self._begin(prompt, blocks, stream)
            command, rest = commands.split(prompt.text)
            stop = await self._act(command, rest, prompt, stream, cancel)
            self._end(stream)
            return schema.PromptResponse(stop_reason=stop)
        except TurnCancelledError:
            self._end(stream)
            return schema.PromptResponse(stop_reason="cancelled")
        except BaseException as error:
            self._record_failure(error)
            if cancel.is_set() and isinstance(error, Exception):
                # Whatever else went wrong, the protocol's answer to a cancelled turn is no error.
                return schema.PromptResponse(stop_reason="cancelled")
            raise
        finally:
            stream.close()
            # Nobody waits for the disk: a crash of Punie loses nothing, a power cut the last second.
            asyncio.get_running_loop().run_in_executor(None, self.stored.sync)

    def _begin(self, prompt: Prompt, blocks: Sequence[object], stream: UpdateStream) -> None:
        header = self.stored.header
        for block in blocks:
            chunk = schema.UserMessageChunk(session_update="user_message_chunk", content=block)  # ty: ignore[invalid-argument-type]
            self.history.told(_wire(chunk))
        title = header.title or _title(prompt.text)
        with contextlib.suppress(OSError):
            self.stored.change(title=title, updated=now(), turns=header.turns + 1)
        if title != header.title:
            stream.tell(schema.SessionInfoUpdate(session_update="session_info_update", title=title))

    def _end(self, stream: UpdateStream) -> None:
        self.history.save(ended=True)
        if self.history.problem is not None:
            _say(stream, f"\n\nThis session could not be saved ({self.history.problem}).")

    def _record_failure(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            block = schema.TextContentBlock(type="text", text=f"The turn failed: {error}")
            chunk = schema.AgentMessageChunk(session_update="agent_message_chunk", content=block)
            self.history.told(_wire(chunk))
        self.history.save(ended=True)

    async def _act(
        self,
        command: commands.Command | None,
        rest: str,
        prompt: Prompt,
        stream: UpdateStream,
        cancel: asyncio.Event,
    ) -> schema.StopReason:
        match command:
            case None:
                model = self._models.get(self.stored.header.model)
                return await self._run(model, prompt.message, prompt, stream, cancel)
            case commands.Command(name="help"):
                _say(stream, await self._help(cancel))
            case commands.Command(name="model"):
                _say(stream, await self._choose_model(rest))
            case commands.Command(name="plan") if not rest:
                _say(stream, "What is to be planned? Say it behind `/plan`.")
            case commands.Command(name="plan"):
                return await self._plan(replace(prompt, text=rest), stream, cancel)
            case _:
                from punie_agent.testing import ScriptedModel

                workspace = await self._workspace.get(cancel)
                # A run that waits belongs to the model's own sandbox, and goes on before anything else.
                waits = self.history.paused is not None
                kit = await workspace.kit(
                    self._models.get(self.stored.header.model) if waits else None
                )
                call = kit.contract.format_call(commands.code_for(command, rest))
                model = ScriptedModel([call, f"That was `/{command.name}`."], name="command")
                return await self._run(model, prompt.message, prompt, stream, cancel, kit=kit)
        return "end_turn"

    async def _plan(
        self, prompt: Prompt, stream: UpdateStream, cancel: asyncio.Event
    ) -> schema.StopReason:
        permissions = (await self._workspace.get(cancel)).permissions
        model = self._models.get(self.stored.header.model)
        permissions.mode = "plan"
        try:
            return await self._run(model, prompt.message, prompt, stream, cancel)
        finally:
            permissions.mode = _mode(self.stored.header.mode)

    async def _help(self, cancel: asyncio.Event) -> str:
        tools = (await self._workspace.get(cancel)).tools
        header = self.stored.header
        return commands.help_text(tools, model=header.model, mode=header.mode)

    async def _choose_model(self, name: str) -> str:
        if not name:
            lines = [f"- `{choice}` {text}".rstrip() for choice, text in self._models.choices()]
            return "\n".join(
                [f"This session uses `{self.stored.header.model}`. There are:", *lines]
            )
        await self.set_model(name)
        await self.announce_settings()
        return f"This session now uses `{name}`."

    async def _run(
        self,
        model: ChatModel,
        text: str,
        prompt: Prompt,
        stream: UpdateStream,
        cancel: asyncio.Event,
        *,
        kit: Kit | None = None,
    ) -> schema.StopReason:
        from punie_agent import traces
        from punie_agent.loop import run_turn
        from punie_agent.models import Message
        from punie_agent.rehearsal import kept_and_rehearsed

        workspace = await self._workspace.get(cancel)
        own = kit is None
        kit = kit or await workspace.kit(model)
        self._notices += workspace.news()
        if prompt.images and not getattr(model, "sees_images", False):
            self._notices.append(
                f"The model {model.name} cannot see pictures; it gets the text only."
            )
        if self._notices:
            _say(stream, "\n".join([*self._notices, "", ""]))
            self._notices.clear()
        narrator = Narrator(
            stream, prefix=f"{self.stored.header.turns}.", root=workspace.host.roots[0]
        )
        self._person = person = Person(self._editor, self.id, narrator, cancel)
        workspace.wrote, workspace.opened_terminal = narrator.wrote, narrator.opened_terminal
        workspace.ask = person.ask
        workspace.permissions.session_rules = set(self.history.rules)
        said = Message("user", text, prompt.images)
        turn = asyncio.create_task(
            run_turn(
                model=kept_and_rehearsed(model, kit.contract, workspace.host),
                contract=kit.contract,
                sandbox=kit.sandbox,
                messages=[*self.history.messages, said],
                on_event=narrator,
                permissions=workspace.permissions,
                cancel=cancel,
                paused=self._taken_up(),
            )
        )
        try:
            result = await finished(turn, cancel)
        except ModelError as error:
            if error.conversation:
                self.history.continued(error.conversation)
            raise
        finally:
            workspace.ask = workspace.wrote = workspace.opened_terminal = None
            self.history.allowed(workspace.permissions.session_rules)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.history.continued(turn.result().messages)
                self.history.waits(turn.result().paused)
        if result is None:
            return "cancelled"
        if own:
            traces.record(
                result, model=model.name, contract=kit.contract, project=workspace.host.roots[0]
            )
        return "cancelled" if result.stop_reason == "paused" else result.stop_reason

    def _taken_up(self) -> PausedRun | None:
        """Take the run that waits, for good: whatever becomes of this turn, it never goes on twice."""
        paused = self.history.paused
        self.history.waits(None)
        self.history.save()
        return paused

    async def warm_up(self) -> None:
        """Open the workspace ahead of the first turn."""
        cancel = asyncio.Event()
        self._cancels.append(cancel)
        try:
            with contextlib.suppress(AgentError, OSError, TurnCancelledError):
                async with self._turns:
                    if not self._closed:
                        model = self._models.get(self.stored.header.model)
                        await (await self._workspace.get(cancel)).kit(model)
        finally:
            self._cancels.remove(cancel)


def _mode(name: str) -> Mode:
    """Return a mode by name, or raise `RequestError` (-32602)."""
    for mode in MODES:
        if mode == name:
            return mode
    known = ", ".join(MODES)
    raise RequestError.invalid_params({"reason": f"no mode {name!r}; there are: {known}"})


def _say(stream: UpdateStream, text: str) -> None:
    block = schema.TextContentBlock(type="text", text=text)
    stream.tell(schema.AgentMessageChunk(session_update="agent_message_chunk", content=block))


def _title(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "Untitled")
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


def _wire(model: Any) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
