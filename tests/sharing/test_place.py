"""What is measured in another way has a place of its own, found again by itself."""

from zerosum.sharing import own_place, places_beside


def place_of(folder, kind):
    """Measure something of a kind: the place holds the kind in a file."""

    def fits(place):
        return (place / "kind").read_text() == kind

    place = own_place(folder / "losses.zarr", {"kind": kind}, fits)
    place.mkdir(exist_ok=True)
    (place / "kind").write_text(kind)
    return place.name


def test_the_first_has_the_default_place_and_every_kind_its_own(tmp_path):
    kinds = ["a", "b", "a", "c", "b", "c"]
    names = [place_of(tmp_path, kind) for kind in kinds]
    assert names[0] == names[2] == "losses.zarr"
    assert [names[kinds.index(kind)] for kind in kinds] == names
    assert sorted(set(names) - {"losses.zarr"}) == [place.name for place in places_beside(tmp_path / "losses.zarr")]
    assert len(set(names)) == 3


def test_a_name_that_is_taken_by_another_kind(tmp_path):
    place_of(tmp_path, "a")
    name = place_of(tmp_path, "b")
    (tmp_path / name / "kind").write_text("of an older version")
    other = place_of(tmp_path, "b")
    assert other not in ("losses.zarr", name)
    assert place_of(tmp_path, "b") == other


def test_other_files_are_no_places(tmp_path):
    for name in (
        "losses.zarr",
        "losses-old.zarr",
        "losses.zarr.damaged",
        "losses-report",
        "losses-0123abcd.zarr.parts",
    ):
        (tmp_path / name).mkdir()
    assert places_beside(tmp_path / "losses.zarr") == []
    (tmp_path / "losses-0123abcd.zarr").mkdir()
    assert [place.name for place in places_beside(tmp_path / "losses.zarr")] == ["losses-0123abcd.zarr"]
