"""Run what a model wrote: typed host functions, checked before they run, contained, resumable, previewable.

`ExternalFunctions` says what the code may call and renders the stubs; `Sandbox` checks and runs snippets;
`RunResult` says everything about a run and is JSON.
"""

from punie_sandbox._function import Effect, ExternalFunction, Parameter
from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._pending import Pending
from punie_sandbox._reads import fields_read
from punie_sandbox._sandbox import Sandbox
from punie_sandbox._workers import Workers
from punie_sandbox.errors import (
    BusyError,
    CannotPreviewError,
    PendingRunError,
    PlanError,
    RegistrationError,
    ReplayError,
    SandboxClosedError,
    SandboxError,
    SnapshotError,
)
from punie_sandbox.limits import Limits
from punie_sandbox.preview import FileChange, Overlay, Plan, Preview, TextFiles
from punie_sandbox.records import (
    Call,
    CallRecord,
    Decision,
    Diagnostic,
    Policy,
    RunError,
    RunResult,
    Status,
    allow,
    ask,
    deny,
)

__all__ = [
    "BusyError",
    "Call",
    "CallRecord",
    "CannotPreviewError",
    "Decision",
    "Diagnostic",
    "Effect",
    "ExternalFunction",
    "ExternalFunctions",
    "FileChange",
    "Limits",
    "Overlay",
    "Parameter",
    "Pending",
    "PendingRunError",
    "Plan",
    "PlanError",
    "Policy",
    "Preview",
    "RegistrationError",
    "ReplayError",
    "RunError",
    "RunResult",
    "Sandbox",
    "SandboxClosedError",
    "SandboxError",
    "SnapshotError",
    "Status",
    "TextFiles",
    "Workers",
    "allow",
    "ask",
    "deny",
    "fields_read",
]
