"""The processes of a dock: one folder, one owner, one image each. They never import each other."""
