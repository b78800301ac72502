"""Print what is nearly gone."""

import sys


def low(stock: dict[str, int], limit: int) -> list[str]:
    return sorted(name for name, count in stock.items() if count < limit)


def main(words: list[str]) -> int:
    stock = {}
    for word in words:
        name, _, count = word.partition("=")
        try:
            stock[name] = int(count)
        except ValueError:
            print(f"{word}: not a number")
            return 2
    for name in low(stock, 3):
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
