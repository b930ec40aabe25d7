"""Examining a package: checks before its code runs, then checks of the model in a sandbox."""
