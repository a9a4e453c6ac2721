"""Volumes that somebody orders (合订案卷包的提出与办理): of a project that they see, or of a year of what is theirs.

The reports are chosen in the reader's role; the file is put together by the platform, which sees all, and lies beside the database until
its job is forgotten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plumbline.domain.basics.calendar import local_date
from plumbline.sdk.bundle.volume_format import Scope
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role, division_range
from plumbline.supervision.access.scopes import report_scope
from plumbline.supervision.config import Platform
from plumbline.supervision.dossier.build import BundleIncomplete
from plumbline.supervision.dossier.volume import Progress, VolumeRefused, volume_to
from plumbline.supervision.journal.keys import sync_folder
from plumbline.supervision.reading.bundles import sees_all
from plumbline.supervision.reading.database import row, rows

__all__ = [
    "FIRST_YEAR",
    "BundleIncomplete",
    "VolumeRefused",
    "asked_scope",
    "choices",
    "files_of",
    "make",
    "path_of",
    "sweep",
]

#: No log is older.
FIRST_YEAR = 2020
_KEY = re.compile(r"[0-9a-f]{32}")
_PROJECT = "SELECT name FROM fact.project WHERE id = %s"
#: Names of institutions are no secret, but an officer is told of those with reports in the region only.
_WITH_REPORTS = (
    "SELECT p.id, p.name FROM fact.party p WHERE 'institution' = ANY (p.roles) "
    "AND EXISTS (SELECT 1 FROM fact.application a WHERE a.institution = p.id)"
)
_INSTITUTION = f"{_WITH_REPORTS} AND p.id = %s"
_INSTITUTIONS = f"{_WITH_REPORTS} ORDER BY p.name LIMIT %s"
_MOST_INSTITUTIONS = 500
_SEEN = "SELECT a.id FROM fact.application a WHERE a.id = ANY (%s::text[]) AND ({scope})"
_PORTION = 500


def years() -> list[int]:
    """Years of which there may be a volume, the newest first."""
    return list(range(local_date(datetime.now(UTC)).year, FIRST_YEAR - 1, -1))


def asked_scope(principal: Principal, asked: dict[str, Any]) -> tuple[Scope, str]:
    """What an order means for its reader, and in words; raises :class:`VolumeRefused` with field, reason and remedy."""
    if principal.role is Role.OFFICER and not division_range(principal.division)[0]:
        raise VolumeRefused("辖区：您的账号没有辖区，不能取案卷包；请联系系统管理员")
    kind = asked.get("volume")
    if kind == "project":
        return _of_project(principal, str(asked.get("project", "")))
    if kind == "year":
        return _of_year(principal, str(asked.get("year", "")), str(asked.get("institution", "")))
    raise VolumeRefused("范围：只能是一个工程或一个年度，请在页面上选")


def _of_project(principal: Principal, project: str) -> tuple[Scope, str]:
    with reading_as(principal):
        found = row(_PROJECT, [project]) if _KEY.fullmatch(project) else None
    if found is None:
        raise VolumeRefused("工程：没有这个工程，或不在您的范围；请从工程页面点“工程案卷包”")
    own = principal.party if principal.role is Role.INSTITUTION else None
    division = principal.division if principal.role is Role.OFFICER else None
    told = f"{found['name']}" + ("，本机构出的报告" if own else "")
    return Scope(kind="project", project=project, institution=own, division=division), told


def _of_year(principal: Principal, year: str, institution: str) -> tuple[Scope, str]:
    if principal.role is Role.PARTY:
        raise VolumeRefused("年度：年度案卷包由监督机构和检测机构取，参建单位请按工程取")
    if year not in map(str, years()):
        raise VolumeRefused(f"年度：请选 {FIRST_YEAR} 年到今年")
    if principal.role is Role.INSTITUTION:
        return Scope(kind="year", year=int(year), institution=principal.party), f"{year} 年，本机构"
    told, chosen = f"{year} 年，本辖区全部机构", institution or None
    if chosen:
        with reading_as(principal):
            found = row(_INSTITUTION, [chosen]) if _KEY.fullmatch(chosen) else None
        if found is None:
            raise VolumeRefused("机构：没有这家机构，或不在您的辖区；请在列表里选")
        told = f"{year} 年，{found['name']}"
    return Scope(kind="year", year=int(year), institution=chosen, division=principal.division or None), told


def make(platform: Platform, principal: Principal, job: str, asked: dict[str, Any], told: Progress) -> int:
    """Do an ordered volume: the file is there, whole and durable, on return. Returns its length."""
    scope, _ = asked_scope(principal, asked)
    target = path_of(platform, job)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        length = volume_to(part, platform, scope, lambda ids: _visible(principal, ids), told)
        _make_durable(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise VolumeRefused("平台写不下这个文件（磁盘满或坏了），没有出具；请告诉运维人员") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return length


def _make_durable(part: Path, target: Path) -> None:
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.rename(target)
    sync_folder(target.parent)


def _visible(principal: Principal, applications: Sequence[str]) -> dict[str, bool]:
    """Those that the reader sees, and whether also every commission, sample and run that they name, in the reader's own role."""
    scope, seen = report_scope(principal), dict[str, bool]()
    statement = _SEEN.replace("{scope}", scope.condition)
    for start in range(0, len(applications), _PORTION):
        portion = list(applications[start : start + _PORTION])
        with reading_as(principal):
            found = rows(statement, [portion, *scope.parameters])
            seen |= {each["id"]: sees_all(each["id"]) for each in found}
    return seen


def path_of(platform: Platform, job: str) -> Path:
    """Where the file of a job lies, whether it is there or not. ValueError for what is no id of a job."""
    if not _KEY.fullmatch(job):
        raise ValueError("not the id of a job")
    return platform.folder("volumes") / f"{job}.zip"


def files_of(platform: Platform) -> list[Path]:
    """Everything that jobs have made and are making."""
    return [each for each in platform.folder("volumes").iterdir() if each.suffix in (".zip", ".part")]


def sweep(files: Iterable[Path], known: Iterable[str]) -> None:
    """Remove the files of jobs that are not known any more, and what interrupted ones left."""
    kept = set(known)
    for path in files:
        if path.stem not in kept:
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the form offers: a project that was come from, years, and to an officer the institutions of the region."""

    project: str = ""
    project_name: str = ""
    years: tuple[int, ...] = ()
    year: str = ""
    institutions: tuple[tuple[str, str], ...] = ()
    institution: str = ""


def choices(principal: Principal, asked: Mapping[str, str]) -> Choices:
    """The choices of a reader; a project out of scope is not offered."""
    project, found = asked.get("project", ""), None
    if _KEY.fullmatch(project):
        with reading_as(principal):
            found = row(_PROJECT, [project])
    return Choices(
        project=project if found else "",
        project_name=found["name"] if found else "",
        years=() if principal.role is Role.PARTY else tuple(years()),
        year=asked.get("year", ""),
        institutions=tuple(_institutions(principal)),
        institution=asked.get("institution", ""),
    )


def _institutions(principal: Principal) -> list[tuple[str, str]]:
    """(id, name) of the testing institutions that an officer sees."""
    if principal.role is not Role.OFFICER:
        return []
    with reading_as(principal):
        return [(each["id"], each["name"]) for each in rows(_INSTITUTIONS, [_MOST_INSTITUTIONS])]
