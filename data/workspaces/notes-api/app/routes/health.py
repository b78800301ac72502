"""Is the service up?"""


def health() -> dict[str, str]:
    return {"status": "ok"}
