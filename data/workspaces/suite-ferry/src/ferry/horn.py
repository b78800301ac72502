"""Signals with the horn."""


def signal(name: str) -> str:
    """Return long and short blasts for a manoeuvre."""
    return {"astern": "...", "port": "..", "starboard": "."}.get(name, "-")
