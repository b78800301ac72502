"""Who works on tickets."""

from dataclasses import dataclass


@dataclass
class User:
    login: str
    full_name: str
    active: bool = True


def display_name(user: User) -> str:
    return f"{user.full_name} ({user.login})"


def initials(user: User) -> str:
    return "".join(part[0] for part in user.fullname.split())
