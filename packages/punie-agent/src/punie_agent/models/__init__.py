"""Models: the protocol the loop speaks, adapters, and the registry of what was made locally."""

from punie_agent.models._offline import OfflineModel
from punie_agent.models._protocol import ChatModel, Image, Message, ModelReply, Role, Usage

__all__ = ["ChatModel", "Image", "Message", "ModelReply", "OfflineModel", "Role", "Usage"]
