"""One run, whoever trained it: its loss curve, and what its per-token losses and gradients say where measured.

`measured.py` and `heat.py` read a store of losses; everything else only shows what they found. What is missing is one
line with the command that makes it.
"""
