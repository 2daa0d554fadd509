"""Names of weights without those that wrappers of torch put before or into them."""

import re

# Compiled, sharded and recomputed modules; `module.` is data parallel, and always comes first.
_INSERTED = r"(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
_WRAPPERS = re.compile(rf"^(?:module\.|{_INSERTED})+|(?<=\.){_INSERTED}")


def plain_name(name: str) -> str:
    """Name of a weight without those of the wrappers around its model.

    >>> plain_name("module._orig_mod.model.layers.0._checkpoint_wrapped_module.mlp.weight")
    'model.layers.0.mlp.weight'
    """
    return _WRAPPERS.sub("", name)
