"""Punie: a coding agent for Python whose model writes Python against typed tools.

The parts, each importable alone: `punie_agent.contract` (how the model is spoken to),
`punie_agent.loop` (one turn), `punie_agent.models` (who answers), `punie_agent.permissions` (who may
do what), `punie_agent.acp` (the server for editors) and `punie_agent.cli` (the program `punie`).
Importing this package imports none of them.
"""

from punie_agent.errors import AgentError

__all__ = ["AgentError"]
