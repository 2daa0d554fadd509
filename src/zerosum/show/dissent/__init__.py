"""Gradient dissent over training: figures, tables, files.

`subject.py` is what all of them show, made from documents as `zerosum dissent --json` prints them. Loads no torch.
"""
