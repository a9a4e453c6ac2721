"""Typst with our own fonts: data by JSON only, no font or file of the host unless asked for (排版引擎).

User text never enters a template's source; it arrives as one JSON string through `sys.inputs`.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

from plumbline.web.fonts import FONT_FAMILY, FONT_FOLDER

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
#: full fonts of Debian's fonts-noto-cjk, used only for characters that the subset lacks
SYSTEM_FONT_FOLDER = Path("/usr/share/fonts/opentype/noto")
_SYSTEM_FONTS = ("NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc")
_BREAKS = frozenset("\n")
#: Typst keeps one memory for all compilations of a process: those that run side by side wait for one another there, spinning.
_ONE_AT_A_TIME = threading.Lock()


class TypesettingError(Exception):
    """报告没有排出来."""


class MissingCharactersError(TypesettingError):
    """报告里有字体没有的字."""

    def __init__(self, characters: str) -> None:
        self.characters = characters
        named = "、".join(f"“{each}”（U+{ord(each):04X}）" for each in characters)
        super().__init__(f"字体里没有这些字：{named}。请安装完整字体 fonts-noto-cjk，或换用通用写法。")


@lru_cache(maxsize=1)
def available_characters() -> frozenset[str]:
    """Return the characters of the shipped fonts (GB 2312, Latin, Greek, units, rare characters of names)."""
    return frozenset((FONT_FOLDER / "characters.txt").read_text(encoding="utf-8"))


def missing_characters(text: str) -> str:
    """Return the characters of `text` that the shipped fonts lack, each once, in order of appearance."""
    known = available_characters()
    return "".join(each for each in dict.fromkeys(text) if each not in known and each not in _BREAKS)


@lru_cache(maxsize=2)
def _fonts(*, with_system: bool) -> typst.Fonts:
    folders = [str(FONT_FOLDER)]
    if not with_system:
        return _loaded(folders)
    with tempfile.TemporaryDirectory(prefix="plumbline-fonts-") as chosen:
        # Typst takes folders only; the host's folder would also bring its sans fonts, 40 MB for nothing.
        for path in _system_fonts():
            (Path(chosen) / path.name).symlink_to(path)
        # Typst opens font files lazily, by name: only the resolved copies outlive this folder.
        return _loaded([*folders, chosen])


def _loaded(folders: list[str]) -> typst.Fonts:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
    if FONT_FAMILY not in fonts.families():
        # Without a font Typst sets a page of lines and no words, and reports nothing.
        raise TypesettingError(f"报告字体 {FONT_FAMILY} 没有装好。")
    return fonts


def _system_fonts() -> list[Path]:
    return [path for name in _SYSTEM_FONTS if (path := SYSTEM_FONT_FOLDER / name).is_file()]


def _fonts_for(texts: Iterable[str]) -> typst.Fonts:
    missing = missing_characters("".join(texts))
    unprintable = "".join(each for each in missing if not each.isprintable())
    if unprintable or (missing and not _system_fonts()):
        raise MissingCharactersError(unprintable or missing)
    return _fonts(with_system=bool(missing))


def typeset_pdf(
    template: str, inputs: Mapping[str, object], *, texts: Iterable[str] = (), printed_at: datetime
) -> bytes:
    """Set `template` with `inputs` (sent as JSON) as PDF/A-2b (ISO 19005-2), dated `printed_at`.

    `texts` are the strings to be printed. `MissingCharactersError` when no font holds one of their
    characters; `TypesettingError` for any other failure. Equal arguments give equal bytes.
    """
    texts = tuple(texts)
    return _compile(
        template, inputs, texts, {"pdf_standards": "a-2b", "timestamp": int(printed_at.timestamp())}
    )


def typeset_png(
    template: str, inputs: Mapping[str, object], *, texts: Iterable[str] = (), ppi: float
) -> bytes:
    """Set the one page of `template` as PNG at `ppi` pixels per inch; errors as `typeset_pdf`."""
    return _compile(template, inputs, tuple(texts), {"format": "png", "ppi": ppi})


def _compile(
    template: str, inputs: Mapping[str, object], texts: tuple[str, ...], options: Mapping[str, Any]
) -> bytes:
    compiler = typst.Compiler(
        root=str(TEMPLATE_FOLDER),
        font_paths=_fonts_for(texts),
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(inputs, ensure_ascii=False)},
    )
    try:
        with _ONE_AT_A_TIME:
            output = compiler.compile(input=str(TEMPLATE_FOLDER / template), **options)
    except typst.TypstError as error:
        # PDF/A forbids a missing glyph: the full font, too, lacks the character.
        if "could not be displayed" in str(error.message) and (lacking := missing_characters("".join(texts))):
            raise MissingCharactersError(lacking) from error
        raise TypesettingError(f"报告没有排出来：{error.message}") from error
    if not isinstance(output, bytes):
        raise TypesettingError("报告没有排出来：模板的页数不是一页。")
    return output
