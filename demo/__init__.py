"""The whole story on real data: `make demo`."""
