"""A suite of runs that were trained and measured here: what its report says.

`measured.py` reads a run directory; everything else only shows numbers that are given.
"""
