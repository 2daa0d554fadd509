"""The package's public surface: complete, and light."""

import subprocess
import sys

import zerosum


def test_every_public_name_is_there():
    for name in zerosum.__all__:
        assert getattr(zerosum, name) is not None
    assert set(zerosum.__all__) <= set(dir(zerosum))


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(zerosum, "no_such_thing")


def loaded_by(code):
    listing = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(listing.stdout.split())


def test_importing_is_light():
    assert not {"torch", "matplotlib", "scipy", "pandas", "xarray"} & loaded_by("import zerosum")


def test_the_command_line_is_light():
    assert not {"torch", "matplotlib", "scipy", "pandas", "xarray", "numpy"} & loaded_by("import zerosum.cli")


def test_reading_what_was_measured_needs_no_torch():
    assert "torch" not in loaded_by("import zerosum.gradients, zerosum.losses; zerosum.gradients.open_gradients")


def test_rooms_are_there_without_naming_them_first():
    assert "torch" not in loaded_by("import zerosum; zerosum.gradients.open_gradients, zerosum.losses.open_store")


def test_numbers_and_names_for_terminals_are_light():
    heavy = {"torch", "matplotlib", "scipy", "pandas", "xarray", "numpy", "jinja2"}
    assert not heavy & loaded_by("import zerosum.show.numbers, zerosum.show.names")
