"""`zerosum explain`: the list, one section, the JSON, and codes that do not exist."""

import pytest
from called import call, one_document

from zerosum.deceleration.reason_pages import PAGES

__all__ = ["call"]


def words_of(text):
    return " ".join(text.split())


@pytest.mark.parametrize("columns", [80, 120])
def test_the_list_has_every_reason_with_its_levels(call, columns):
    code, out, err = call("explain", columns=columns)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= columns
    for page in PAGES:
        row = next(line for line in out.splitlines() if line.split()[:1] == [page.code])
        assert row.split()[1] == next(iter(page.examples))
    assert len([line for line in out.splitlines() if " blocking " in line]) == sum(
        "blocking" in p.examples for p in PAGES
    )


def test_one_reason_is_its_whole_section(call):
    code, out, err = call("explain", "warm-up")
    page = next(page for page in PAGES if page.code == "warm-up")
    assert (code, err) == (0, "")
    for text in (page.code, page.means, page.measured, page.remedy, page.blocking, page.note):
        assert text in words_of(out)


@pytest.mark.parametrize("written", ["Too_Few_Points", "too few points", "too-few-points"])
def test_how_a_code_is_written_does_not_matter(call, written):
    assert call("explain", written)[1] == call("explain", "too-few-points")[1]


def test_json_has_every_part_and_is_one_document(call):
    code, out, err = call("explain", "--json")
    document = one_document(out)
    assert (code, err, document["errors"]) == (0, "", [])
    assert [one["code"] for one in document["reasons"]] == [page.code for page in PAGES]
    for one in document["reasons"]:
        assert one.keys() == {"code", "levels", "means", "measured", "remedy", "examples"}
        assert list(one["examples"]) == one["levels"]


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("warmup", "Did you mean warm-up?"),
        ("cutof", "Did you mean break-below-cutoff or unstable-cutoff?"),
        ("xyzzy", "`zerosum explain`"),
        ("", "all"),
    ],
)
def test_an_unknown_code_is_one_line_with_what_is_near(call, asked, near):
    code, out, err = call("explain", asked)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"zerosum: {asked!r}: not a reason")
    assert near in err


def test_one_unknown_code_does_not_lose_the_others(call):
    code, out, _ = call("explain", "gap", "\x1b[2Jgap", "--json")
    document = one_document(out)
    assert code == 2
    assert [one["code"] for one in document["reasons"]] == ["gap"]
    assert [one["source"] for one in document["errors"]] == ["\x1b[2Jgap"]
    assert "\x1b" not in "".join(call("explain", "gap", "\x1b[2Jgap")[1:])
