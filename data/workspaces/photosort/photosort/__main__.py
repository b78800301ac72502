"""The command line."""

import sys

from photosort.plan import plan_moves
from photosort.scan import scan


def main(argv: list[str]) -> int:
    if len(argv) != 2:
        print("usage: python -m photosort SOURCE TARGET")
        return 2
    photos = scan(argv[0])
    for move in plan_moves(photos, argv[1]):
        print(move.source, "->", move.target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
