"""Books, loans and fines."""
