"""Every service of a dock in one process."""
