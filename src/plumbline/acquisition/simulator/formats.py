"""Writing a recording in the file formats of the machines that the parsers know (按试验机格式写出)."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from plumbline.acquisition.recordings import bam_csv, lucas_csv, ufmg_tsv
from plumbline.acquisition.recordings.model import Channel, Recording

_FIRST_LINE: Final = "MTS793|MPT|DEU|1|2|,|.|:|49|1|1|A"
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - the machine's clock carries no zone
_CUBE: Final = "Würfeldruckfestigkeit (150mm)"
_FIELDS: Final = (
    ("width", "Breite [mm]:"),
    ("height", "Höhe [mm]:"),
    ("length", "Länge Einfüllseite [mm]:"),
    ("diameter", "Durchmesser [mm]:"),
)


def mts793(recording: Recording, *, set_point: bool = False, points: int | None = None) -> bytes:
    """A raw MTS793 file, Latin-1; ``set_point`` adds the commanded force beside the measured one.

    ``points`` cuts the readings off, as a full buffer does. Needs force, displacement and ``tested_at``.
    """
    force, travel, started = _needed(recording)
    shown = len(force.value) if points is None else points
    times = _times(force)[:shown]
    running = times[0] + math.ceil(times[-1] - times[0]) + 1
    stamp = started + timedelta(seconds=running - times[0])
    title = f"Datenerfassung\t\t\t\t\t\tZeit:\t{_comma(running)}\ts\t{stamp:%d.%m.%Y %H:%M:%S}"
    lines = [_FIRST_LINE, "", *_header(recording, started), "", title]
    lines += ["Ch 1 Weg\tCh 1 Prüfkraft", "mm\tkN"]
    lines += [f"{_comma(-min(travel.value[:shown]))}\t{_comma(-min(force.value[:shown]))}"]
    lines += [f"{_comma(-max(travel.value[:shown]))}\t{_comma(-max(force.value[:shown]))}", "", title]
    extra = ("\tCh 1 Kraft Sollwert", "\tkN") if set_point else ("", "")
    lines += [f"Datum\tTageszeit\tLaufzeit\tCh 1 Weg{extra[0]}\tCh 1 Prüfkraft", f"d\td\ts\tmm{extra[1]}\tkN"]
    commanded = _commanded(force, shown) if set_point else []
    for index, time in enumerate(times):
        since = started + timedelta(seconds=time - times[0]) - _DAY_ZERO
        day = since.days
        cells = [str(day), _comma((since - timedelta(days=day)) / timedelta(days=1)), _comma(time)]
        cells.append(_comma(-float(travel.value[index])))
        cells += [_comma(-commanded[index])] if set_point else []
        lines.append("\t".join([*cells, _comma(-float(force.value[index]))]))
    return ("\n".join(lines) + "\n").encode("latin-1")


def parsed_csv(recording: Recording, points: int | None = None) -> bytes:
    """The parsed table: s, kN (compression positive), mm (negative in compression)."""
    force, travel = recording.channels[:2]
    rows = zip(_times(force), force.value, travel.value, strict=True)
    lines = [f"{time:.7g},{load:.7g},{-move:.6g}" for time, load, move in rows]
    return ("\n".join([bam_csv.HEADER, *lines[:points]]) + "\n").encode()


def si_csv(recording: Recording) -> bytes:
    """A tension curve in SI base units: s, m, N."""
    force, travel = recording.channels[:2]
    start = _times(force)[0]
    rows = zip(_times(force), travel.value, force.value, strict=True)
    lines = [f"{time - start:.3f},{move / 1000:.9g},{load * 1000:.9g}" for time, move, load in rows]
    return ("\n".join([lucas_csv.HEADER, *lines]) + "\n").encode()


def stress_strain_tsv(recording: Recording, area_mm2: float, gauge_mm: float) -> bytes:
    """A tension curve as strain in mm/mm and stress in MPa, with decimal comma."""
    force, travel = recording.channels[:2]
    rows = zip(travel.value, force.value, strict=True)
    lines = [f"{move / gauge_mm:.6f}\t{load * 1000 / area_mm2:.4f}".replace(".", ",") for move, load in rows]
    return ("\n".join([ufmg_tsv.HEADER, *lines]) + "\n").encode()


def describe(recording: Recording, name: str, points: int | None = None) -> dict[str, str | int]:
    """The entry of meta.json for one compression recording."""
    sizes = {item.name: item.written.replace(".", ",") for item in recording.dimensions}
    started = recording.tested_at
    entry: dict[str, str | int] = {
        "name": name,
        "proc": _CUBE if "width" in sizes else "Zylinder Druckfestigkeit (100mm)",
        "date": f"{started:%d.%m.%Y}" if started else "",
        "specimen": recording.specimen_label,
        "n": points or len(recording.channels[0].value),
    }
    keys = (("b_mm", "width"), ("h_mm", "height"), ("l_mm", "length"), ("d_mm", "diameter"))
    entry |= {key: sizes[name] for key, name in keys if name in sizes}
    if recording.mass_g is not None:
        entry["mass_g"] = recording.mass_g.text
    if recording.grade is not None:
        entry["grade"] = recording.grade
    return entry


def _needed(recording: Recording) -> tuple[Channel, Channel, datetime]:
    force, travel = recording.channel("force"), recording.channel("displacement")
    if force is None or travel is None or recording.tested_at is None:
        raise ValueError("写出原始文件需要力、位移与试验时间")
    return force, travel, recording.tested_at


def _times(channel: Channel) -> list[float]:
    if channel.time_s is None:
        raise ValueError("写出曲线需要时间轴")
    return [float(time) for time in channel.time_s]


def _header(recording: Recording, started: datetime) -> list[str]:
    sizes = {item.name: item.written for item in recording.dimensions}
    procedure = _CUBE if "width" in sizes else "Zylinder Druckfestigkeit (100mm)"
    typed = started - timedelta(seconds=60)
    lines = [f"Bediener Information\t\t\t{procedure}\t\t\tZeit:\t5,5\ts\t{typed:%d.%m.%Y %H:%M:%S}"]
    lines += [f"Datum\t{started:%d.%m.%Y}", f"Prüfer: \t{recording.operator_initials or '-'}"]
    lines += [f"Probe\t{recording.specimen_label}", "Protokoll Seite\t-"]
    lines += [f"{title}\t{sizes[name].replace('.', ',')}" for name, title in _FIELDS if name in sizes]
    lines.append(f"Masse [g]:\t{recording.mass_g.text if recording.mass_g else '-'}")
    return [*lines, "Bediener Information Ende"]


def _commanded(force: Channel, points: int) -> list[float]:
    """A ruler-straight ramp from the first to the highest reading: what a set-point channel shows."""
    values = [float(value) for value in force.value[:points]]
    top = values.index(max(values))
    slope = (values[top] - values[0]) / max(top, 1)
    return [values[0] + slope * index if index <= top else 0.0 for index in range(points)]


def _comma(value: float) -> str:
    return f"{value + 0.0:.8g}".replace(".", ",")
