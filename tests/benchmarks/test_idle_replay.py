"""The replay on the command line: what it reads, what it prints, and what it says of bad files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmarks import idle_replay

KEYS = [
    "series",
    "stops",
    "stops_with_busy_datapoint",
    "idle_hours",
    "idle_hours_caught",
    "share",
    "dollars_saved",
]


def rows(values: list[float], first: int = 0) -> list[str]:
    """Return the rows of a series from midnight on, five minutes apart."""
    minutes = [(first + n) * 5 for n in range(len(values))]
    return [
        f"2014-02-{14 + minute // 1440} {minute // 60 % 24:02}:{minute % 60:02}:00,{value}"
        for minute, value in zip(minutes, values, strict=True)
    ]


def write(folder: Path, name: str, lines: list[str]) -> Path:
    """Write a series with its header."""
    file = folder / f"{name}.csv"
    file.write_text("\n".join(["timestamp,value", *lines]) + "\n", encoding="utf-8")
    return file


def run(*arguments: object) -> Result:
    """Run the benchmark."""
    return CliRunner().invoke(idle_replay.main, [str(one) for one in arguments])


def documents(folder: Path) -> dict[str, Any]:
    """Return the JSON output, by series."""
    result = run(folder, "--json")
    assert result.exit_code == 0, result.output
    return {one["series"]: one for one in json.loads(result.output)}


def test_the_json_is_a_list_with_our_rules_figures(tmp_path: Path) -> None:
    """These keys in this order, and the other rules beside them."""
    write(tmp_path, "ec2_cpu_utilization_1", rows([50.0] * 12 + [1.0] * 96))
    (one,) = documents(tmp_path).values()
    assert list(one)[: len(KEYS)] == KEYS
    assert set(one["others"]) == {"plan", "one_datapoint", "perfect"}
    assert one["series"] == "ec2_cpu_utilization_1"
    assert (one["stops"], one["stops_with_busy_datapoint"]) == (1, 0)
    assert (one["idle_hours"], one["idle_hours_caught"]) == (8.0, pytest.approx(92 / 12, abs=1e-4))
    assert one["share"] == pytest.approx(92 / 93, abs=1e-4)
    assert one["share"] >= 0.95
    assert one["dollars_saved"] == pytest.approx(92 / 12 * 0.2, abs=0.01)


def test_all_idle_all_busy_and_tiny_series_work(tmp_path: Path) -> None:
    """What cannot be judged, or caught, has missed nothing."""
    write(tmp_path, "cpu_idle", rows([0.1] * 288))
    write(tmp_path, "cpu_busy", rows([60.0] * 288))
    write(tmp_path, "cpu_tiny", rows([0.1]))
    found = documents(tmp_path)
    assert {name: one["stops"] for name, one in found.items()} == {
        "cpu_busy": 0,
        "cpu_idle": 1,
        "cpu_tiny": 0,
    }
    assert (found["cpu_busy"]["share"], found["cpu_tiny"]["share"]) == (1.0, 1.0)


def test_unsorted_doubled_and_missing_rows_work(tmp_path: Path) -> None:
    """And blank lines, and a byte order mark as Excel writes it."""
    lines = rows([1.0] * 10) + rows([1.0] * 10, first=30)
    write(tmp_path, "cpu_sorted", lines)
    file = write(tmp_path, "cpu_mixed", ["", *reversed(lines), lines[3], ""])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    found = documents(tmp_path)
    assert {**found["cpu_mixed"], "series": ""} == {**found["cpu_sorted"], "series": ""}
    assert found["cpu_mixed"]["stops_with_busy_datapoint"] == 0


@pytest.mark.parametrize(
    ("name", "value", "signal"),
    [
        ("ec2_network_in_1", 3.0, "network"),
        ("i-1_NetworkIn", 3.0, "network"),
        ("rds_cpu_utilization_1", 3e5, "cpu"),
        ("disk_write_bytes", 3e5, "network"),
        ("something", 99.0, "cpu"),
    ],
)
def test_the_signal_follows_from_the_name_or_else_from_the_values(
    tmp_path: Path, name: str, value: float, signal: str
) -> None:
    """And the output says which it was taken for."""
    write(tmp_path, name, rows([value] * 4))
    assert documents(tmp_path)[name]["signal"] == signal


def test_people_get_a_table(tmp_path: Path) -> None:
    """With all four rules."""
    write(tmp_path, "cpu", rows([1.0] * 50))
    output = run(tmp_path).output
    assert all(name in output for name in idle_replay.NAMES.values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not begin with the header timestamp,value"),
        (b"a,b\n1,2\n", "does not begin with the header timestamp,value"),
        (b"timestamp,value\n", "has a header and no rows"),
        (b"timestamp,value\nyesterday,1\n", "row 2: 'yesterday,1' is no time with a number"),
        (b"timestamp,value\n2014-02-14 14:30:00,much\n", "row 2: '2014-02-14 14:30:00,much'"),
        (b"timestamp,value\n2014-02-14 14:30:00,nan\n", "row 2: '2014-02-14 14:30:00,nan'"),
        (b"timestamp,value\n2014-02-14 14:30:00\n", "row 2: '2014-02-14 14:30:00'"),
        (b"timestamp,value\n2014-02-14 14:30:00,1,2\n", "row 2: '2014-02-14 14:30:00,1,2'"),
        (b"timestamp,value\n\xff\xfe\x00,1\n", "cannot be read as CSV text"),
    ],
)
def test_a_bad_file_is_one_sentence_and_exit_2(tmp_path: Path, content: bytes, said: str) -> None:
    """With its name, its row, and what to write instead."""
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    result = run(tmp_path, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert str(file) in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_series_is_one_sentence_and_exit_2(tmp_path: Path, name: str) -> None:
    """Missing or empty."""
    (tmp_path / "empty").mkdir()
    result = run(tmp_path / name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Name " in result.stderr
