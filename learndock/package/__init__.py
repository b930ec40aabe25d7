"""What is inside a learnware package: reading it without trusting it, and building one. Runs none of its code."""
