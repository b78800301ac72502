"""Names far and wide: the world of drills, where every path and symbol must be copied letter by letter.

A `WideWorld` is a `World` whose added module, second module and text file lie in folders of any depth, under
names that are joined, hyphenated, numbered, dotted or capitalised by chance, and whose classes and functions
are renamed. What an example is about is always one of these, never a file of the workspace itself.

Covered: drawing names that exist nowhere else in the scene. Not covered: what is asked about them
(`punie_train.data.bindings`).
"""

from __future__ import annotations

import builtins
import keyword
import re
import typing
from dataclasses import dataclass, field
from random import Random

from punie_train.data.scenes import Added, Stage, World, shadows
from punie_train.data.sources import WideNames
from punie_train.data.workspaces import Scene, Workspace
from punie_train.errors import DataError

__all__ = ["WideWorld"]

_DEPTHS = (0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5)
_TAKEN = {*dir(builtins), *keyword.kwlist, *keyword.softkwlist, *typing.__all__, "Path", "Enum"}
_TOOLS = ("scripts", "tools", "jobs", "bin", "tasks", "scripts/daily", "tools/dev")
_FORMATS = (".toml", ".ini", ".cfg", ".yaml", ".json", ".md", ".txt", ".csv", ".conf")
_SECOND = 0.6
"""Probability of a second module in the main one's folder, else it lies elsewhere."""


@dataclass(frozen=True)
class WideWorld(World):
    """All that the scenes of drills are made of.

    Attributes:
        seed: chooses other scenes.
        scenes: how many there are of each sort.
    """

    seed: int = 0
    scenes: int = 200
    _stages: dict[object, Stage] = field(default_factory=dict, repr=False, compare=False)

    @property
    def _words(self) -> WideNames:
        if self.sources.names.wide is None:
            raise DataError(
                "names.toml has no [wide] words, which the names in drills are made of."
            )
        return self.sources.names.wide

    def stage(
        self,
        rng: Random,
        *,
        added: float = 1,
        faults: int | None = None,
        importable: bool = False,
    ) -> Stage:
        """Return one of the scenes: two more modules and a text file, all under wide names.

        See `World.stage` for the arguments. The same scenes serve all intents, so that the same file is asked
        about in many ways and only the words decide.
        """
        del added  # always
        key = (rng.randrange(self.scenes), faults, importable)
        if key not in self._stages:
            own = Random(f"{self.seed}:{key}")  # noqa: S311 - chance chooses examples
            self._stages[key] = self._set_up(own, faults=faults, importable=importable)
        return self._stages[key]

    def _set_up(self, rng: Random, *, faults: int | None, importable: bool) -> Stage:
        base = super().stage(rng, added=1, faults=faults, importable=importable)
        assert base.added is not None
        first = base.added.path
        scene, folder = base.scene, first.rpartition("/")[0]
        module = rng.choice(self.sources.modules)
        text, wrong, _ = self._variant(rng, module, None)
        second = self._path(rng, scene.workspace, importable=importable)
        if folder and rng.random() < _SECOND:
            second = f"{folder}/{second.rpartition('/')[2]}"
        note = self.text_path(rng)
        extra = dict(scene.extra)
        if self._fits(second, scene, importable=importable):
            extra[second] = wrong
        if Scene(scene.workspace, extra).takes(note):
            extra[note] = rng.choice(self.sources.snippets.texts) + "\n"
        right = {**base.right, second: text} if wrong != text and second in extra else base.right
        return Stage(
            Scene(scene.workspace, extra),
            Added(first, base.added.right, base.added.tasks),
            right,
            new=tuple(extra),
        )

    def text_path(self, rng: Random) -> str:
        """Return a path for a new text file."""
        stem = self._stem(rng, importable=False)
        if rng.random() < 0.1:
            stem = stem.upper()
        return self._in_folders(rng, f"{stem}{rng.choice(self._words.extensions)}")

    def text(self, rng: Random) -> str:
        """Return a line of text, mostly one that nobody has seen: it must be copied letter by letter."""
        chance = rng.random()
        if chance < 0.3:
            return super().text(rng)
        if chance < 0.42:
            return self.code(rng)
        words = self._words
        one, two, three = rng.sample((*words.stems, *words.folders), 3)
        noun, verb, number = rng.choice(words.nouns), rng.choice(words.verbs), rng.randint(1, 2400)
        few, colour = rng.randint(2, 29), f"#{rng.randrange(1 << 24):06x}"
        return rng.choice(
            (
                f"{one} {number}",
                f"{one} = {number}",
                f"{one}_{two} = {number / 100:.2f}",
                f"{one} = {two}",
                f"{one}: {two}",
                f"{noun}: {one} {two}",
                f"{one},{two},{three}",
                f"{one} {two} {three}",
                f"{verb} the {one}",
                f"{verb.capitalize()} the {one} {two}.",
                f"{noun} {verb}s {one}.",
                f"The {one} is in {two}",
                f"{one} {colour}",
                f"{one} = {colour}",
                colour,
                f"{number}",
                f"{number}.{few}",
                f"v{few}.{number % 10}.{number % 7}",
                f"{one} {two}, {number}",
                f"{noun}, {one}: {number}",
                f"{one} = '{two}'",
                f"{one.upper()}={number}",
                f"- {one}, {two}",
                f"# {noun} {two}",
                f"{few} {one}, {number} {two}",
                f"{verb} {one} before {two} and {three}",
                f"nobody may {verb} the {one} in {two}",
                f"The {one} {verb}s at {few}:{number % 50 + 10}.",
                f"Who will {verb} the {two}? Ask {noun}.",
                f"{one} ({two})",
                f"{one}/{two}/{number}",
                f"{one}@{two}.example",
                f"{noun} & {one}; {few} %",
            )
        )

    def function_path(self, rng: Random) -> str:
        """Return a path for a new module with a function."""
        return self._in_folders(rng, f"{self._stem(rng, importable=False)}.py")

    def script_path(self, rng: Random) -> str:
        """Return a path for a new script, as often as not where scripts usually lie."""
        if rng.random() < 0.5:
            return self.function_path(rng)
        return f"{rng.choice(_TOOLS)}/{self._stem(rng, importable=False)}.py"

    def data_path(self, rng: Random) -> str:
        """Return a path for a new file of settings, notes or data."""
        return self._in_folders(rng, f"{self._stem(rng, importable=False)}{rng.choice(_FORMATS)}")

    def word(self, rng: Random) -> str:
        """Return a word, mostly one that nobody has seen."""
        words = (*self._words.stems, *self._words.folders)
        return rng.choice(words) if rng.random() < 0.8 else super().word(rng)

    def suffix(self, rng: Random) -> str:
        """Return a file name extension, as often as not a common one."""
        return super().suffix(rng) if rng.random() < 0.5 else rng.choice(self._words.suffixes)

    def new_name(self, rng: Random, name: str, kind: str) -> str:
        """Return another name for a class or function."""
        return self._class(rng, name) if kind == "class" else self._function(rng)

    def _module_path(
        self, rng: Random, stems: tuple[str, ...], workspace: Workspace, *, importable: bool
    ) -> str:
        del stems  # what the module is about does not name it
        return self._path(rng, workspace, importable=importable)

    def _path(self, rng: Random, workspace: Workspace, *, importable: bool) -> str:
        while True:
            file = f"{self._stem(rng, importable=importable)}.py"
            path = self._in_folders(rng, file, importable=importable)
            if self._fits(path, Scene(workspace, {}), importable=importable):
                return path

    def _fits(self, path: str, scene: Scene, *, importable: bool) -> bool:
        """Whether a module can lie there and, where that is asked, be imported by its path."""
        names = path.removesuffix(".py").split("/")
        return (
            scene.takes(path)
            and not shadows(path, scene.workspace)
            and (
                not importable or all(name.isidentifier() and name not in _TAKEN for name in names)
            )
        )

    def _in_folders(self, rng: Random, file: str, *, importable: bool = False) -> str:
        depth = rng.choice(_DEPTHS)
        return "/".join([*(self._folder(rng, importable=importable) for _ in range(depth)), file])

    def _folder(self, rng: Random, *, importable: bool) -> str:
        names = self.sources.names
        word = rng.choice(self._words.folders)
        if rng.random() < 0.25:
            word = rng.choice((*names.parents, *names.children))
        if rng.random() < 0.6:
            return word
        return rng.choice(
            (
                f"{word}_{rng.choice(self._words.folders)}",
                f"{rng.choice(self._words.stems)}_{word}",
                f"{word}{rng.randint(2, 9)}",
                f"v{rng.randint(1, 12)}",
                word.capitalize(),
                "src",
            )
            if importable or rng.random() < 0.6
            else (
                f"{word}-{rng.choice(self._words.folders)}",
                f"{word}-{rng.randint(1, 2030)}",
                f"{word}.{rng.randint(1, 9)}",
                f"{rng.randint(0, 99):02}_{word}",
                rng.choice("abcdefgkmpqrtvwxyz"),
                word.upper(),
            )
        )

    def _stem(self, rng: Random, *, importable: bool) -> str:
        names = self.sources.names
        word = rng.choice(self._words.stems)
        if rng.random() < 0.2:
            word = rng.choice(names.stems)
        if rng.random() < 0.5:
            return word
        other = rng.choice((*self._words.stems, *self._words.folders))
        return rng.choice(
            (
                f"{word}_{other}",
                f"{other}_{word}",
                f"{word}s",
                f"{word}_v{rng.randint(2, 9)}",
                f"{word}{rng.randint(1, 99)}",
                f"_{word}",
                word.title().replace("_", ""),
            )
            if importable or rng.random() < 0.6
            else (
                f"{word}-{other}",
                f"{word}.{other}",
                f"{rng.randint(0, 40):02}_{word}",
                f"{word}_{other}_{rng.randint(2019, 2031)}",
                rng.choice("abcdefghkmnpqrstvwxyz"),
                f"{rng.choice('abcdefgkmpqrtvwxyz')}{rng.randint(0, 9)}",
            )
        )

    def _renames(self, rng: Random, text: str) -> dict[str, str]:
        renames: dict[str, str] = {}
        for keyword_, name in re.findall(r"^(class|def) (\w+)", text, flags=re.MULTILINE):
            new = self.new_name(rng, name, "class" if keyword_ == "class" else "function")
            free = new not in _TAKEN and new not in renames.values()
            # A function's name may stand for an attribute or a parameter too; such a one keeps its name.
            whole = len(re.findall(rf"\b{name}\b", text))
            called = len(re.findall(rf"(?<![\w.]){name}(?=\()", text))
            if (
                free
                and not re.search(rf"\b{new}\b", text)
                and (keyword_ == "class" or whole == called)
            ):
                renames[name] = new
        return renames

    def _class(self, rng: Random, name: str) -> str:
        noun = name if rng.random() < 0.4 else rng.choice(self._words.nouns)
        other = rng.choice(self._words.nouns)
        word = rng.choice(self._words.modifiers)
        return rng.choice(
            (
                f"{word}{noun}",
                f"{word}{noun}",
                f"{noun}{other}",
                f"{noun}{rng.choice(self.sources.names.class_suffixes)}",
                f"{word}{noun}{other}",
                f"{noun}V{rng.randint(2, 9)}" if rng.random() < 0.4 else f"{word}{noun}",
                noun,
            )
        )

    def _function(self, rng: Random) -> str:
        noun, other = (rng.choice(self._words.stems) for _ in range(2))
        short = f"{rng.choice(self._words.verbs)}_{noun}"
        return rng.choice((short, short, f"{short}_{other}", f"{noun}_{other}", f"_{short}"))
