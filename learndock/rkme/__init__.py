"""Reduced kernel mean embeddings: building, comparing and sampling statistical specifications.

No I/O, but for `tables`, which reads the owner's files.
"""
