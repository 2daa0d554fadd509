"""zerosum: training dynamics of language models.

Names are loaded when first used, so that `import zerosum` stays fast and loads neither torch nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.checkpoints import open_run
    from zerosum.curves import LossCurve, read_curve, write_curve
    from zerosum.deceleration import fit
    from zerosum.errors import InputError
    from zerosum.gradients import first_order_changes, gradient_interference
    from zerosum.interference import InterferenceSums, destructive_interference
    from zerosum.losses import open_store, token_losses
    from zerosum.monitor import Monitor

__version__ = "0.1.0"

_ROOM_OF = {
    "InputError": "errors",
    "InterferenceSums": "interference",
    "LossCurve": "curves",
    "Monitor": "monitor",
    "destructive_interference": "interference",
    "first_order_changes": "gradients",
    "fit": "deceleration",
    "gradient_interference": "gradients",
    "open_run": "checkpoints",
    "open_store": "losses",
    "read_curve": "curves",
    "token_losses": "losses",
    "write_curve": "curves",
}
_ROOMS = (
    "checkpoints",
    "curves",
    "deceleration",
    "dissent",
    "gradients",
    "interference",
    "losses",
    "monitor",
    "scaling",
    "tokens",
    "training",
)

__all__ = [
    "InputError",
    "InterferenceSums",
    "LossCurve",
    "Monitor",
    "__version__",
    "destructive_interference",
    "first_order_changes",
    "fit",
    "gradient_interference",
    "open_run",
    "open_store",
    "read_curve",
    "token_losses",
    "write_curve",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"zerosum.{name}")
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'zerosum' has no attribute {name!r}")
    return getattr(import_module(f"zerosum.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
