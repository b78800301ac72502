"""Models by name, over HTTP, in a process of their own, and through pydantic-ai."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from punie_agent import models
from punie_agent.constrain import REQUEST_FIELD, Constraint, constrained_if_trained
from punie_agent.contract import Contract
from punie_agent.errors import ModelError, ModelIdentityError, ModelUnavailableError
from punie_agent.loop import run_turn
from punie_agent.models import Image, Message, ModelReply, OfflineModel, Usage, registry
from punie_agent.models._openai import OpenAIModel
from punie_agent.models._pydantic_ai import PydanticAIModel
from punie_agent.models._served import ServedModel
from punie_sandbox import Sandbox
from punie_tools import LocalHost, Toolbox

sys.path.insert(0, str(Path(__file__).parent))
from serving import chat_server, delta

HELLO = [Message("user", "Hello")]


def model_folder(parent: Path, name: str = "tiny") -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / "config.json").write_text('{"max_position_embeddings": 2048}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def described(folder: Path, contract: Contract) -> Path:
    registry.write_description(
        folder,
        name="tiny-phase23",
        phase="phase23",
        base="tiny",
        contract=contract,
        digests={"data": "sha256:1"},
        made_with={"mlx-lm": "0.32.2"},
    )
    return folder


# --- the register


def test_a_described_model_is_found_under_its_name(tmp_path: Path, contract: Contract) -> None:
    folder = described(model_folder(tmp_path), contract)
    entry = registry.register(folder)
    assert json.loads(entry.read_text()) == {
        "path": str(folder),
        "digest": registry.files_digest(folder),
    }
    found = registry.find("tiny-phase23")
    assert found == registry.Artefact(
        folder=folder,
        name="tiny-phase23",
        phase="phase23",
        base="tiny",
        contract=contract.to_json(),
        contract_digest=contract.digest(),
        digests={"data": "sha256:1"},
        made_with={"mlx-lm": "0.32.2"},
        registered_digest=registry.files_digest(folder),
    )
    assert registry.registered() == [found]


def test_a_folder_without_a_description_is_not_registered(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"has no punie\.json"):
        registry.register(model_folder(tmp_path))


def test_a_model_whose_folder_is_gone_says_where_it_was(tmp_path: Path, contract: Contract) -> None:
    folder = described(model_folder(tmp_path), contract)
    registry.register(folder)
    folder.rename(tmp_path / "moved")
    with pytest.raises(ModelUnavailableError, match=re.escape(f"was at {folder} and is gone")):
        registry.find("tiny-phase23")
    assert registry.registered() == []
    assert registry.names() == ["tiny-phase23"]


@pytest.mark.parametrize("text", ["", "[]", "{", "\0"])
def test_a_damaged_entry_is_left_out_of_the_list_and_named_when_asked_for(
    data_dir: Path, text: str
) -> None:
    entry = data_dir / "models" / "broken.json"
    entry.parent.mkdir()
    entry.write_text(text)
    assert registry.registered() == []
    with pytest.raises(ModelUnavailableError, match=re.escape(str(entry))):
        registry.find("broken")


def test_the_digest_of_a_folder_changes_with_its_files(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    before = registry.files_digest(folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert registry.files_digest(folder) != before


# --- names


def test_test_is_the_offline_model() -> None:
    assert isinstance(models.resolve("test"), OfflineModel)


def test_a_url_may_name_a_model_after_a_hash() -> None:
    model = models.resolve("http://localhost:1234/v1#qwen3")
    assert isinstance(model, OpenAIModel)
    assert (model.url, model.name) == ("http://localhost:1234/v1", "qwen3")


def test_a_registered_name_and_a_folder_are_served(tmp_path: Path, contract: Contract) -> None:
    folder = described(model_folder(tmp_path), contract)
    registry.register(folder)
    by_name, by_folder = models.resolve("tiny-phase23"), models.resolve(str(folder))
    assert isinstance(by_name, ServedModel)
    assert isinstance(by_folder, ServedModel)
    assert (by_name.name, by_name.context_limit) == ("tiny-phase23", 2048)
    assert [name for name, _ in models.choices()] == ["tiny-phase23", "test"]


def test_a_folder_of_the_project_stands_in_for_no_model_of_that_name(
    tmp_path: Path, project: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = described(model_folder(tmp_path), contract)
    registry.register(folder)
    for name in ("tiny-phase23", "anthropic:claude-sonnet-4-5", "openrouter:meta", "unknown"):
        model_folder(project, name)
    monkeypatch.chdir(project)
    by_name = models.resolve("tiny-phase23")
    assert isinstance(by_name, ServedModel)
    assert (by_name.artefact.folder, models.default_name()) == (folder, "tiny-phase23")
    assert isinstance(models.resolve("anthropic:claude-sonnet-4-5"), PydanticAIModel)
    with pytest.raises(ModelUnavailableError, match=re.escape("with a slash (./folder)")):
        models.resolve("unknown")
    by_path = models.resolve("./tiny-phase23")
    assert isinstance(by_path, ServedModel)
    assert by_path.artefact.folder == project / "tiny-phase23"


def test_a_name_with_a_colon_is_pydantic_ais() -> None:
    assert isinstance(models.resolve("openai:gpt-5"), PydanticAIModel)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ModelUnavailableError, match=r"there is no model 'nope'\. Known here: test"):
        models.resolve("nope")


def test_a_trained_model_gets_the_contract_it_was_trained_with(
    tmp_path: Path, host: LocalHost, contract: Contract
) -> None:
    brief = Contract(contract.functions, style="brief")
    model = models.resolve(str(described(model_folder(tmp_path), brief)))
    assert models.contract_for(model, Toolbox(host)).digest() == brief.digest()


def test_a_changed_contract_is_warned_about(
    tmp_path: Path, host: LocalHost, contract: Contract, caplog: pytest.LogCaptureFixture
) -> None:
    folder = described(model_folder(tmp_path), contract)
    path = folder / registry.DESCRIPTION
    path.write_text(path.read_text().replace(contract.digest(), "sha256:0"))
    models.contract_for(models.resolve(str(folder)), Toolbox(host))
    assert "was trained with another contract" in caplog.text


def test_other_models_get_the_full_contract_with_all_tools(host: LocalHost) -> None:
    contract = models.contract_for(models.resolve("test"), Toolbox(host))
    assert (contract.style, contract.call_format) == ("full", "fenced")
    assert set(contract.tools) == set(Toolbox(host).effects)
    assert (
        models.contract_for(models.resolve("openai:gpt-5"), Toolbox(host)).call_format == "native"
    )


# --- over HTTP


async def test_an_answer_is_streamed_and_counted() -> None:
    pieces: list[str] = []
    async with chat_server() as server:
        server.events = [
            delta("", None, role="assistant"),
            ": a comment",
            delta("Hello", None),
            delta(" there.", "stop"),
            {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
            "data: [DONE]",
        ]
        model = OpenAIModel(server.url)
        reply = await model.reply(HELLO, on_text=pieces.append, max_tokens=50)
        await model.aclose()
    assert reply == ModelReply("Hello there.", Usage(7, 3, 1))
    assert pieces == ["Hello", " there."]
    assert (model.name, model.context_limit) == ("tiny", 4096)
    assert server.bodies == [
        {
            "model": "tiny",
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 50,
        }
    ]


async def test_reasoning_in_a_field_of_its_own_is_told_apart() -> None:
    thoughts: list[str] = []
    async with chat_server() as server:
        server.events = [delta(None, None, reasoning_content="Hm."), delta("Yes.", "length")]
        model = OpenAIModel(server.url)
        reply = await model.reply(HELLO, on_thought=thoughts.append)
        await model.aclose()
    assert reply == ModelReply("Yes.", Usage(requests=1), "Hm.", "length")
    assert thoughts == ["Hm."]


async def test_neighbours_of_one_role_are_joined_and_images_sent_inline() -> None:
    async with chat_server() as server:
        model = OpenAIModel(server.url)
        await model.reply([Message("user", "a"), Message("user", "b", (Image(b"x", "image/png"),))])
        await model.aclose()
    (message,) = server.bodies[0]["messages"]
    assert message["content"] == [
        {"type": "text", "text": "a\n\nb"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
    ]


async def test_a_server_that_is_down_is_one_sentence_with_its_url() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(
        ModelUnavailableError, match=f"no model server answers at {url} .*start the server"
    ):
        await OpenAIModel(url, "x").reply(HELLO)


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_a_port_that_cannot_be_is_one_sentence_that_names_it(host: str, port: int) -> None:
    url = f"http://{host}:{port}/v1"
    with pytest.raises(ModelUnavailableError) as caught:
        await models.resolve(f"{url}#x").reply(HELLO)
    assert str(caught.value) == (
        f"no model server can be at {url}: ports go from 1 to 65535, not {port}; correct the model's address"
    )


async def test_an_error_of_the_server_is_quoted() -> None:
    async with chat_server() as server:
        server.status, server.error = 404, b'{"error": "model not found"}'
        model = OpenAIModel(server.url, "tiny")
        with pytest.raises(ModelError, match=r'answered 404: \{"error": "model not found"\}'):
            await model.reply(HELLO)
        await model.aclose()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, " answered 401 when it was asked for its models: no key; put that right, or"),
        (404, " lists no models;"),
    ],
)
async def test_a_server_that_does_not_list_its_models_is_quoted(status: int, said: str) -> None:
    async with chat_server() as server:
        server.status, server.error, server.refuses_pages = status, b"no key", True
        model = OpenAIModel(server.url)
        with pytest.raises(ModelUnavailableError) as caught:
            await model.reply(HELLO)
        await model.aclose()
    assert str(caught.value) == f"{server.url}{said} name one: {server.url}#NAME"


async def test_an_error_inside_the_stream_is_quoted() -> None:
    async with chat_server() as server:
        server.events = [delta("Hel", None), {"error": {"message": "out of memory"}}]
        model = OpenAIModel(server.url, "tiny")
        with pytest.raises(ModelError, match="out of memory"):
            await model.reply(HELLO)
        await model.aclose()


@pytest.mark.parametrize("abort", [True, False])
async def test_a_server_that_stops_in_the_middle_is_an_error_and_never_an_answer(
    abort: bool,
) -> None:
    async with chat_server() as server:
        server.events = [delta("Hel", None)]
        server.hang_up = abort
        model = OpenAIModel(server.url, "tiny")
        with pytest.raises(ModelError):
            await model.reply(HELLO)
        await model.aclose()


async def test_a_server_with_several_models_wants_one_named() -> None:
    async with chat_server() as server:
        server.models = [{"id": "a"}, {"id": "b"}]
        model = OpenAIModel(server.url)
        with pytest.raises(
            ModelUnavailableError, match=r"has 2 models; name one, as in .*#a \(it has: a, b\)"
        ):
            await model.reply(HELLO)
        await model.aclose()


# --- in a process of its own


def launcher(behaviour: str) -> list[str]:
    return [sys.executable, str(Path(__file__).parent / "serving.py"), behaviour]


async def test_a_local_model_is_served_verified_and_stopped(tmp_path: Path) -> None:
    model = ServedModel(registry.artefact(model_folder(tmp_path)), launcher=launcher("right"))
    reply = await model.reply(HELLO)
    assert reply.text == "Hello there."
    process = model.server.identity["pid"]
    await model.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_whatever_a_server_prints_it_goes_on_serving(tmp_path: Path) -> None:
    model = ServedModel(registry.artefact(model_folder(tmp_path)), launcher=launcher("talks"))
    assert (await model.reply(HELLO)).text == "Hello there."
    await model.aclose()


async def test_a_constraint_travels_with_the_request(contract: Contract, project: Path) -> None:
    constraint = Constraint.of(contract, HELLO, project)
    async with chat_server() as server:
        model = OpenAIModel(server.url)
        await model.reply(HELLO, more={REQUEST_FIELD: constraint.to_json()})
        await model.reply(HELLO)
        await model.aclose()
    sent, plain = server.bodies
    assert Constraint.from_json(sent[REQUEST_FIELD]).seen == constraint.seen
    assert REQUEST_FIELD not in plain


def test_only_a_model_trained_with_a_contract_is_constrained(
    tmp_path: Path, contract: Contract
) -> None:
    bare = ServedModel(registry.artefact(model_folder(tmp_path, "bare")))
    trained = ServedModel(registry.artefact(described(model_folder(tmp_path), contract)))
    assert constrained_if_trained(bare, contract, tmp_path) is bare
    assert constrained_if_trained(OfflineModel(), contract, tmp_path).name == "test"
    kept = constrained_if_trained(trained, contract, tmp_path)
    assert kept is not trained
    assert kept.name == trained.name


@pytest.mark.skipif(find_spec("mlx_lm") is None, reason="needs mlx-lm")
async def test_a_file_of_the_project_stands_in_for_no_module_of_the_server(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    (project / "argparse.py").write_text(f"open({str(mark)!r}, 'w')\nraise SystemExit(1)\n")
    monkeypatch.chdir(project)
    model = ServedModel(registry.artefact(model_folder(tmp_path)))
    with pytest.raises(ModelUnavailableError, match="cannot be served"):
        await model.reply(HELLO)  # the folder holds no weights
    assert not mark.exists()


async def test_another_model_at_the_port_is_refused(tmp_path: Path) -> None:
    model = ServedModel(registry.artefact(model_folder(tmp_path)), launcher=launcher("other"))
    with pytest.raises(ModelIdentityError, match="serves '/another/model', not"):
        await model.reply(HELLO)
    assert not model.server.running


async def test_a_model_changed_since_it_was_registered_is_refused(
    tmp_path: Path, contract: Contract
) -> None:
    folder = described(model_folder(tmp_path), contract)
    registry.register(folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    model = ServedModel(registry.find("tiny-phase23"), launcher=launcher("right"))
    with pytest.raises(ModelIdentityError, match="is not what was registered"):
        await model.reply(HELLO)
    assert not model.server.running


async def test_a_model_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    model = ServedModel(registry.artefact(model_folder(tmp_path)), launcher=launcher("fails"))
    with pytest.raises(
        ModelUnavailableError, match="cannot be served: ValueError: this model is broken"
    ):
        await model.reply(HELLO)


async def test_a_killed_server_is_started_anew_for_the_next_question(tmp_path: Path) -> None:
    model = ServedModel(registry.artefact(model_folder(tmp_path)), launcher=launcher("right"))
    await model.reply(HELLO)
    first = model.server.identity["pid"]
    os.kill(first, signal.SIGKILL)
    await model.server.ended()
    assert (await model.reply(HELLO)).text == "Hello there."
    assert model.server.identity["pid"] != first
    await model.aclose()


# --- through pydantic-ai


def scripted(
    *answers: Callable[[list[ModelMessage]], list[str | DeltaToolCalls]],
) -> PydanticAIModel:
    waiting = list(answers)

    async def stream(messages: list[ModelMessage], _info: AgentInfo):
        for piece in waiting.pop(0)(messages):
            yield piece

    return PydanticAIModel(FunctionModel(stream_function=stream), name="scripted")


async def test_native_tool_calls_drive_the_same_loop(host: LocalHost) -> None:
    histories: list[list[ModelMessage]] = []

    def act(messages: list[ModelMessage]) -> list[str | DeltaToolCalls]:
        histories.append(messages)
        code = json.dumps({"code": 'print(read_file("app.py"))'})
        return [
            "I read it.",
            {1: DeltaToolCall("execute_code", code[:10])},
            {1: DeltaToolCall(None, code[10:])},
        ]

    def answer(messages: list[ModelMessage]) -> list[str | DeltaToolCalls]:
        histories.append(messages)
        return ["It holds ", "one line."]

    model = scripted(act, answer)
    contract = models.contract_for(model, Toolbox(host))
    async with Sandbox(contract.functions) as sandbox:
        result = await run_turn(model=model, contract=contract, sandbox=sandbox, messages=HELLO)
    assert [message.content for message in result.messages[2:]] == [
        'I read it.\n\n```python\nprint(read_file("app.py"))\n```',
        '```output\ncount: int = "three"\n```',
        "It holds one line.",
    ]
    *_, called, returned = histories[1]
    assert next(part for part in called.parts if isinstance(part, ToolCallPart)).args == {
        "code": 'print(read_file("app.py"))'
    }
    assert isinstance(returned, ModelRequest)
    assert isinstance(returned.parts[0], ToolReturnPart)


async def test_a_typed_tool_called_natively_is_rescued(host: LocalHost) -> None:
    model = scripted(
        lambda _: [{0: DeltaToolCall("read_file", '{"path": "app.py"}')}], lambda _: ["Done."]
    )
    contract = models.contract_for(model, Toolbox(host))
    async with Sandbox(contract.functions) as sandbox:
        result = await run_turn(model=model, contract=contract, sandbox=sandbox, messages=HELLO)
    assert result.runs[0].code == "print(read_file(path='app.py'))"


async def test_a_provider_without_a_key_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelUnavailableError, match="the model 'openai:gpt-5' cannot be used"):
        await models.resolve("openai:gpt-5").reply(HELLO)


async def test_a_provider_that_does_not_exist_is_one_sentence() -> None:
    with pytest.raises(ModelUnavailableError, match="the model 'nobody:x' cannot be used"):
        await models.resolve("nobody:x").reply(HELLO)


async def test_the_loop_reports_a_server_that_dies_in_the_middle(
    tmp_path: Path, contract: Contract
) -> None:
    model = ServedModel(registry.artefact(model_folder(tmp_path)), launcher=launcher("dies"))
    async with asyncio.timeout(60), Sandbox(contract.functions) as sandbox:
        with pytest.raises(ModelError):
            await run_turn(model=model, contract=contract, sandbox=sandbox, messages=HELLO)
    await model.aclose()


def test_a_registered_model_without_its_description_is_left_out_and_named(
    tmp_path: Path, contract: Contract
) -> None:
    folder = described(model_folder(tmp_path), contract)
    name = registry.register(folder).stem
    (folder / registry.DESCRIPTION).unlink()
    assert models.default_name() == "test"
    with pytest.raises(ModelUnavailableError, match=r"has no punie\.json any more"):
        registry.find(name)
