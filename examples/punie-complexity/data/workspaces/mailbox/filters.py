"""Which folder a message goes to."""


def folder(subject: str, sender: str, known: set[str]) -> str:
    text = subject.lower()
    if sender not in known:
        if "invoice" in text or "payment" in text:
            return "suspicious"
        return "others"
    if text.startswith("re:") or text.startswith("fwd:"):
        return "threads"
    for word in ("newsletter", "offer", "sale"):
        if word in text:
            return "news"
    return "inbox"


def is_reply(subject: str) -> bool:
    return subject.lower().startswith("re:")
