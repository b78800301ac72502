"""Which fields of typed results a snippet reads, found without running it."""

from punie_sandbox._reads.reader import fields_read

__all__ = ["fields_read"]
