"""Which file of a folder is read, and that nothing outside it is."""

import pytest
from written import EVENT_FILE, put

from zerosum.curves import read_curve
from zerosum.errors import InputError

CSV = "step,loss\n1,3\n2,2\n"
METRICS = '{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.0}\n'
STATE = '{"global_step": 2, "log_history": [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}]}'


def test_run_directory_of_our_own(tmp_path):
    put(tmp_path / "run" / "metrics.jsonl", METRICS)
    put(tmp_path / "run" / "zerosum" / "curve.csv", CSV)
    curve = read_curve(tmp_path / "run")
    assert (curve.name, curve.format, curve.cleaning) == ("run", "jsonl", ())
    assert curve.source == str(tmp_path / "run" / "metrics.jsonl")


def test_what_lies_beside_is_said(tmp_path):
    put(tmp_path / "checkpoint-2" / "trainer_state.json", STATE)
    put(tmp_path / "runs" / "Jan01_host" / "events.out.tfevents.1.host", EVENT_FILE)
    curve = read_curve(tmp_path)
    assert curve.format == "trainer_state"
    assert curve.cleaning == ("also in the folder and not read: 'runs/Jan01_host/events.out.tfevents.1.host'",)


@pytest.mark.parametrize("name", ["fox.csv", "train.log", "a.jsonl", "b.txt"])
def test_single_file_under_any_name(tmp_path, name):
    put(tmp_path / name, CSV)
    put(tmp_path / "model.safetensors", b"\0")
    put(tmp_path / "config.yaml", "a: 1")
    put(tmp_path / "config.json", '{\n  "vocab_size": 50304,\n  "n_layer": 12\n}\n')
    put(tmp_path / "notes.txt", "It diverged, twice.\n")
    assert len(read_curve(tmp_path)) == 2


def test_several_files_are_listed_not_guessed(tmp_path):
    put(tmp_path / "a.csv", CSV)
    put(tmp_path / "b.csv", CSV)
    with pytest.raises(InputError, match=r"2 files could be one \('a.csv', 'b.csv'\). Name the log file"):
        read_curve(tmp_path)


@pytest.mark.parametrize("link", ["metrics.jsonl", "checkpoint-9", "a.csv"])
def test_links_out_of_the_folder_are_not_followed(tmp_path, link):
    outside = put(tmp_path / "outside" / "metrics.jsonl", METRICS)
    put(tmp_path / "outside" / "trainer_state.json", STATE)
    run = tmp_path / "run"
    run.mkdir()
    (run / link).symlink_to(outside.parent if link.startswith("checkpoint") else outside)
    with pytest.raises(InputError, match="no loss log was found"):
        read_curve(run)


def test_links_inside_the_folder_and_the_folders_own_are_followed(tmp_path):
    put(tmp_path / "run" / "logs" / "x.jsonl", METRICS)
    (tmp_path / "run" / "metrics.jsonl").symlink_to("logs/x.jsonl")
    (tmp_path / "latest").symlink_to("run")
    assert len(read_curve(tmp_path / "latest")) == 2


def test_links_in_a_circle_and_folders_with_a_logs_name(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("metrics.jsonl")
    (tmp_path / "trainer_state.json").mkdir()
    with pytest.raises(InputError, match="no loss log was found"):
        read_curve(tmp_path)
