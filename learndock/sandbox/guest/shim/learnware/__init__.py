"""Stands in for the reference engine, so that its packages find the base class that they import."""
