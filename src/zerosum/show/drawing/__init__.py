"""How every figure is drawn: colours with roles, axes, legends, the fit on its curve. Loads matplotlib when used.

Sections say `from zerosum.show import drawing as d` and `d.panels(...)`: a terminal answer then needs no matplotlib.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
