"""What sections use of matplotlib itself: `d.Axes`, `d.Patch`, ..., loaded like all of `drawing` when first used."""

from matplotlib.artist import Artist as Artist
from matplotlib.axes import Axes as Axes
from matplotlib.colors import to_rgba as to_rgba
from matplotlib.figure import Figure as Figure
from matplotlib.lines import Line2D as Line2D
from matplotlib.patches import Patch as Patch
from matplotlib.patches import PathPatch as PathPatch
from matplotlib.path import Path as Path
from matplotlib.ticker import FixedLocator as FixedLocator
from matplotlib.ticker import FuncFormatter as FuncFormatter
from matplotlib.ticker import MaxNLocator as MaxNLocator
from matplotlib.ticker import NullLocator as NullLocator
