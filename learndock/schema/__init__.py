"""Columns known by meaning: tables of other columns than a learnware's, matched, compared and completed."""
