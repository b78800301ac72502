"""Constrained decoding: a small model's reply is kept to what the contract and the project allow.

Greedy decoding of a small model picks the right tool and then miscopies an argument by a letter, or reads
a field that no result has. A `Constraint` knows the contract's functions, parameters and fields, and the
paths of the conversation and the workspace; its cursor follows a reply, character by character, and tells
which continuations cannot be right. `TokenFilter` keeps a model to it, token by token.

Where nothing is wrong with a token but a literal would depart from what it is likely to copy (words that were
said, text and classes that were shown), it counts as less likely than it is, and one that copies is taken.

It never knows what is true: a path that exists may still be the wrong one, and a path that the user names
stays possible where there is no such file. What it does not understand, it allows.
"""

from punie_agent.constrain._alternative import ALTERNATIVES_FIELD, Alternative
from punie_agent.constrain._constraint import REQUEST_FIELD, Constraint, Preference
from punie_agent.constrain._logits import LogitsProcessor
from punie_agent.constrain._mentions import listing
from punie_agent.constrain._model import Constrainable, constrained, constrained_if_trained
from punie_agent.constrain._reply import ReplyCursor
from punie_agent.constrain._tokens import TokenFilter, TokenTexts

__all__ = [
    "ALTERNATIVES_FIELD",
    "REQUEST_FIELD",
    "Alternative",
    "Constrainable",
    "Constraint",
    "LogitsProcessor",
    "Preference",
    "ReplyCursor",
    "TokenFilter",
    "TokenTexts",
    "constrained",
    "constrained_if_trained",
    "listing",
]
