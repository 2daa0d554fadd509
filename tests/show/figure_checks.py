"""What every figure has to hold: nothing cut off, axes named, no legend over a panel."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def texts(fig: Figure) -> list[str]:
    """Every text of the figure."""
    return [text.get_text() for text in fig.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def drawn(fig: Figure) -> FigureCanvasAgg:
    """The figure laid out and drawn."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return canvas


def check_layout(fig: Figure) -> None:
    """Nothing is cut off."""
    box = fig.get_tightbbox(drawn(fig).get_renderer())  # inches
    width, height = fig.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def check_legend(fig: Figure) -> None:
    """The legend covers no panel."""
    renderer = drawn(fig).get_renderer()
    (legend,) = fig.legends
    box = legend.get_window_extent(renderer)
    for ax in fig.axes:
        if ax.get_visible():
            assert not box.overlaps(ax.get_tightbbox(renderer)), ax.get_title()


def check_names(fig: Figure) -> None:
    """Every axis is named."""
    axes = [ax for ax in fig.axes if ax.get_visible()]
    assert all(ax.get_title(loc="left") for ax in axes)
    assert axes[-1].get_xlabel()
    assert axes[0].get_ylabel() or "(" in axes[0].get_title(loc="left")
