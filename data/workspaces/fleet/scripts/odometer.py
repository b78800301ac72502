"""Kilometres driven in a month."""


def driven(start: int, end: int) -> int:
    return end - start


def main() -> None:
    print(driven(10_250, 12_900))


if __name__ == "__main__":
    main()
