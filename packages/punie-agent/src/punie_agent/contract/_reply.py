"""What a model's message was understood to mean."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A parsed model message: prose, and the code to run if there is any.

    Attributes:
        text: the prose for the user, without reasoning and without the code to run.
        code: Python to run, or None for a plain answer. Never empty.
        thought: reasoning the model wrote in `<think>` tags.
        form: how the code was written; "fenced" is the contract's own form, all but the first two
            are rescues of forms that models emit against their instructions.
        cut: the code block or the call was never closed, so the message probably hit a length limit.
            Of a call that had hardly begun there is no code; `text` is then the whole message.
        ignored: code blocks after the first one, which are not run.
    """

    text: str
    code: str | None = None
    thought: str = ""
    form: str = "fenced"
    cut: bool = False
    ignored: int = 0

    @property
    def open_ended(self) -> bool:
        """True when more of the code may have been to come: it was cut, or its form has no end."""
        return self.cut or self.form == "bare code"

    @property
    def acts(self) -> bool:
        """True when there is code to run."""
        return self.code is not None
