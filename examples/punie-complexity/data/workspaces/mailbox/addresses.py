"""Mail addresses."""


def split(address: str) -> tuple[str, str]:
    name, _, domain = address.rpartition("@")
    return name, domain


def valid(address: str) -> bool:
    name, domain = split(address)
    if not name or not domain:
        return False
    if "." not in domain or domain.startswith(".") or domain.endswith("."):
        return False
    return all(part.isascii() for part in (name, domain))


def unique(addresses: list[str]) -> list[str]:
    seen = set()
    kept = []
    for address in addresses:
        key = address.lower()
        if key not in seen:
            seen.add(key)
            kept.append(address)
    return kept
