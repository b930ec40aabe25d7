"""Turns found learnwares into predictions."""
