"""Word puzzles."""


def is_palindrome(text: str) -> bool:
    letters = [letter for letter in text.lower() if letter.isalpha()]
    return letters == letters[::-1]


def caesar(text: str, shift: int) -> str:
    moved = []
    for letter in text:
        if letter.islower():
            moved.append(chr((ord(letter) - 97 + shift) % 26 + 97))
        elif letter.isupper():
            moved.append(chr((ord(letter) - 65 + shift) % 26 + 65))
        else:
            moved.append(letter)
    return "".join(moved)


def vowels(text: str) -> int:
    return sum(letter in "aeiou" for letter in text)
