"""Tables in plain text."""

Row = list[str]


def widths(rows: list[Row]) -> list[int]:
    return [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]


def render(rows: list[Row]) -> str:
    columns = widths(rows)
    lines = []
    for row in rows:
        lines.append("  ".join(cell.ljust(size) for cell, size in zip(row, columns)))
    return lines
