"""Protocol-buffer messages, checksums and framing, against other ways to compute them."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import field, log_file, put, record, varint

from zerosum.curves import wire
from zerosum.curves.blocks import log_records
from zerosum.curves.crc import crc32c
from zerosum.curves.records import Damage, records

numbers = st.integers(1, 2**29 - 1)
contents = st.lists(st.tuples(numbers, st.integers(0, 2**64 - 1) | st.binary(max_size=300)), max_size=8)


@given(contents)
def test_fields_come_back(written):
    assert list(wire.fields(b"".join(field(number, value) for number, value in written))) == written


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers(number):
    ((_, value),) = wire.fields(varint(8) + varint(number))
    assert wire.signed(value) == number


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_wire_error(data):
    try:
        for number, value in wire.fields(data):
            assert number >= 0
            assert isinstance(value, int | bytes)
    except wire.WireError:
        pass


def test_numbers_of_the_wrong_kind():
    assert wire.float32(struct.pack("<f", 0.5)) == wire.float64(struct.pack("<d", 0.5)) == 0.5
    for read, value in [
        (wire.float32, b"123"),
        (wire.float64, 7),
        (wire.message, 7),
        (wire.text, 7),
        (wire.signed, b""),
    ]:
        with pytest.raises(wire.WireError):
            read(value)


@given(st.binary(max_size=100))
def test_crc_against_google(data):
    google = pytest.importorskip("google_crc32c", reason="compares with Google's CRC-32C")
    assert crc32c(data) == google.value(data)


def test_crc_of_the_standards_examples():
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 70_000).map(bytes), max_size=5))
def test_framed_records_come_back(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("framed")
    for data, read in [(b"".join(map(record, written)), records), (log_file(written), log_records)]:
        damage = Damage()
        assert list(read(put(folder / "x", data), damage)) == written
        assert (damage.bad_records, damage.notes) == (0, [])
