"""Secrets out of text, before it is stored: what looks like a key, a token or a password.

Covered: keys of well-known forms, bearer tokens, private keys, passwords in URLs, and values assigned to
names that say "secret", also in JSON inside a text and as a program's options. Not covered: secrets that
look like ordinary words. The user's home folder becomes `~`, since its name is often a person's.

Texts may be long and are not ours: every pattern here takes time in proportion to the text.
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
    | \b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_]){0,8}[A-Za-z0-9]{16,}  # OpenAI, Anthropic, Stripe
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,}           # GitHub
    | \bglpat-[\w-]{16,}                                            # GitLab
    | \bxox[abprs]-[\w-]{10,}                                       # Slack
    | \bhf_[A-Za-z0-9]{20,}                                         # Hugging Face
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                                 # AWS
    | \bAIza[\w-]{30,}                                              # Google
    | \bpypi-[\w-]{16,} | \bnpm_[A-Za-z0-9]{20,}                    # registries
    | \beyJ[\w-]{8,2000}\.[\w-]{8,}\.[\w-]*                         # JSON web tokens
    """,
    re.VERBOSE | re.DOTALL,
)
# Without the header's name before it, "basic" and "bearer" are words, as is what follows in small letters.
_BEARER = re.compile(
    r"""(?ix) ( \b authorization \\*["']? \s*+ [:=] \s*+ \\*["']? (?:bearer|basic) \s+
              | \b (?:bearer|basic) \s+ (?= (?-i: [a-z+/=._~-]* [0-9A-Z] ) ) )
        [A-Za-z0-9+/=._~-]{12,}"""
)
_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@]+:)[^\s/@]+(@)")
_START, _IS = r"(?<![\w-])", r"""\\*["']? \s*+ [:=] \s*+"""
_TELLING = "password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|private[_-]?key"
_VALUE = r"""
    (?! [A-Za-z_][\w.]*+ [(\[] [^\n]{0,200} [)\]] | \$[{(]                   # a call, a type, a reference
      | (?:SecretStr|SecretBytes|string|boolean|integer)(?![\w-]) )
    (?P<value> (?P<quote>\\*["']) (?: (?! (?<!\\)(?P=quote) ) [^\n] ){4,2000} (?P=quote)
             | (?: [^\s"',;\\] | \\(?!["']) ){6,} )
"""
_ASSIGNED = re.compile(
    rf"(?ix) (?P<before> {_START} (?=[\w-]*?(?:{_TELLING})) [\w-]++ {_IS} ) {_VALUE}"
)
_SUFFIXED = re.compile(
    rf"(?ix) (?P<before> {_START} (?P<name>[\w-]++) (?: (?<=[_-]token) | (?<=[_-]key) ) {_IS} ) {_VALUE}"
)
_OPTION = re.compile(
    rf"""(?ix) (?P<before> (?<![\w-]) -(?P<name>-[\w-]++)
        (?: (?<=-token) | (?<=-key) | (?<=-secret) | (?<=-passwd) | (?<=-password) )
        (?: = | \\*["']? ,? \s++ ) ) (?!-) {_VALUE}"""
)
# What a name that only ends in "key" or "token" holds may be anything; a secret has letters and digits.
_RANDOM = re.compile(r"(?=[^\d\n]*\d)(?=[^A-Za-z\n]*[A-Za-z])[^\s<>]{8,}")
_IDENTIFIERS = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)+|[a-z][a-z0-9]*(?:_[a-z0-9]+)+")


def _text(text: str) -> str:
    text = _WHOLE.sub(_MARK, text)
    text = _BEARER.sub(rf"\1{_MARK}", text)
    text = _IN_URL.sub(rf"\1{_MARK}\2", text)
    text = _ASSIGNED.sub(_hidden, text)
    text = _SUFFIXED.sub(_hidden_if_random, text)
    text = _OPTION.sub(_hidden_if_random, text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def _hidden(match: re.Match[str]) -> str:
    quote = match["quote"] or ""
    return f"{match['before']}{quote}{_MARK}{quote}"


def _hidden_if_random(match: re.Match[str]) -> str:
    quote = match["quote"] or ""
    value = match["value"].removeprefix(quote).removesuffix(quote)
    name = match["name"]
    if name.isupper():  # a variable of the environment
        secret = not value.startswith("<")  # <|endoftext|>, <your token>
    elif name.lower().endswith(("secret", "passwd", "password")):
        secret = True
    else:
        secret = _RANDOM.fullmatch(value) and not _IDENTIFIERS.fullmatch(value)
    return _hidden(match) if secret else match[0]


def _of_name(name: Any, value: Any) -> Any:
    """A value under its name in an object: a text there is as good as assigned to it."""
    if not isinstance(value, str):
        return redacted(value)
    assigned = f"{name}={json.dumps(value)}"
    hidden = f'{name}="{_MARK}"'
    telling = _ASSIGNED.sub(_hidden, assigned) == hidden
    telling |= _SUFFIXED.sub(_hidden_if_random, assigned) == hidden
    return _MARK if telling else _text(value)


def redacted(value: Any) -> Any:
    """The same JSON value with secrets in its texts replaced by `[redacted]`."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [redacted(each) for each in value]
    if isinstance(value, dict):
        return {key: _of_name(key, each) for key, each in value.items()}
    return value
