"""Pure modules that the interpreter lacks and that models reach for.

Each file beside this one is ordinary Python, written in the subset the interpreter runs; its public names
are the module. They run inside the sandbox, under its limits, never on the host. They hold what models use
of the standard library's modules of the same names, with the same results.
"""

from punie_sandbox._modules.loader import (
    PROVIDED,
    importing_code,
    loading_code,
    provided_in,
    rewrites_imports,
    stubs_of,
    with_provided_imports,
)

__all__ = [
    "PROVIDED",
    "importing_code",
    "loading_code",
    "provided_in",
    "rewrites_imports",
    "stubs_of",
    "with_provided_imports",
]
