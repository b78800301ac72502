"""`python -m punie_agent` is `punie`."""

from punie_agent.cli import main

raise SystemExit(main())
