"""Secrets out of text, before it is stored: what looks like a key, a token or a password.

Covered: keys of well-known forms, bearer tokens, private keys, passwords in URLs, and values assigned to
names that say "secret". Not covered: secrets that look like ordinary words. The user's home folder
becomes `~`, since its name is often a person's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

__all__ = ["redacted"]

_MARK = "[redacted]"
_WHOLE = re.compile(
    r"""
      -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | \b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}      # OpenAI, Anthropic, Stripe
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,}           # GitHub
    | \bglpat-[\w-]{16,}                                            # GitLab
    | \bxox[abprs]-[\w-]{10,}                                       # Slack
    | \bhf_[A-Za-z0-9]{20,}                                         # Hugging Face
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                                 # AWS
    | \bAIza[\w-]{30,}                                              # Google
    | \bpypi-[\w-]{16,} | \bnpm_[A-Za-z0-9]{20,}                    # registries
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*                             # JSON web tokens
    """,
    re.VERBOSE | re.DOTALL,
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{12,}")
_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s/@]+(@)")
_ASSIGNED = re.compile(
    r"""(?ix)
    ( \b[\w-]* (?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|private[_-]?key) [\w-]*
      ["']? \s* [:=] \s* )
    ( "[^"\n]{4,}" | '[^'\n]{4,}' | [^\s"',;]{6,} )
    """
)


def _text(text: str) -> str:
    text = _WHOLE.sub(_MARK, text)
    text = _BEARER.sub(rf"\1\2{_MARK}", text)
    text = _IN_URL.sub(rf"\1{_MARK}\2", text)
    text = _ASSIGNED.sub(lambda match: f"{match[1]}{_quoted(match[2])}", text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def _quoted(value: str) -> str:
    quote = value[0] if value[0] in "\"'" else ""
    return f"{quote}{_MARK}{quote}"


def _of_name(name: Any, value: Any) -> Any:
    """A value under its name in an object: a text there is as good as assigned to it."""
    telling = isinstance(value, str) and _ASSIGNED.fullmatch(f"{name}={json.dumps(value)}")
    return _MARK if telling else redacted(value)


def redacted(value: Any) -> Any:
    """The same JSON value with secrets in its texts replaced by `[redacted]`."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [redacted(each) for each in value]
    if isinstance(value, dict):
        return {key: _of_name(key, each) for key, each in value.items()}
    return value
