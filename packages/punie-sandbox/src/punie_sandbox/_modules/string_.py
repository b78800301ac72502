"""What models use of `string`."""

from __future__ import annotations

whitespace: str = " \t\n\r\x0b\x0c"
ascii_lowercase: str = "abcdefghijklmnopqrstuvwxyz"
ascii_uppercase: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ascii_letters: str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
digits: str = "0123456789"
hexdigits: str = "0123456789abcdefABCDEF"
octdigits: str = "01234567"
punctuation: str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
printable: str = digits + ascii_letters + punctuation + whitespace


def capwords(s: str, sep: str | None = None) -> str:
    """Capitalise each word."""
    return (sep or " ").join([word.capitalize() for word in s.split(sep)])


class Template:
    """`$name` substitution."""

    def __init__(self, template: str) -> None:
        self.template = template

    def substitute(self, mapping: dict | None = None, **kws: object) -> str:
        """Replace every `$name`; a missing one is a KeyError."""
        return self._fill({**(mapping or {}), **kws}, True)

    def safe_substitute(self, mapping: dict | None = None, **kws: object) -> str:
        """Replace every `$name`; a missing one stays."""
        return self._fill({**(mapping or {}), **kws}, False)

    def _fill(self, values: dict, strict: bool) -> str:
        done = []
        text = self.template
        at = 0
        while at < len(text):
            if text[at] != "$":
                done.append(text[at])
                at += 1
                continue
            if text[at + 1 : at + 2] == "$":
                done.append("$")
                at += 2
                continue
            braced = text[at + 1 : at + 2] == "{"
            start = at + 2 if braced else at + 1
            end = start
            while end < len(text) and (
                text[end] == "_" or (text[end].isalnum() and text[end].isascii())
            ):
                end += 1
            name = text[start:end]
            closed = not braced or text[end : end + 1] == "}"
            if not name or name[0].isdigit() or not closed:
                if strict:
                    raise ValueError(f"Invalid placeholder in string: position {at}")
                done.append("$")
                at += 1
                continue
            after = end + 1 if braced else end
            if name in values:
                done.append(str(values[name]))
            elif strict:
                raise KeyError(name)
            else:
                done.append(text[at:after])
            at = after
        return "".join(done)
