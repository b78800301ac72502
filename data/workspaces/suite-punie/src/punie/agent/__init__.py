"""The agent: its turn loop, its sessions and what it is allowed to do."""
