"""Sums of |g| read off what each layer sees in backward passes, without a gradient of the model ever being stored.

`_layers.py` (and `_norms.py`) know the kinds of layers, `_head.py` the output head, `_tail.py` what is behind the last
attention. They tell `_recorder.py`, which hands on to an adder of `_accumulators.py`.
"""
