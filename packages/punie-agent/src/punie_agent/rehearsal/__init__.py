"""Rehearsal: an edit is tried on a copy of the workspace before it is made.

A small model knows often enough what to do and gets one letter or one line of it wrong. Whether an edit is
right, a type checker can tell, and it can be asked before anything is written: programs that write and check
run on a copy first, and where the check finds something, the model is asked for another program. The person
sees, and is asked to allow, the one that went well.
"""

from punie_agent.rehearsal._kept import lost_names, lost_uses
from punie_agent.rehearsal._model import ATTEMPTS, kept_and_rehearsed, rehearsed
from punie_agent.rehearsal._trial import Outcome, can_be_tried, outcome_of, repairs

__all__ = [
    "ATTEMPTS",
    "Outcome",
    "can_be_tried",
    "kept_and_rehearsed",
    "lost_names",
    "lost_uses",
    "outcome_of",
    "rehearsed",
    "repairs",
]
