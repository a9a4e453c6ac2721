"""The matrix says of each clause what answers it (条文对照表)."""

from __future__ import annotations

from pathlib import Path

from plumbline.standards.marks import Kind, Mark, SourceTree, find_marks
from plumbline.standards.matrix import ClauseReport, State, matrix, report
from plumbline.standards.register import Clause, Force, OpenClauses


def clause(clause_id: str, *, work: str = "first-light", verify: str = "T") -> Clause:
    return Clause(
        id=clause_id,
        document="cecs",
        force=Force.SHALL,
        module="all",
        work=work,
        verify=verify,
        text="一句话。",
    )


CLAUSES = [clause("CECS 1"), clause("CECS 2-a"), clause("CECS 3", verify="D"), clause("CECS 4", work="phone")]


def mark(clause_id: str, kind: Kind) -> Mark:
    return Mark(clause=clause_id, kind=kind, path=f"{kind.value}.py", name="place")


def report_of(*marks: Mark, reasons: dict[str, str] | None = None, work: str | None = None) -> ClauseReport:
    open_clauses = OpenClauses(begun=frozenset({"first-light"}), reasons=reasons or {})
    return matrix(CLAUSES, marks, open_clauses, work=work)


def states(result: ClauseReport) -> dict[str, State]:
    return {row.clause.id: row.state for row in result.rows}


def test_a_test_answers_a_clause() -> None:
    assert states(report_of(mark("CECS 1", Kind.TEST)))["CECS 1"] is State.ANSWERED


def test_a_rule_without_a_test_answers_nothing() -> None:
    assert states(report_of(mark("CECS 1", Kind.RULE)))["CECS 1"] is State.MISSING


def test_a_document_answers_only_a_clause_that_asks_for_a_document() -> None:
    found = states(report_of(mark("CECS 1", Kind.DOCUMENT), mark("CECS 3", Kind.DOCUMENT)))
    assert (found["CECS 1"], found["CECS 3"]) == (State.MISSING, State.ANSWERED)


def test_a_reason_opens_a_clause_and_is_printed() -> None:
    result = report_of(reasons={"CECS 1": "等收样页"})
    assert states(result)["CECS 1"] is State.OPEN
    assert "等收样页" in result.text()


def test_a_clause_of_a_work_not_begun_waits() -> None:
    assert states(report_of())["CECS 4"] is State.LATER


def test_a_work_asked_for_by_name_must_account_for_its_clauses() -> None:
    result = report_of(work="phone")
    assert states(result) == {"CECS 4": State.MISSING}
    assert result.exit_code == 1


def test_the_report_is_clean_when_every_clause_is_answered_or_open() -> None:
    result = report_of(
        mark("CECS 1", Kind.TEST), mark("CECS 3", Kind.DOCUMENT), reasons={"CECS 2-a": "等签章"}
    )
    assert result.exit_code == 0


def test_an_unknown_work_is_not_clean() -> None:
    result = report_of(work="first-ligth")
    assert result.exit_code == 1
    assert "没有名为 first-ligth 的工作段" in result.text()


def test_a_mark_of_the_whole_clause_names_its_sentences() -> None:
    result = report_of(mark("CECS 2", Kind.TEST))
    assert result.exit_code == 1
    assert result.unknown == ("test.py::place: CECS 2 （登记的是 CECS 2-a）",)


def test_an_answered_clause_still_listed_as_open_is_stale() -> None:
    result = report_of(mark("CECS 1", Kind.TEST), reasons={"CECS 1": "等"})
    assert result.stale == ("CECS 1",)


SOURCES = {
    "src/pkg/rules.py": (
        '@carries_out("A 1", "A 2")\ndef late(): ...\n@basics.carries_out("A 3")\nclass Rule: ...\n'
    ),
    "src/pkg/pages.py": 'CLAUSES = {"A 4": "/trace/"}\n',
    "src/pkg/more_pages.py": 'CLAUSES: frozenset[str] = frozenset({"A 5"})\n',
    "src/pkg/templates/trace.html": "{# clause: A 6, A 7 #}\n<!-- clause: A 8 -->\n",
    "src/pkg/static/vendor/x.js": "// clause: A 90\n",
    "docs/glossary.md": "<!-- clause: A 9 -->\n",
    "src/pkg/tests/test_rules.py": (
        '@carries_out("A 91")\n@pytest.mark.clause("A 10")\ndef test_it(): ...\n'
        'pytestmark = [pytest.mark.clause("A 11")]\n'
        '@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.clause("A 12"))])\n'
        "class TestIt: ...\n"
    ),
    "src/pkg/broken.py": "def (",
}


def test_every_kind_of_mark_is_found_and_nothing_else(tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = find_marks(SourceTree(root=tmp_path))
    kinds = {item.clause: item.kind for item in found}
    expected = {Kind.RULE: range(1, 4), Kind.PAGE: range(4, 9), Kind.DOCUMENT: [9], Kind.TEST: range(10, 13)}
    assert kinds == {f"A {number}": kind for kind, numbers in expected.items() for number in numbers}
    assert {"src/pkg/rules.py::late", "src/pkg/pages.py::/trace/"} <= {item.place for item in found}


def test_the_table_of_this_product_can_be_printed() -> None:
    found = report()
    for text in (found.text(full=False), found.text(full=True)):
        assert text.startswith("条文")
        assert "CECS 1.0.1" in text
        assert "全部：399 条" in text


def test_a_tree_without_tests_says_that_it_proves_little(tmp_path: Path) -> None:
    assert "请在源码目录里运行" in report("first-light", tree=SourceTree(root=tmp_path)).text()
    assert report("first-light").note == ""
