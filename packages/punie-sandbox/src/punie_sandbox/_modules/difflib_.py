"""What models use of `difflib`, with the standard library's algorithm and its results."""

# ruff: noqa: C901, PLW2901, UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

from typing import Any, Callable, Sequence


class SequenceMatcher:
    """Compares two sequences of hashable items."""

    def __init__(
        self,
        isjunk: Callable[[Any], Any] | None = None,
        a: Sequence[Any] = "",
        b: Sequence[Any] = "",
        autojunk: bool = True,
    ) -> None:
        self.isjunk = isjunk
        self.autojunk = autojunk
        self.a = a
        self.set_seq2(b)

    def set_seqs(self, a: Sequence[Any], b: Sequence[Any]) -> None:
        """Compare other sequences."""
        self.a = a
        self.set_seq2(b)

    def set_seq1(self, a: Sequence[Any]) -> None:
        """Compare another first sequence."""
        self.a = a

    def set_seq2(self, b: Sequence[Any]) -> None:
        """Compare another second sequence."""
        self.b = b
        places = {}
        for index, item in enumerate(b):
            places.setdefault(item, []).append(index)
        junk = set()
        if self.isjunk is not None:
            junk = {item for item in places if self.isjunk(item)}
        popular = set()
        size = len(b)
        if self.autojunk and size >= 200:
            most = size // 100 + 1
            popular = {
                item for item, found in places.items() if item not in junk and len(found) > most
            }
        self.bjunk = junk
        self.bpopular = popular
        self.b2j = {
            item: found
            for item, found in places.items()
            if item not in junk and item not in popular
        }

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> tuple[int, int, int]:
        """The longest matching block: where in a, where in b, how long."""
        a, b = self.a, self.b
        if ahi is None:
            ahi = len(a)
        if bhi is None:
            bhi = len(b)
        besti, bestj, bestsize = alo, blo, 0
        lengths = {}
        for i in range(alo, ahi):
            new = {}
            for j in self.b2j.get(a[i], []):
                if j < blo:
                    continue
                if j >= bhi:
                    break
                k = lengths.get(j - 1, 0) + 1
                new[j] = k
                if k > bestsize:
                    besti, bestj, bestsize = i - k + 1, j - k + 1, k
            lengths = new
        junk = self.bjunk
        while (
            besti > alo
            and bestj > blo
            and b[bestj - 1] not in junk
            and a[besti - 1] == b[bestj - 1]
        ):
            besti, bestj, bestsize = besti - 1, bestj - 1, bestsize + 1
        while (
            besti + bestsize < ahi
            and bestj + bestsize < bhi
            and b[bestj + bestsize] not in junk
            and a[besti + bestsize] == b[bestj + bestsize]
        ):
            bestsize += 1
        while besti > alo and bestj > blo and b[bestj - 1] in junk and a[besti - 1] == b[bestj - 1]:
            besti, bestj, bestsize = besti - 1, bestj - 1, bestsize + 1
        while (
            besti + bestsize < ahi
            and bestj + bestsize < bhi
            and b[bestj + bestsize] in junk
            and a[besti + bestsize] == b[bestj + bestsize]
        ):
            bestsize += 1
        return (besti, bestj, bestsize)

    def get_matching_blocks(self) -> list[tuple[int, int, int]]:
        """All matching blocks, in order; the last one is empty."""
        todo = [(0, len(self.a), 0, len(self.b))]
        blocks = []
        while todo:
            alo, ahi, blo, bhi = todo.pop()
            i, j, k = self.find_longest_match(alo, ahi, blo, bhi)
            if k:
                blocks.append((i, j, k))
                if alo < i and blo < j:
                    todo.append((alo, i, blo, j))
                if i + k < ahi and j + k < bhi:
                    todo.append((i + k, ahi, j + k, bhi))
        blocks.sort()
        i1, j1, k1 = 0, 0, 0
        joined = []
        for i2, j2, k2 in blocks:
            if i1 + k1 == i2 and j1 + k1 == j2:
                k1 += k2
            else:
                if k1:
                    joined.append((i1, j1, k1))
                i1, j1, k1 = i2, j2, k2
        if k1:
            joined.append((i1, j1, k1))
        joined.append((len(self.a), len(self.b), 0))
        return joined

    def get_opcodes(self) -> list[tuple[str, int, int, int, int]]:
        """How to turn a into b."""
        i, j = 0, 0
        codes = []
        for ai, bj, size in self.get_matching_blocks():
            tag = ""
            if i < ai and j < bj:
                tag = "replace"
            elif i < ai:
                tag = "delete"
            elif j < bj:
                tag = "insert"
            if tag:
                codes.append((tag, i, ai, j, bj))
            i, j = ai + size, bj + size
            if size:
                codes.append(("equal", ai, i, bj, j))
        return codes

    def get_grouped_opcodes(self, n: int = 3) -> list[list[tuple[str, int, int, int, int]]]:
        """Groups of changes with up to n lines around them."""
        codes = self.get_opcodes()
        if not codes:
            codes = [("equal", 0, 1, 0, 1)]
        if codes[0][0] == "equal":
            tag, i1, i2, j1, j2 = codes[0]
            codes[0] = (tag, max(i1, i2 - n), i2, max(j1, j2 - n), j2)
        if codes[-1][0] == "equal":
            tag, i1, i2, j1, j2 = codes[-1]
            codes[-1] = (tag, i1, min(i2, i1 + n), j1, min(j2, j1 + n))
        groups = []
        group = []
        for tag, i1, i2, j1, j2 in codes:
            if tag == "equal" and i2 - i1 > 2 * n:
                group.append((tag, i1, min(i2, i1 + n), j1, min(j2, j1 + n)))
                groups.append(group)
                group = []
                i1, j1 = max(i1, i2 - n), max(j1, j2 - n)
            group.append((tag, i1, i2, j1, j2))
        if group and not (len(group) == 1 and group[0][0] == "equal"):
            groups.append(group)
        return groups

    def ratio(self) -> float:
        """How alike they are, from 0 to 1."""
        total = len(self.a) + len(self.b)
        same = sum([block[2] for block in self.get_matching_blocks()])
        return 2.0 * same / total if total else 1.0

    def quick_ratio(self) -> float:
        """An upper bound of `ratio`."""
        counts = {}
        for item in self.b:
            counts[item] = counts.get(item, 0) + 1
        same = 0
        for item in self.a:
            left = counts.get(item, 0)
            counts[item] = left - 1
            if left > 0:
                same += 1
        total = len(self.a) + len(self.b)
        return 2.0 * same / total if total else 1.0

    def real_quick_ratio(self) -> float:
        """A cheaper upper bound of `ratio`."""
        total = len(self.a) + len(self.b)
        return 2.0 * min(len(self.a), len(self.b)) / total if total else 1.0


def get_close_matches(
    word: str, possibilities: Sequence[str], n: int = 3, cutoff: float = 0.6
) -> list[str]:
    """The best matches for a word, best first."""
    if n <= 0:
        raise ValueError(f"n must be > 0: {n!r}")
    if not 0.0 <= cutoff <= 1.0:
        raise ValueError(f"cutoff must be in [0.0, 1.0]: {cutoff!r}")
    found = []
    matcher = SequenceMatcher()
    matcher.set_seq2(word)
    for other in possibilities:
        matcher.set_seq1(other)
        if matcher.real_quick_ratio() >= cutoff and matcher.quick_ratio() >= cutoff:
            ratio = matcher.ratio()
            if ratio >= cutoff:
                found.append((ratio, other))
    found.sort(reverse=True)
    return [other for _, other in found[:n]]


def unified_diff(
    a: Sequence[str],
    b: Sequence[str],
    fromfile: str = "",
    tofile: str = "",
    fromfiledate: str = "",
    tofiledate: str = "",
    n: int = 3,
    lineterm: str = "\n",
) -> list[str]:
    """The lines of a unified diff (a list here, a generator in the standard library)."""
    lines = []
    for group in SequenceMatcher(None, a, b).get_grouped_opcodes(n):
        if not lines:
            before = "\t" + fromfiledate if fromfiledate else ""
            after = "\t" + tofiledate if tofiledate else ""
            lines.append(f"--- {fromfile}{before}{lineterm}")
            lines.append(f"+++ {tofile}{after}{lineterm}")
        first, last = group[0], group[-1]
        old = _range(first[1], last[2])
        new = _range(first[3], last[4])
        lines.append(f"@@ -{old} +{new} @@{lineterm}")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines.extend([" " + line for line in a[i1:i2]])
                continue
            if tag in ("replace", "delete"):
                lines.extend(["-" + line for line in a[i1:i2]])
            if tag in ("replace", "insert"):
                lines.extend(["+" + line for line in b[j1:j2]])
    return lines


def _range(start: int, stop: int) -> str:
    begin = start + 1
    length = stop - start
    if length == 1:
        return str(begin)
    if not length:
        begin -= 1
    return f"{begin},{length}"
