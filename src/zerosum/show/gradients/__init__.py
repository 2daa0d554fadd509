"""How far the gradients of single tokens oppose each other, over training: figures, tables, words, a page.

`subject.py` is what all of them show, made from documents as `zerosum gradients --json` prints them; `measured.py`
makes it from a store. `halving.py`, `prediction.py` and `by_type.py` compute what no document has. Loads no torch.
"""
