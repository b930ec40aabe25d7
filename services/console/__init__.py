"""The dock in a browser, for users and for admins."""
