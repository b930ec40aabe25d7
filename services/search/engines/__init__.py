"""What scores the learnwares of islands: one port, and what implements it."""
