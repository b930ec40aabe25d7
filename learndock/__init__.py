"""Learndock: a learnware dock."""
