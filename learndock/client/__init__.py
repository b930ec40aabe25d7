"""The Python client: `Dock`, and everything between it and the wire."""
