"""The terminal shows the page's numbers, in the width there is, and no name is markup."""

import dataclasses
import io

import pytest
from rich.console import Console

from zerosum.show import RunSummary, SuiteSummary, terminal_table


def shown(summary: SuiteSummary, width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal_table(summary))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 100])
def test_fits_and_shows_every_number_whole(three_sizes: SuiteSummary, width: int) -> None:
    lines = shown(three_sizes, width)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    for run in three_sizes.runs:
        assert run.name in text
        assert f"{run.fit.t_d:.0f}" in text
        assert f"{run.fit.L_d:.3f}" in text
        assert f"{run.double[-1].interference.D:.3f}" in text
    assert text.count("decelerates") == 3
    assert "N = 4,096" in text


def test_hostile_names_are_shown_as_they_are(three_sizes: SuiteSummary) -> None:
    runs = (dataclasses.replace(three_sizes.runs[0], name="[red]\x1b[31m[/red]"),)
    text = "\n".join(shown(dataclasses.replace(three_sizes, runs=runs, title="[bold]t"), 120))
    assert "[red]\ufffd[31m[/red]" in text
    assert "[bold]t" in text
    assert "\x1b" not in text


def test_what_cannot_be_told_has_no_number(three_sizes: SuiteSummary, short_run: RunSummary) -> None:
    text = "\n".join(shown(dataclasses.replace(three_sizes, runs=(short_run,)), 100))
    assert "cannot tell" in text
    assert f"{short_run.fit.t_d:.0f}" not in text
