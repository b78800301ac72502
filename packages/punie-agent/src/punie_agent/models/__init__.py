"""Models: the protocol the loop speaks, adapters, and the registry of what was made locally.

Importing this package imports no adapter's libraries: `resolve` does, for the one that is used.
"""

from punie_agent.models._offline import OfflineModel
from punie_agent.models._protocol import ChatModel, Image, Message, ModelReply, Role, Usage
from punie_agent.models._resolve import choices, close, contract_for, default_name, resolve

__all__ = [
    "ChatModel",
    "Image",
    "Message",
    "ModelReply",
    "OfflineModel",
    "Role",
    "Usage",
    "choices",
    "close",
    "contract_for",
    "default_name",
    "resolve",
]
