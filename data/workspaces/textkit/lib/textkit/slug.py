"""Slugs for URLs."""

import re
import unicodedata


def slugify(text: str, max_length: int = None) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return slug[:max_length]
