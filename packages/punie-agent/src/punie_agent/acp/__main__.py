"""`python -m punie_agent.acp`: serve one editor over stdio."""

from __future__ import annotations

import sys

from punie_agent.acp import serve

if __name__ == "__main__":
    sys.exit(serve())
