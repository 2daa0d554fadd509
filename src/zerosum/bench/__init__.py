"""Paired comparisons of training arms: what is declared, which runs it needs, and their results. Loads no torch."""
