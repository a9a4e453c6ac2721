"""Files that no press wrote: each gives one clear error with reason and remedy, and stops nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.acquisition.recordings import Limits, RecordingError, Unreadable, discover, read, read_all
from plumbline.acquisition.simulator import write_folder

SI = "time,displacement,force\n"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("hostile") / "data"
    write_folder(folder, 3)
    return next((folder / "concrete" / "raw").glob("*M02_W01.dat")).read_bytes()


def problem(path: Path, content: bytes, limits: Limits | None = None) -> RecordingError:
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        read_all(path, limits or Limits())
    assert caught.value.reason
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (b"hello\nworld\n", "unknown_format"),
        (b"MTS793|MPT\n", "wrong_header"),
        (SI.encode(), "too_few_points"),
        ((SI + "0,0,0\n1,0,1\n").encode(), "too_few_points"),
        ((SI + "0,0,0\n1,0,1\n2,0\n").encode(), "truncated"),
        ((SI + "0,0,0\n1,0,1\n2,0,1,4\n").encode(), "wrong_columns"),
        ((SI + "0,0,0\n1,0,nan\n2,0,1\n").encode(), "not_a_number"),
        ((SI + "0,0,0\n1,0,1_000\n2,0,1\n").encode(), "not_a_number"),
        ((SI + "0,0,0\n1,0,\uff11\n2,0,1\n").encode(), "not_a_number"),
        ((SI + "0,0,0\n1,0,1e999\n2,0,1\n").encode(), "not_finite"),
        (b"Strain\tStress\n0\t0.1\n0\t0.2\n0\t0.3\n", "wrong_decimal"),
        (b"time,displacement,force\n\xff\xfe,0,0\n1,0,1\n2,0,1\n", "wrong_encoding"),
    ],
)
def test_a_broken_file_gives_its_reason(tmp_path: Path, content: bytes, code: str) -> None:
    assert problem(tmp_path / "x.csv", content).code == code


def test_the_error_names_the_line(tmp_path: Path) -> None:
    error = problem(tmp_path / "x.csv", (SI + "0,0,0\n1,0,1\n2,x,1\n").encode())
    assert error.line == 4
    assert "第 4 行" in str(error)


def test_a_raw_file_cut_anywhere_in_its_readings_is_refused(tmp_path: Path, raw: bytes) -> None:
    for cut in (len(raw) - 1, len(raw) - 5, len(raw) // 2, len(raw) // 3):
        assert problem(tmp_path / "x.dat", raw[:cut]).code == "truncated"


def test_a_raw_file_saved_with_decimal_points_is_refused(tmp_path: Path, raw: bytes) -> None:
    head, body = raw.split(b"d\td\ts", 1)
    content = head + b"d\td\ts" + body.replace(b",", b".")
    assert problem(tmp_path / "x.dat", content).code == "wrong_decimal"


def test_a_raw_file_with_only_the_set_point_is_refused(tmp_path: Path, raw: bytes) -> None:
    content = raw.replace("Ch 1 Prüfkraft".encode("latin-1"), b"Ch 1 Druck")
    assert problem(tmp_path / "x.dat", content).code == "no_force"


def test_a_raw_file_in_an_unknown_unit_is_refused(tmp_path: Path, raw: bytes) -> None:
    content = raw.replace(b"mm\tkN\tkN", b"mm\tkN\tlbf")
    assert problem(tmp_path / "x.dat", content).code == "wrong_unit"


def test_a_compression_that_pulls_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{n},-{n},0\n" for n in range(1, 9))
    assert problem(tmp_path / "x.csv", f"time_s,force_kN,stroke_mm\n{rows}".encode()).code == "no_load"


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(("\ufeff" + SI + "0,0,0\n1,0,10\n2,0,5\n").replace("\n", "\r\n").encode())
    assert str(read(path).peak.value) == "0.010"


@pytest.mark.parametrize(("points", "refused"), [(99, False), (100, False), (101, True)])
def test_the_point_limit_holds_at_its_edge(tmp_path: Path, points: int, refused: bool) -> None:
    path = tmp_path / "x.csv"
    path.write_text(SI + "".join(f"{n},0,{n}\n" for n in range(points)), encoding="utf-8")
    if refused:
        assert problem(path, path.read_bytes(), Limits(max_points=100)).code == "too_large"
    else:
        assert len(read(path, Limits(max_points=100)).channels[0].value) == points


def test_ten_million_lines_are_refused_without_being_parsed(tmp_path: Path) -> None:
    assert problem(tmp_path / "x.csv", SI.encode() + b"0,0,0\n" * 10_000_000).code == "too_large"


def test_a_huge_file_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with path.open("wb") as opened:
        opened.write(SI.encode())
        opened.truncate(3 * 1024**3)
    with pytest.raises(RecordingError, match="上限"):
        read(path)


def test_a_missing_file_and_a_folder_are_no_recording(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(RecordingError, match="不是可读文件"):
            read(path)


def test_a_bad_description_is_named(tmp_path: Path) -> None:
    (tmp_path / "curves").mkdir()
    for broken in ("{", "{}", "[" * 100_000):
        (tmp_path / "meta.json").write_text(broken, encoding="utf-8")
        content = b"time_s,force_kN,stroke_mm\n0,1,0\n1,2,0\n2,0,0\n"
        assert problem(tmp_path / "curves" / "a.csv", content).code == "broken_description"


def test_a_folder_with_bad_files_is_still_read(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "good_W01.dat").write_bytes(raw)
    (tmp_path / "cut.dat").write_bytes(raw[:5000])
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "README.txt").write_text("not a recording", encoding="utf-8")
    os.symlink("/etc/passwd", tmp_path / "link.csv")
    found = discover(tmp_path)
    assert [item.code for item in found if isinstance(item, Unreadable)] == ["truncated", "empty", "link"]
    assert len(found) == 4


def test_the_name_of_a_file_does_not_decide_its_format(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "whatever.txt"
    path.write_bytes(raw)
    assert read(path).format == "mts793"
