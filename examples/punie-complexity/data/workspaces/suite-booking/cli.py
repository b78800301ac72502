"""The command line."""


def parse(words: list[str]) -> dict[str, str]:
    options = {}
    for word in words:
        if not word.startswith("--"):
            continue
        name, found, value = word[2:].partition("=")
        options[name] = value if found else "yes"
    return options


def run(words: list[str]) -> int:
    options = parse(words)
    if "help" in options:
        print("booking --room=N")
        return 0
    return 0 if "room" in options else 2
