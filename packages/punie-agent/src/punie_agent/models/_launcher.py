"""The process that serves one mlx-lm model: `python -m punie_agent.models._launcher FOLDER`.

It is `mlx_lm.server` with five things added. It preloads MKL (or OpenBLAS) where MLX would otherwise
use its slow built-in BLAS, and there serves a quantised model dequantised to float32, which gives the
same numbers and is many times faster on a CPU; faster still by an engine, if an installed package has one
for this model and machine (entry points of the group `punie_agent.engines`). It serves this model and
refuses every other name, where the server alone would load whatever a request names. It answers
`/punie/identity` with the folder, the digest of its files and the token it was started with. It keeps an
answer to the constraint that a request carries in the field `punie_constraint` (see
`punie_agent.constrain`), and says in `punie_alternatives` how else it could have gone on. And it ends when
the process that started it does, however that ends.

It prints one line of JSON with its port once it listens. Nothing here is imported by Punie itself.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import functools
import json
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import ThreadingHTTPServer
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

_TOKEN = "PUNIE_SERVE_TOKEN"  # noqa: S105 - the variable's name
SERVED_NAME = "default_model"
ENGINES = "punie_agent.engines"
"""Entry points of functions that make a model faster."""


def preload_blas() -> str:
    """Load a fast BLAS before MLX, whose symbols then win; returns the library's name or ""."""
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
        return ""
    candidates = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"), reverse=True)
    found = [str(path) for path in candidates]
    openblas = ctypes.util.find_library("openblas")
    for name in [*found, *([openblas] if openblas else [])]:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL | os.RTLD_NOW)
            return Path(name).name
    return ""


def _on_cpu() -> bool:
    import mlx.core as mx

    return mx.default_device() == mx.Device(mx.cpu)


def fits_as_float32(model: Any) -> bool:
    """True when the model as float32 takes at most half of this machine's memory."""
    from mlx_lm.utils import get_total_parameters

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 4 * get_total_parameters(model) <= memory // 2


def to_float32(model: Any) -> Any:
    """The same model with its stored values as float32: what a CPU computes fastest."""
    import mlx.core as mx

    from punie_agent.models.dequantized import dequantized

    model = dequantized(model)
    mx.eval(model.parameters())
    return model


Engine = Callable[[Any], Any]
"""Takes a model in float32 and returns a faster form of it, or None."""


def engines() -> dict[str, Engine]:
    """The engines of installed packages, by name; to be called before MLX is loaded, as they may wish."""
    found: dict[str, Engine] = {}
    for point in entry_points(group=ENGINES):
        try:
            found[point.name] = point.load()
        except Exception as error:  # noqa: BLE001 - another package's fault is no reason not to serve
            print(f"the engine {point.name!r} cannot be loaded: {error}", file=sys.stderr)
    return found


def fastest_here(model: Any, by: Mapping[str, Engine]) -> tuple[Any, str]:
    """The form of a model that this machine computes fastest, and the name of what computes it."""
    if not (_on_cpu() and fits_as_float32(model)):
        return model, "mlx"
    from punie_agent.models.dequantized import take_stored

    model = to_float32(model)
    for name, engine in by.items():
        try:
            made = engine(model)
        except Exception as error:  # noqa: BLE001 - as above
            print(f"the engine {name!r} fails at this model: {error}", file=sys.stderr)
        else:
            if made is not None:
                return made, name
    take_stored(model)  # nobody reads the codes
    return model, "mlx"


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds open, and leave at once."""
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(0)


class Identity:
    """Who this server is; the digest of the files is computed beside the loading of the model."""

    def __init__(self, folder: Path, blas: str) -> None:
        self.folder = folder
        self.loaded = threading.Event()
        self.engine = "mlx"
        self._blas = blas
        self._digest = ""
        self._hashing = threading.Thread(target=self._hash, daemon=True)
        self._hashing.start()

    def _hash(self) -> None:
        from punie_agent.models.registry import files_digest

        self._digest = files_digest(self.folder)

    def page(self) -> dict[str, Any]:
        """The page `/punie/identity`; `ready` once the model is loaded and its files are known."""
        return {
            "ready": self.loaded.is_set() and not self._hashing.is_alive(),
            "folder": str(self.folder),
            "digest": self._digest,
            "token": os.environ.get(_TOKEN, ""),
            "blas": self._blas,
            "engine": self.engine,
            "pid": os.getpid(),
        }


class _Bias(dict[int, float]):
    """A request's `logit_bias` with its constraint: the server hands it on from the request to the model.

    On the way back it has the processor that kept the answer to it.
    """

    constraint: Any
    processor: Any = None

    @classmethod
    def of(cls, bias: Any, body: dict[str, Any]) -> Any:
        """The bias, with the constraint of a request's body if there is one.

        Raises:
            ValueError: the field holds something else.
        """
        from punie_agent.constrain import REQUEST_FIELD, Constraint

        if REQUEST_FIELD not in body:
            return bias
        made = cls(bias or {})
        made.constraint = Constraint.from_json(body[REQUEST_FIELD])
        return made

    @classmethod
    def alternatives(cls, bias: Any) -> dict[str, Any]:
        """The field of an answer that says how else it could have gone on; none where nothing kept it."""
        from punie_agent.constrain import ALTERNATIVES_FIELD

        if not isinstance(bias, cls) or bias.processor is None:
            return {}
        return {ALTERNATIVES_FIELD: [each.to_json() for each in bias.processor.alternatives]}


def main() -> None:
    """Load the model, listen, announce the port, serve until the parent ends."""
    parser = argparse.ArgumentParser(description="Serve one mlx-lm model for Punie.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    own = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform == "linux":
        os.environ.setdefault("MLX_DISABLE_COMPILE", "1")  # it would call a compiler
    os.environ["HF_HUB_OFFLINE"] = "1"
    by = engines()
    identity = Identity(own.folder.resolve(), preload_blas())
    _patch_server(identity, by)
    from mlx_lm import server

    sys.argv = ["mlx_lm.server", "--model", str(identity.folder), "--host", own.host]
    sys.argv += ["--port", str(own.port), "--log-level", "WARNING"]
    server.main()


def _patch_server(identity: Identity, by: Mapping[str, Engine]) -> None:
    """Put the additions into the server's module, which looks these names up when it starts."""
    from mlx_lm import server
    from mlx_lm.models.cache import make_prompt_cache

    class OneModel(server.ModelProvider):
        """Loads the one model; every other name is refused."""

        def load(
            self,
            model_path: str,
            adapter_path: Any = None,
            draft_model_path: Any = None,  # noqa: ARG002
        ) -> Any:
            if model_path not in {SERVED_NAME, str(identity.folder)} or adapter_path is not None:
                raise ValueError(f"this server serves {identity.folder} only, not {model_path}")
            first = self.model_key is None
            super().load(SERVED_NAME, None, SERVED_NAME)
            if first:
                self.model, identity.engine = fastest_here(self.model, by)
                caches = make_prompt_cache(self.model)
                self.is_batchable &= all(hasattr(cache, "merge") for cache in caches)
                _keep_to_constraints(self.tokenizer)
            identity.loaded.set()
            return self.model, self.tokenizer

    class Announcing(ThreadingHTTPServer):
        """Says on which port it listens."""

        daemon_threads = True

        def server_activate(self) -> None:
            super().server_activate()
            print(json.dumps({"port": self.server_address[1]}), flush=True)

    serve = server._run_http_server  # noqa: SLF001 - the only place that takes a handler class
    server.__dict__["ModelProvider"] = OneModel
    announced = functools.partial(
        serve, server_class=Announcing, handler_class=_handler_class(identity)
    )
    server.__dict__["_run_http_server"] = announced


def _handler_class(identity: Identity) -> Any:
    from mlx_lm import server

    class Handler(server.APIHandler):
        """The server's handler with one more page, one more field and no log of each request."""

        def handle_completion(self, request: Any, stop_words: Any) -> None:
            try:
                self.logit_bias = _Bias.of(self.logit_bias, self.body)
            except ValueError as error:
                self._set_completion_headers(400)
                self.end_headers()
                self.wfile.write(json.dumps({"error": str(error)}).encode())
                return
            super().handle_completion(request, stop_words)

        def generate_response(
            self,
            text: str,
            finish_reason: Any,
            *counts: Any,
            **more: Any,
        ) -> dict[str, Any]:
            """The server's packet; the last one of an answer says how else that could have gone on."""
            made = super().generate_response(text, finish_reason, *counts, **more)
            return made if finish_reason is None else made | _Bias.alternatives(self.logit_bias)

        def do_GET(self) -> None:  # noqa: N802 - the base class names it so
            if self.path != "/punie/identity":
                super().do_GET()
                return
            self._set_completion_headers(200)
            self.end_headers()
            self.wfile.write(json.dumps(identity.page()).encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    return Handler


def _keep_to_constraints(tokenizer: Any) -> None:
    """Have the server keep answers to their requests' constraints, if this model's tokens are understood."""
    from mlx_lm import server

    from punie_agent.constrain import LogitsProcessor, TokenTexts

    texts = TokenTexts.of(tokenizer)
    if texts is None:
        return
    make_processors = server._make_logits_processors  # noqa: SLF001 - asked once for each request

    def with_constraint(args: Any) -> list[Any]:
        made, bias = make_processors(args), args.logits.logit_bias
        if not isinstance(bias, _Bias):
            return made
        greedy = args.sampling.temperature == 0
        bias.processor = LogitsProcessor(bias.constraint, texts, greedy=greedy)
        return [*made, bias.processor]

    server.__dict__["_make_logits_processors"] = with_constraint


if __name__ == "__main__":
    main()
