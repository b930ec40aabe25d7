"""Packages and the catalogue of learnwares."""
