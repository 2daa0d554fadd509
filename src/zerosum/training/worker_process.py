"""Imported first by the server process of `side_by_side`: its copies, the workers, inherit these settings."""

import gc

from zerosum.memory import hold_freed_memory

gc.set_threshold(50_000)  # as in the command line
hold_freed_memory()
