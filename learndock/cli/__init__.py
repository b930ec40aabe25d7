"""The `learndock` command, on top of the client."""
