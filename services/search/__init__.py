"""Identification: certified search over the learnwares of a dock."""
