"""Tables of all kinds, and files that are none."""

import os
import time

import numpy as np
import pytest

from zerosum.curves import read_curve
from zerosum.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(content, name="run.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " "])
def test_delimiters(write, delimiter):
    curve = read_curve(write("step,loss\n1,3.5\n2,3\n".replace(",", delimiter)))
    np.testing.assert_array_equal(curve.step, [1, 2])
    np.testing.assert_array_equal(curve.loss, [3.5, 3])
    assert curve.format == ("tsv" if delimiter == "\t" else "csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(write, encoding):
    text = "step,loss,caf\u00e9\n1,3.5,\u00e9\n2,3,\u00e9\n"
    np.testing.assert_array_equal(read_curve(write(text.encode(encoding))).loss, [3.5, 3])


def test_content_counts_more_than_the_name(write):
    assert read_curve(write("step,loss\n1,3\n", "run.jsonl")).format == "csv"


def test_name_of_a_log_that_is_just_called_metrics_is_its_folder(write, tmp_path):
    assert read_curve(write("step,loss\n1,3\n", "metrics.csv")).name == tmp_path.name
    assert read_curve(write("step,loss\n1,3\n", "124M.csv")).name == "124M"


def test_columns_and_source_are_kept(write):
    path = write("_step,train/loss,lr\n1,3,0.1\n")
    curve = read_curve(path)
    assert curve.columns == {"step": "_step", "loss": "train/loss", "lr": "lr"}
    assert curve.source == str(path)
    np.testing.assert_array_equal(curve.lr, [0.1])


def test_sparse_interleaved_rows(write):
    text = "batch,step,train_loss_step,val_loss\n0,0,3.5,\n0,,,3.4\n0,50,3.0,\n0,99,,2.9\n0,100,2.5,\n"
    curve = read_curve(write(text))
    np.testing.assert_array_equal(curve.step, [0, 50, 100])
    assert curve.cleaning == ("1 row without a step dropped", "1 row without a loss (empty or NaN) dropped")


def test_words_among_the_losses_are_counted(write):
    text = "step,loss\n1,3\n2,diverged\n3,nan\n4,2\n"
    curve = read_curve(write(text + "".join(f"{step},2\n" for step in range(5, 52))))  # 1 of 50 values: 2 %
    assert "1 value of 'loss' not a number (first: 'diverged')" in curve.cleaning
    np.testing.assert_array_equal(curve.step, [1, *range(4, 52)])
    with pytest.raises(InputError, match=r"1 of 49 values of 'loss' are not numbers \(first: 'diverged' in row 2\)"):
        read_curve(write(text + "".join(f"{step},2\n" for step in range(5, 51))))


def test_comment_lines_above_the_header(write):
    assert len(read_curve(write("# run 7\n# lr 3e-4\nstep,loss\n1,3\n2,2\n"))) == 2


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", "sep=;\r"])
def test_the_line_that_tells_excel_the_separator_is_skipped(write, first):
    curve = read_curve(write(f'{first}\nepoch;Global Step;"train loss";Tokens (M)\n0;1;18,83;0.5\n0;2;15,5;1.0\n'))
    np.testing.assert_array_equal(curve.step, [1, 2])
    np.testing.assert_array_equal(curve.loss, [18.83, 15.5])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("loss\n3.5\nnone\n3.25\n", "one column, 'loss', of numbers"),
        ("loss\n3,5\n3,25\n", "'loss', then '3,5'"),
        ("step,loss\n", "one line, 'step,loss'"),
        ("# run 7\n", "nothing but comments"),
    ],
)
def test_what_was_found_in_the_place_of_a_table(write, content, found):
    with pytest.raises(InputError, match=rf"rows of numbers \({found}\)\. Give a table with a step and a loss"):
        read_curve(write(content))


def test_overrides(write):
    curve = read_curve(write("batch,nll,loss\n1,3,9\n2,2,8\n"), step="batch", loss="nll")
    np.testing.assert_array_equal(curve.loss, [3, 2])


def test_table_without_header_needs_both_names(write):
    path = write("1,3\n2,2\n")
    with pytest.raises(InputError, match="no column is known as the step; there are 'column 1', 'column 2'"):
        read_curve(path)
    np.testing.assert_array_equal(read_curve(path, step="column 1", loss="column 2").loss, [3, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n\n", "the file is empty"),
        (b"\x00\x01\x02\x03", r"not a loss log \(binary\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"not a loss log \(binary\)"),
        (b"step,loss\n", "no table with a header and rows of numbers"),
        (b"It was a dark, stormy night.\nThe rain fell, mostly.\n", "no table with a header"),
        (b"step,loss\n1,2\n2,3,4\n", "not a regular table.*line 3"),
        (b"step,loss\n1,True\n2,False\n", "true and false"),
        (b"step,loss,loss\n1,2,3\n", "could be any of 'loss', 'loss'"),
        (b'step,loss\n1,"2,5"\n2,"2,4"\n', r"2 of 2 values of 'loss' are not numbers \(first: '2,5' in row 1\)"),
        (b"step,loss\n1,1e999\n", "infinite loss"),
        (b"step,loss\n1," + b"9" * 400 + b"\n2," + b"9" * 400 + b"\n", "2 rows with an infinite loss"),
    ],
)
def test_files_that_are_no_curve(write, content, message):
    with pytest.raises(InputError, match=message) as error:
        read_curve(write(content))
    assert "\n" not in str(error.value)


def test_missing_file_folder_and_odd_path(tmp_path):
    with pytest.raises(InputError, match=r"none.csv: cannot be read \(No such file"):
        read_curve(tmp_path / "none.csv")
    with pytest.raises(InputError, match="a folder in which no loss log was found"):
        read_curve(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe or device"):
        read_curve(tmp_path / "pipe")
    with pytest.raises(InputError, match="cannot be read"):
        read_curve("a\0b")


def test_row_cut_off_inside_its_step_is_dropped_aloud(write):
    curve = read_curve(write("loss,step\n3.5,100\n3.4,200\n3.3,3"))
    np.testing.assert_array_equal(curve.step, [100, 200])
    assert curve.cleaning == ("the last line (step 3) has no end, is likely cut off and was dropped",)


@pytest.mark.parametrize(("start", "kind"), [(b"\x1f\x8b\x08\0", "gzip"), (b"PK\x03\x04\0", "zip")])
def test_packed_files_are_named(write, start, kind):
    with pytest.raises(InputError, match=f"{kind}: unpack it first"):
        read_curve(write(start + bytes(50)))


def test_million_rows_in_two_seconds(tmp_path):
    path = tmp_path / "long.csv"
    step = np.arange(1_000_000)
    path.write_text("step,loss\n" + "\n".join(f"{s},{2 + 1 / (s + 1):.6f}" for s in step))
    start = time.perf_counter()
    assert len(read_curve(path)) == 1_000_000
    assert time.perf_counter() - start < 2
