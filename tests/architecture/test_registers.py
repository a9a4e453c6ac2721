"""The registers claim nothing hollow: states are legal, every test that is named exists, every place in the documents too."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from pathlib import Path

import house_rules as rules
import pytest

from plumbline.standards.registers import TITLES, RegisterProblem, Requirement, read_register, told

NAMES = sorted(TITLES)
#: How many requirements each chapter of ASVS 5.0 has on levels 1 and 2.
ASVS = dict(zip(range(1, 18), (27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7), strict=True))


@functools.cache
def _tests_of(file: str) -> frozenset[str]:
    path = rules.ROOT / file
    if not path.is_file() or path.name.partition("_")[0] != "test":
        return frozenset()
    nodes = ast.parse(path.read_text("utf-8")).body
    return frozenset(n.name for n in nodes if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))


@functools.cache
def _anchors(file: str) -> frozenset[str]:
    path = rules.ROOT / file
    text = path.read_text("utf-8") if path.is_file() else ""
    return frozenset(re.findall(r"^#+ (.+?)\s*$", text, re.M)) | ({""} if text else set())


def problems(rows: list[Requirement]) -> list[str]:
    """What is hollow in a register."""
    found = []
    for each in rows:
        for evidence in each.evidence:
            file, _, name = evidence.partition("::") if "::" in evidence else evidence.partition("#")
            known = _tests_of(file) if "::" in evidence else _anchors(file)
            if name not in known:
                found.append(f"{each.id}: {evidence}")
        tested = [evidence for evidence in each.evidence if "::" in evidence]
        if (each.state == "met_by_test" and len(tested) != len(each.evidence)) or (
            each.state.startswith("met") and not each.evidence
        ):
            found.append(f"{each.id}: {each.state} without its evidence")
        if each.state in ("open", "not_applicable") and (each.evidence or len(each.note) < 4):
            found.append(f"{each.id}: {each.state} without a reason")
    return found


@pytest.mark.clause("CECS 3.0.5")
@pytest.mark.parametrize("name", NAMES)
def test_a_register_names_what_exists(name: str) -> None:
    rows = read_register(name)
    assert problems(rows) == []
    assert [each for each, times in Counter(row.id for row in rows).items() if times > 1] == []
    assert all(re.search(r"[\u4e00-\u9fff]{2}", row.summary) for row in rows)


def test_every_requirement_of_asvs_levels_1_and_2_has_its_row() -> None:
    rows = read_register("asvs")
    assert len(rows) == 253 and Counter(row.level for row in rows) == {1: 70, 2: 183}
    assert Counter(int(row.id[1:].partition(".")[0]) for row in rows) == ASVS


def test_a_hollow_claim_is_found() -> None:
    row = read_register("asvs")[0]
    file = Path(__file__).relative_to(rules.ROOT).as_posix()
    hollow = {
        "evidence": ((f"{file}::test_no_such",), ("tests/none.py::test_x",), (), ("docs/none.md#x",)),
        "state": ("open", "not_applicable"),
    }
    copies = [_changed(row, evidence=each) for each in hollow["evidence"]]
    copies += [_changed(row, state=each, evidence=(), note="") for each in hollow["state"]]
    copies.append(_changed(row, state="met_by_deployment", evidence=("docs/keys.md#没有这一节",)))
    assert all(problems([each]) for each in copies)


def _changed(row: Requirement, **given: object) -> Requirement:
    kept = {name: getattr(row, name) for name in Requirement.__slots__}
    return Requirement(**(kept | given))


def test_a_register_out_of_form_is_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "asvs.csv").write_text("id,level,chapter,summary,state,evidence,note\nV1,9,x,x,open,,x\n")
    with pytest.raises(RegisterProblem, match="第 2 行"):
        read_register("asvs", tmp_path)
    with pytest.raises(RegisterProblem, match="读不了"):
        read_register("miping", tmp_path)


def test_the_report_counts_and_names_what_is_open() -> None:
    for name in NAMES:
        rows = read_register(name)
        lines = told(name, rows)
        assert f"{len(rows)} 条" in lines[0]
        assert len(lines) == 2 + sum(row.state == "open" for row in rows)
