"""`python -m punie_sandbox` is the command `punie-sandbox`."""

from punie_sandbox.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
