"""Sort photographs by date."""
