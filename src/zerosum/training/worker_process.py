"""Imported first by the server process of `side_by_side`: its copies, the workers, inherit these settings."""

from zerosum.memory import keep_freed_memory

keep_freed_memory()
