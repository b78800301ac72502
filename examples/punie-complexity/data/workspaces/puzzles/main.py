"""Choose a puzzle."""


def choose(word: str) -> str:
    if word in ("1", "words"):
        return "words"
    if word in ("2", "numbers"):
        return "numbers"
    return ""


def ask(answers: list[str]) -> str:
    while answers:
        chosen = choose(answers.pop(0))
        if chosen:
            return chosen
    return "words"
