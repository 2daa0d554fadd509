"""Per-token gradients: how far the tokens of a batch oppose each other, coordinate by coordinate. Needs torch.

`_oracle.py` is the slow and obvious way. `_exact.py` gives the same sums without storing a per-token gradient, for
models made of the layers in `_layers.py`; `_general.py` takes any other.
"""
