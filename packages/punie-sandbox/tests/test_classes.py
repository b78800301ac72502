"""Methods that Python calls by itself and the interpreter does not: nothing but a finding would say so."""

from collections.abc import Awaitable, Callable

import pytest

from punie_sandbox import Diagnostic, RunResult, Sandbox
from punie_sandbox._syntax import _DUNDERS

USES = {
    "__bool__(self): return False": "bool(A())",
    "__ne__(self, other): return False": "A() != A()",
    "__new__(cls): return True": "A() is not True",
    "__setattr__(self, name, value): return None": "a = A()\na.x = True\na.x",
    "__getattribute__(self, name): return False": "a = A()\na.x = True\na.x",
}


@pytest.mark.parametrize("method", USES)
async def test_a_method_that_is_never_called_is_a_finding(
    sandbox: Sandbox, unchecked: Callable[[Sandbox, str], Awaitable[RunResult]], method: str
) -> None:
    """behaviour: check.never-called."""
    name = method.partition("(")[0]
    code = f"class A:\n    def {method}\n{USES[method]}"
    assert Diagnostic(
        2, 5, "unsupported-method", f"`{name}` is never called here", _DUNDERS[name]
    ) in await sandbox.check(code)
    assert (await unchecked(sandbox, code)).value is True  # Python says False, or has no `a.x`
