"""Gradient dissent: the attraction of each label against the repulsion of all other tokens."""
