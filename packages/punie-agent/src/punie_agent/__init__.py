"""A coding agent for Python developers over the Agent Client Protocol: the model writes Python against typed tools."""
