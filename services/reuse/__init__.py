"""Reuse of learnwares: from members to predictions."""
