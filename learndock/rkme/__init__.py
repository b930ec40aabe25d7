"""Reduced kernel mean embeddings: building, comparing and sampling statistical specifications. No I/O."""
