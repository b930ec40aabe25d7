"""Validation of packages in a sandbox."""
