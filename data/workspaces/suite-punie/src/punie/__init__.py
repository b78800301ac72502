"""The desk bot."""
