"""Files that hang on a message."""


def icon(name: str) -> str:
    match name.rpartition(".")[2]:
        case "png" | "jpg":
            return "picture"
        case "pdf":
            return "document"
        case "zip" | "gz":
            return "archive"
        case _:
            return "file"


def readable(size: int) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GB"
