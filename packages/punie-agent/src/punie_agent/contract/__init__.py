"""The contract with the model: one prompt, one rendering of the tools, one way to write a call.

The agent, the training data and the evaluation use the same `Contract`, so what a model is taught is
what it is served. `digest()` fingerprints all of it; a model artefact records the digest it was
trained with, and serving it under another one warns.
"""

from punie_agent.contract._contract import Contract, standard_functions
from punie_agent.contract._prompt import CallFormat, Style
from punie_agent.contract._reply import Reply
from punie_agent.contract._stream import ProseStream

__all__ = ["CallFormat", "Contract", "ProseStream", "Reply", "Style", "standard_functions"]
