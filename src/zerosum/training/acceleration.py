"""The device, precision and processes that accelerate gives to training."""

from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState


def new_accelerator_on(device: str, mixed_precision: str = "no") -> Accelerator:
    """An Accelerator for "cpu", or for the device that accelerate selects, whatever this process used before.

    accelerate sets device and precision once for the whole process: a later Accelerator for a GPU would stay on the CPU
    without a word, and one of another precision would be refused. A process that shares its work with others keeps
    them, because their connection goes with them. An older Accelerator of another device must not be used any more.
    """
    on_cpu = device == "cpu"
    if PartialState._shared_state and AcceleratorState._shared_state:
        current = AcceleratorState()
        differs = on_cpu != PartialState()._cpu or mixed_precision != current.mixed_precision
        if differs and current.num_processes == 1:
            AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=on_cpu, mixed_precision=mixed_precision)
