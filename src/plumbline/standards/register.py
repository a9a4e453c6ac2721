"""Reads the clause register: every requirement sentence of the source documents, paraphrased (条文登记)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

REGISTER_FOLDER = Path(__file__).parent / "register"
OPEN_FILE = Path(__file__).parent / "open.toml"

#: Documents in the order in which the matrix lists them.
DOCUMENTS = ("cecs", "baoji", "guangxi", "jiujiang", "guangdong")


class Force(StrEnum):
    """How strictly a clause binds (要求的松紧): shall, should, may, or a term or note without demand."""

    SHALL = "应"
    SHOULD = "宜"
    MAY = "可"
    NOTE = "说明"


class RegisterError(Exception):
    """条文登记文件有误。"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One requirement sentence of one source document, in our own words (一条条文)."""

    #: Document prefix and number, with a letter where one sentence was split: "BJ 7.1.2-b".
    id: str
    #: File of the register that holds it: "baoji".
    document: str
    force: Force
    #: Area of the platform that answers it: "sample", "report", "exchange" …
    module: str
    #: The stretch of work that takes it up: "first-light", "phone" …
    work: str
    #: How it is proved, joined by "+": T test, D document, P probe, S survey.
    verify: str
    #: One short Chinese sentence, a paraphrase.
    text: str
    #: The numbers of the clause, "" when it has none.
    numbers: str = ""

    @property
    def proved_by_document(self) -> bool:
        """True when a page or document alone may answer the clause (only D is named)."""
        return self.verify == "D"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenClauses:
    """Clauses without an answer yet, and the works that must account for theirs (未答条文)."""

    #: Works begun: each clause of theirs is answered, or open with a reason.
    begun: frozenset[str]
    #: Clause id → why it has no answer yet, and what is missing.
    reasons: dict[str, str]


@cache
def load_register(folder: Path = REGISTER_FOLDER) -> tuple[Clause, ...]:
    """All clauses, by document and then in the order of the document.

    Raises RegisterError for an unknown key, an unknown force, a repeated id or an empty text.
    """
    clauses: list[Clause] = []
    for document in DOCUMENTS:
        content = _read(folder / f"{document}.toml")
        clauses += [_clause(document, row) for row in content.get("clause", [])]
    seen: set[str] = set()
    for clause in clauses:
        if clause.id in seen:
            raise RegisterError(f"条文 {clause.id} 登记了两次")
        seen.add(clause.id)
    return tuple(clauses)


@cache
def load_open(path: Path = OPEN_FILE) -> OpenClauses:
    """The open clauses with their reasons. Raises RegisterError when a reason is empty or given twice."""
    content = _read(path)
    reasons: dict[str, str] = {}
    for row in content.get("open", []):
        reason = str(row.get("reason", "")).strip()
        if not reason:
            raise RegisterError(f"{path.name}：有一项没有写原因")
        for clause_id in row["ids"]:
            if clause_id in reasons:
                raise RegisterError(f"{path.name}：条文 {clause_id} 写了两次")
            reasons[clause_id] = reason
    return OpenClauses(begun=frozenset(content.get("begun", [])), reasons=reasons)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RegisterError(f"{path.name} 读不出来：{error}") from error


def _clause(document: str, row: dict[str, Any]) -> Clause:
    try:
        clause = Clause(document=document, **{**row, "force": Force(row["force"])})
    except (KeyError, TypeError, ValueError) as error:
        raise RegisterError(f"{document}.toml 的 {row.get('id', '?')}：{error}") from error
    if not clause.text.strip():
        raise RegisterError(f"{document}.toml 的 {clause.id}：没有内容")
    return clause
