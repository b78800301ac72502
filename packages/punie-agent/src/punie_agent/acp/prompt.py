"""What a person sent, as one message for the model: text, attached files, links and pictures."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from acp import schema
from acp.exceptions import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.models import Image

__all__ = ["Prompt", "read_prompt"]

_MOST_ATTACHED = 100_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """A person's message.

    Attributes:
        text: what was typed, links in place.
        context: attached texts, each under its name.
        images: attached pictures.
    """

    text: str
    context: str = ""
    images: tuple[Image, ...] = ()

    @property
    def message(self) -> str:
        """The whole as the model reads it."""
        return f"{self.text}\n\n{self.context}".strip() if self.context else self.text


def read_prompt(blocks: Sequence[object], root: Path) -> Prompt:
    """Read the content blocks of a prompt; file names become relative to `root` where they are inside.

    Raises:
        RequestError: A block of a kind that was not offered, or a picture that is not base64.
    """
    from punie_agent.models import Image

    text: list[str] = []
    context: list[str] = []
    images: list[Image] = []
    for block in blocks:
        match block:
            case schema.TextContentBlock():
                text.append(block.text)
            case schema.ResourceContentBlock():
                text.append(f"`{_name(block.uri, root)}`")
            case schema.EmbeddedResourceContentBlock():
                context.append(_attached(block.resource, root))
            case schema.ImageContentBlock():
                images.append(Image(_decoded(block.data), block.mime_type))
            case _:
                kind = getattr(block, "type", type(block).__name__)
                raise RequestError.invalid_params({"reason": f"{kind} content is not supported"})
    return Prompt("".join(text), "\n\n".join(context), tuple(images))


def _attached(resource: object, root: Path) -> str:
    if isinstance(resource, schema.TextResourceContents):
        body = resource.text[:_MOST_ATTACHED]
        cut = len(resource.text) - len(body)
        note = f"\n… cut: {cut} more characters" if cut else ""
        # A fence that nothing in the text can end: what is attached must not pass for what was typed.
        fence = "`" * (max(map(len, re.findall("`{4,}", body)), default=3) + 1)
        return f"Attached `{_name(resource.uri, root)}`:\n{fence}\n{body}{note}\n{fence}"
    kind = getattr(resource, "mime_type", None) or "binary data"
    return f"Attached `{_name(getattr(resource, 'uri', ''), root)}` ({kind}, not shown)"


def _name(uri: str, root: Path) -> str:
    try:
        parts = urlsplit(uri)
    except ValueError:  # no address that anything could be made of: it is shown as it came
        return uri
    if parts.scheme not in {"", "file"}:
        return uri
    path = Path(unquote(parts.path))
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return f"{shown}#{parts.fragment}" if parts.fragment else shown


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        reason = f"the picture is not base64: {error}"
        raise RequestError.invalid_params({"reason": reason}) from None
