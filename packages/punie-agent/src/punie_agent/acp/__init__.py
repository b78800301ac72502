"""Punie in an editor: the Agent Client Protocol over stdio.

`serve` is what `punie acp` runs. Importing this package is cheap: the protocol SDK is imported when a
client has had the answer to its first message.
"""

from punie_agent.acp._serve import serve, serve_connection

__all__ = ["serve", "serve_connection"]
