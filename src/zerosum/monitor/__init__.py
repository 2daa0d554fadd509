"""The live monitor: token-level interference while any loop trains a model, at a stated cost.

The core knows no training loop; each of the files `huggingface`, `lightning`, `accelerate` and `own_loop` knows one.
Must not import `training`. Names are loaded when first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from zerosum.monitor._monitor import Monitor
    from zerosum.monitor.measured import Measured
    from zerosum.monitor.schedule import Schedule, every

_FILES = {"_monitor": ["Monitor"], "measured": ["Measured"], "schedule": ["Schedule", "every"]}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_FILES)

__all__ = ["Measured", "Monitor", "Schedule", "every"]
