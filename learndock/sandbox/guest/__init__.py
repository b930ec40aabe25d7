"""What runs inside a sandbox: the standard library and NumPy, nothing else of this project."""
