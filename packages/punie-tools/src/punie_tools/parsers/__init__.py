"""Pure functions from a tool's output to its typed result; none of them ever raises."""

from punie_tools.parsers._evidence import Evidence
from punie_tools.parsers.ty import parse_ty

__all__ = ["Evidence", "parse_ty"]
