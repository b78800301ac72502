"""A cursor in Python code that is being written: it follows the text and says no to what cannot be right.

Refused: what no Python program contains (a line end inside "…", a bracket closed by another), a path
argument that is no path, an attribute that a result does not have, and an argument that a tool does not
take. Whatever is not understood is allowed: a name with two meanings, a computed path, anything after `def`.
"""

from __future__ import annotations

import builtins
import keyword

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._copying import SURELY_QUOTED, Copying, Departures
from punie_agent.constrain._frame import CLOSING, Frame, Kinds
from punie_agent.constrain._literal import LONGEST_KEPT, PREFIXES, Literal, Step
from punie_agent.constrain._mentions import mentioned
from punie_agent.constrain._rules import Kind, Rules
from punie_agent.constrain._scope import Scope
from punie_agent.constrain._words import Words

__all__ = ["CodeCursor"]

_VALUES = frozenset({"name", "value", "text"})
"""What a token before may be after which no other value begins, but for a text after a text."""
_INFIX = frozenset(
    ("and", "as", "async", "else", "for", "from", "if", "import", "in", "is", "not", "or")
)
"""The words that may follow a value."""
_AFTER_TEXT = _INFIX | PREFIXES
_COMMANDS, _CONTENTS = ("command",), ("content",)
_SOFT_KEYWORDS = frozenset({"match", "case", "type"})
_ALWAYS = frozenset(
    [
        *(name for name in dir(builtins) if not name.startswith("_")),
        *keyword.kwlist,
        *(form for prefix in PREFIXES for form in (prefix, prefix.upper())),
    ]
)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_" or char >= "\x80"


class CodeCursor(Branching):
    """Where the writing of a program has got to. `step` moves it by a character.

    Args:
        rules: what constrains it.
        seen: names that earlier programs used; their meaning is not known.
    """

    __slots__ = (
        "_attribute",
        "_blank",
        "_column",
        "_comment",
        "_departed",
        "_glued",
        "_header",
        "_indent",
        "_kinds",
        "_last",
        "_literal",
        "_margin",
        "_must",
        "_named",
        "_opened",
        "_prefix",
        "_prev",
        "_replaced",
        "_role",
        "_rules",
        "_scope",
        "_stack",
        "_texts",
        "_word",
        "_words",
    )

    def __init__(self, rules: Rules, seen: frozenset[str] = frozenset()) -> None:
        self._rules = rules
        self._scope = Scope(rules, seen)
        self._stack: list[Frame] = []
        self._literal: Literal | None = None
        self._texts: tuple[str, ...] = ()  # the literals of this program
        self._replaced: tuple[str, ...] = ()  # texts that it replaced
        self._word = ""  # the word that is being written
        self._words: Words | frozenset[str] | None = None  # what it may be
        self._role = ""  # what it is: "name", "attribute", "argument", "infix" after a value
        self._named = ""  # the last name
        self._attribute = ""  # the last attribute, "" after a name
        self._prefix = ""  # the letters before a quote
        self._prev = ""  # the token before: "name", "value", "text", or itself
        self._kinds: Kinds = None  # what the expression so far may be
        self._last = "\n"  # the character before
        self._must = ""  # the one character that may follow
        self._glued = False  # a backslash joins the next line to this one
        self._comment = False
        self._blank = True  # nothing but space on this line so far
        self._indent = 0
        self._margin: int | None = None  # the first line's indentation
        self._column = 0  # the indentation of the statement
        self._opened = False  # the colon of a header was the last token
        self._header: int | None = None  # the indentation of a header whose block is still to come
        self._departed = Departures()  # the literals before this one

    @property
    def departures(self) -> Departures:
        """Where its literals departed from what they are likely to copy."""
        here = self._literal
        return self._departed if here is None else self._departed.plus(here.departures)

    @property
    def at_line_start(self) -> bool:
        """True between two statements, at the beginning of a line: where a block may end."""
        return self._blank and self.complete and self.outside_text and not self._glued

    @property
    def complete(self) -> bool:
        """True when a program might end here: no literal, bracket or block is open or still to come."""
        begun = self._literal is not None or self._stack or self._must
        return not begun and not self._opened and self._header is None

    @property
    def trapped(self) -> bool:
        """True when one certain character has to follow."""
        return bool(self._must)

    @property
    def in_edit(self) -> bool:
        """True within a literal that may be what an edit writes: no f-string, and nothing that is printed.

        Its closing quotes are no part of it.
        """
        here = self._literal
        if here is None or here.words is not None or here.formatted or here.ending:
            return False
        return not any(frame.callee == "print" for frame in self._stack)

    @property
    def at_text_start(self) -> bool:
        """True within a literal that holds nothing yet."""
        return self._literal is not None and not self._literal.text

    @property
    def replaced(self) -> tuple[str, bool] | None:
        """The text that is to be replaced, as far as it is written, and whether it is complete.

        None elsewhere than in the arguments of a `replace`, and where it is not followed.
        """
        top, here = self._top, self._literal
        if top is None or not top.replaces:
            return None
        if here is not None and not top.index:
            return here.text, here.ending
        return (top.old, True) if top.old else None

    @property
    def outside_text(self) -> bool:
        """True where code is written, neither a literal's text nor a comment."""
        return self._literal is None and not self._comment

    @property
    def _top(self) -> Frame | None:
        return self._stack[-1] if self._stack else None

    def step(self, char: str) -> bool:
        """Take one character; False when it cannot be right, and then the cursor is of no use."""
        if char == "\0":  # stands in no program, not even in a text
            return False
        if self._literal is not None:
            return self._in_literal(char, self._literal)
        if self._comment and char != "\n":
            return True
        if self._must and char != self._must:
            return False
        taken = self._in_word(char) if _is_word(char) else self._after_word(char)
        self._last = char
        return taken

    # --- words --------------------------------------------------------------------------------------------

    def _in_word(self, char: str) -> bool:
        if not self._word:
            if not self._begin_token():
                return False
            self._role, self._words = self._role_here()
        self._word += char
        if self._words is None:
            return True
        if isinstance(self._words, Words):
            return self._words.begins(self._word)
        return any(each.startswith(self._word) for each in self._words)

    def _begin_token(self) -> bool:
        """A token begins; False where it would have to be further to the right, below a header."""
        if self._blank and not self._stack and not self._glued:
            if self._header is not None and self._indent <= self._header:
                return False
            if self._margin is None:
                self._margin = self._indent
            self._column, self._header = self._indent, None
            self._scope.statement = self._scope.statement.at(self._indent > self._margin)
        self._blank = self._glued = self._opened = False
        return True

    def _role_here(self) -> tuple[str, Words | frozenset[str] | None]:
        """What a word that begins here is, and what it may be."""
        if self._prev == ".":
            return "attribute", self._scope.fields(self._kinds)
        if self._after_value():
            return "infix", _AFTER_TEXT if self._prev == "text" else _INFIX
        top = self._top
        if top is None or top.tool is None or not top.at_start:
            return "name", None
        rebound = any(frame.rebinds for frame in self._stack)
        if self._scope.loose or top.starred or top.keyword is not None or rebound:
            return "argument", None
        if not top.unused():
            return "argument", frozenset()
        return "argument", _ALWAYS.union(self._scope.seen, self._rules.tools, top.unused())

    def _after_value(self) -> bool:
        """True where a value just ended, so that none begins here."""
        soft = self._prev == "name" and self._named in _SOFT_KEYWORDS and not self._attribute
        return self._prev in _VALUES and not soft

    def _after_word(self, char: str) -> bool:
        return self._end_word(char) and self._outside_word(char)

    def _end_word(self, char: str) -> bool:
        """A word is complete, if there is one; `char` follows it."""
        word, self._word = self._word, ""
        if not word:
            return True
        if char in "\"'" and self._role != "attribute" and word.lower() in PREFIXES:
            self._prefix = word.lower()
            return True
        words = _INFIX if self._role == "infix" else self._words
        if words is not None and word not in words:
            return False
        if self._role == "attribute":
            self._kinds, self._attribute = self._scope.attribute(self._kinds, word), word
            self._take("value", f".{word}")
        elif word[0].isdigit():
            self._kinds = None
            self._take("value", word)
        elif keyword.iskeyword(word):
            self._kinds = None
            self._keyword(word)
        else:
            self._name(word)
        return True

    def _name(self, word: str) -> None:
        self._named, self._attribute = word, ""
        self._kinds = None if self._may_be_rebound() else self._scope.names.get(word)
        if self._scope.lambdas or any(frame.targets for frame in self._stack):
            self._scope.forget(word)
        self._scope.use(word)
        self._take("name", word)

    def _may_be_rebound(self) -> bool:
        """True inside what a comprehension may turn out to follow: `[e.x for e in …]`.

        `print(e.x for e in …)` is left out: nobody prints a generator, and everybody prints attributes.
        """
        return any(frame.rebinds and not frame.one_value for frame in self._stack)

    def _keyword(self, word: str) -> None:
        top = self._top
        if word == "lambda":
            self._scope.lambdas += 1
        elif word in ("def", "class") and top is None:
            self._scope.loose = True
        elif top is not None and word == "for":
            top.targets = top.rebinds = True
        elif top is not None and word == "in" and top.targets:
            top.targets = top.rebinds = False
        self._take("value" if word in ("None", "True", "False") else word, word)

    def _take(self, prev: str, token: str) -> None:
        """A token ended: remember it for what follows, and for the statement."""
        if self._stack:
            self._stack[-1].at_start = False
        else:
            self._scope.token(token)
        self._prev = prev

    # --- everything else ----------------------------------------------------------------------------------

    def _outside_word(self, char: str) -> bool:
        top = self._top
        if char in " \t\r":
            self._indent += self._blank
        elif char == "\n":
            self._end_line()
        elif char == "#" and (top is None or top.kind != "f"):
            self._comment = True
        elif char == "\\":
            self._glued = True
        else:
            return self._begin_token() and self._token(char, top)
        return True

    def _token(self, char: str, top: Frame | None) -> bool:
        """A character that is a token, or begins or ends something."""
        if char == "*" and top is not None and top.at_start:
            top.starred = True
        if char in ")]}":
            return self._close(char)
        if char == "=":
            self._equals(top)
        elif self._refuses_another(top) or self._refuses_value(char):
            return False
        elif char in "\"'":
            self._open_literal(char, top)
        elif char in "([{":
            self._open(char, top)
        elif char == "." and self._prev in _VALUES:
            self._prev = "."
        elif char == ",":
            self._comma(top)
        else:
            self._operator(char, top)
        return True

    def _refuses_another(self, top: Frame | None) -> bool:
        """True where a tool's arguments are complete and one more begins."""
        if top is None or top.tool is None or self._scope.loose or not top.at_start:
            return False
        return not top.starred and top.keyword is None and not top.unused()

    def _refuses_value(self, char: str) -> bool:
        """True where a text or a display would begin right after a value; a text may follow a text."""
        begins = char in "\"'{" and self._after_value()
        return begins and (char == "{" or self._prev != "text")

    def _end_line(self) -> None:
        self._comment = False
        if not self._glued and not self._stack:
            if self._opened:
                self._opened, self._header = False, self._column
            self._end_statement()
        self._blank, self._indent = True, 0

    def _end_statement(self, *, inner: bool = False) -> None:
        self._scope.end_statement(self._kinds, inner=inner)
        self._kinds, self._prev = None, ""

    def _operator(self, char: str, top: Frame | None) -> None:
        scope = self._scope
        if char == ":" and scope.lambdas:
            scope.lambdas -= 1
        elif char == ":" and top is not None:
            top.sliced = True
            if top.kind == "f":
                self._stack.pop()
                self._literal = top.literal
                assert self._literal is not None
                self._literal.in_spec = True
        elif top is None and (char == ";" or (char == ":" and scope.statement.is_header)):
            self._opened = char == ":"
            self._end_statement(inner=char == ":" or scope.statement.inner)
            return
        self._kinds = None
        self._take(char, char)

    def _equals(self, top: Frame | None) -> None:
        prev, self._prev, self._kinds = self._prev, "=", None
        if self._must:
            self._must = ""
        elif self._last in "=!<>":
            if top is None:
                self._scope.statement = self._scope.statement.compared()
        elif top is None:
            self._scope.token("=")
        elif self._last == ":":
            self._scope.loose = True  # a name bound inside an expression
        elif prev == "name" and self._role == "argument" and not (top.keyword or top.starred):
            self._name_argument(top)

    def _name_argument(self, top: Frame) -> None:
        self._role = ""
        if self._named in top.unused():
            top.keyword = self._named
            top.used |= {self._named}
            top.at_start = True
        else:
            self._must = "="

    def _comma(self, top: Frame | None) -> None:
        self._kinds = None
        if top is None or self._scope.lambdas:
            self._take(",", ",")
        elif not top.targets:
            top.element_ends()
        self._prev = ","

    # --- brackets -----------------------------------------------------------------------------------------

    def _open(self, char: str, top: Frame | None) -> None:
        applied = self._prev in _VALUES and char != "{"
        called = self._named if self._prev == "name" and char == "(" else ""
        loops = top is None and self._rules.looped and not applied
        frame = Frame(
            char,
            self._scope.names,
            callee=called,
            tool=self._rules.tools.get(called) if called else None,
            before=self._kinds if applied else None,
            subscript=applied and char == "[",
            paths=loops and self._scope.statement.loops_by in self._rules.path_parameters,
        )
        frame.replaces = applied and char == "(" and self._attribute == "replace"
        self._take(char, char if applied else "group")
        self._stack.append(frame)
        self._kinds = None

    def _close(self, char: str) -> bool:
        if not self._stack or CLOSING[self._stack[-1].kind] != char:
            return False
        frame = self._stack.pop()
        if frame.kind == "f":
            self._literal = frame.literal
            return True
        self._scope.names = frame.names
        self._kinds = _value_of(frame)
        self._prev = "value"
        return True

    # --- literals -----------------------------------------------------------------------------------------

    def _open_literal(self, quote: str, top: Frame | None) -> None:
        prefix, self._prefix = self._prefix, ""
        words, selects, quotes = None, False, False
        if top is not None and top.at_start and not prefix:
            if top.tool is not None:
                words = self._rules.paths_of(top.callee, top.parameter())
                selects = top.tool.selects
            elif top.paths:
                words = self._rules.paths
            elif top.replaces:
                quotes = not top.index
        if words is not None and self._texts:
            # Also what the program itself has named: a file that it wrote.
            own = [path for text in self._texts for path in mentioned(text)]
            words = Words([*words, *own])
        self._literal = Literal(quote, prefix, words, selects=selects)
        if top is not None and top.named and words is not None:
            self._literal.unnamed = words.without(top.named)
        told = self._rules.told
        if told is not None and words is None and "f" not in prefix:
            told = told.without(self._replaced) if quotes else told
            commands = top is not None and top.at_start and top.parameter() in _COMMANDS
            replaces = top is not None and top.replaces
            copies = replaces or (top is not None and top.parameter() in _CONTENTS)
            instead = top.old if top is not None and replaces and top.index == 1 else ""
            self._literal.copying = Copying(
                told, quotes=quotes, commands=commands, copies=copies, instead=instead
            )

    def _in_literal(self, char: str, literal: Literal) -> bool:
        step = literal.step(char)
        self._last = char
        if step is Step.TAKEN or step is Step.WRONG:
            return step is Step.TAKEN
        self._departed = self.departures
        self._literal = self._kinds = None
        if step is Step.FIELD:
            self._stack.append(Frame("f", self._scope.names, literal=literal))
            self._prev = "{"
            return True if literal.in_spec else self.step(char)
        top = self._top
        if top is not None and top.paths:
            top.named |= {literal.text}
        if top is not None and top.replaces and not top.index:
            if literal.text and "\\" not in literal.text:
                self._replaced = (*self._replaced, literal.text)
                top.old = literal.text
        elif top is not None and top.replaces and top.index == 1:
            self._replacement(top.old, literal)
        if literal.words is None and literal.text not in self._texts:
            self._texts = (*self._texts, literal.text)
        self._take("text", '"')
        return self.step(char) if step is Step.ENDED_BEFORE else True

    def _replacement(self, old: str, literal: Literal) -> None:
        """A text by which another one is replaced is complete."""
        whole = len(old) >= SURELY_QUOTED and literal.whole and len(old) < LONGEST_KEPT
        if whole and _open_brackets(old) != _open_brackets(literal.text):
            self._departed = self._departed.plus(Departures(misfits=1))


def _open_brackets(text: str) -> list[int]:
    """How many brackets of each kind a text opens and does not close."""
    return [text.count(opening) - text.count(closing) for opening, closing in ("()", "[]", "{}")]


def _value_of(frame: Frame) -> Kinds:
    """What a call or a subscript is; None where that is not known."""
    if frame.tool is not None:
        return None if frame.tool.returns is None else frozenset({frame.tool.returns})
    if not frame.subscript or frame.before is None:
        return None
    if not all(kind.listed for kind in frame.before):
        return None
    return frame.before if frame.sliced else frozenset(Kind(kind.model) for kind in frame.before)
