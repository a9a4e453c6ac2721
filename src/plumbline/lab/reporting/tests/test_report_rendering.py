"""The printed report: text, QR code, pages, fonts, stamp."""

from __future__ import annotations

import io
import itertools
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
import segno
import zxingcpp
from PIL import Image
from segno import consts

from plumbline.lab.reporting import render, typesetting
from plumbline.lab.reporting.curves import decimated, drawings, round_step
from plumbline.lab.reporting.document import PrintedCurve, PrintedTable
from plumbline.lab.reporting.layout import STAMP_DIAMETER
from plumbline.lab.reporting.pictures import TITLES, PictureKind, demo_picture
from plumbline.lab.reporting.qr import symbol
from plumbline.lab.reporting.render import render_report
from plumbline.lab.reporting.samples import sample_document
from plumbline.lab.reporting.stamp import stamp_png
from plumbline.lab.reporting.typesetting import MissingCharactersError, missing_characters

DOCUMENT = sample_document()
TWO_PAGES = replace(DOCUMENT, curves=DOCUMENT.curves * 3)


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return render_report(DOCUMENT)


def raster(pdf: bytes, folder: Path, dpi: int) -> list[Image.Image]:
    if shutil.which("pdftoppm") is None:
        pytest.skip("poppler's pdftoppm is not installed")
    (folder / "report.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", str(dpi), "-png", "report.pdf", "page"], cwd=folder, check=True)
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("page*.png"))]


def red_pixels(image: Image.Image) -> int:
    return sum(1 for r, g, b in image.get_flattened_data() if r > 150 and g < 90 and b < 90)


def test_chinese_text_and_values_can_be_extracted(pdf: bytes) -> None:
    text = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    for printed in (
        "混凝土立方体抗压强度检测报告",
        "三层 ③–⑦ 轴框架柱",
        "884.2",
        "39.6",
        "陆昕旸",
        "共 1 页",
    ):
        assert printed.replace(" ", "") in text.replace(" ", "")


def test_it_declares_pdf_a_2b(pdf: bytes) -> None:
    metadata = pypdf.PdfReader(io.BytesIO(pdf)).xmp_metadata
    assert metadata is not None
    assert (metadata.pdfaid_part, metadata.pdfaid_conformance) == ("2", "B")


def test_equal_documents_give_equal_bytes(pdf: bytes) -> None:
    assert render_report(sample_document()) == pdf


@pytest.mark.clause("BJ 9.1.1.3-e", "GX 七(七)")
def test_the_qr_code_can_be_read_from_a_150_dpi_scan(pdf: bytes, tmp_path: Path) -> None:
    page = raster(pdf, tmp_path, 150)[0]
    assert [each.text for each in zxingcpp.read_barcodes(page)] == [DOCUMENT.qr_payload]


@pytest.mark.clause("BJ 9.1.1.3-d")
def test_every_page_of_several_carries_its_slice_of_the_straddle_stamp(tmp_path: Path) -> None:
    pages = raster(render_report(TWO_PAGES), tmp_path, 60)
    assert len(pages) == 2
    for page in pages:
        width, height = page.size
        edge = page.crop((width - round(STAMP_DIAMETER / 2 * 60 / 25.4), height // 3, width, height * 2 // 3))
        assert red_pixels(edge) > 100


def test_one_page_has_no_straddle_stamp(pdf: bytes, tmp_path: Path) -> None:
    page = raster(pdf, tmp_path, 60)[0]
    width, height = page.size
    assert red_pixels(page.crop((width - 40, height // 3, width, height * 2 // 3))) == 0


def test_pages_are_numbered_out_of_their_count() -> None:
    pages = pypdf.PdfReader(io.BytesIO(render_report(TWO_PAGES))).pages
    texts = [page.extract_text().replace(" ", "") for page in pages]
    assert [f"第{number}页" in text and "共2页" in text for number, text in enumerate(texts, 1)] == [
        True,
        True,
    ]


def test_a_file_of_one_page_is_set_once_and_looks_as_one_of_several_would(
    pdf: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_as: list[bool] = []

    def counted(template: str, inputs: dict[str, object], **options: Any) -> bytes:
        set_as.append(bool(inputs["one_page"]))
        return typesetting.typeset_pdf(template, inputs, **options)

    monkeypatch.setattr(render, "typeset_pdf", counted)
    assert render_report(DOCUMENT) == pdf
    assert set_as == [True]
    # A text that spells a page tree of one page is not taken for it.
    render_report(replace(TWO_PAGES, remarks="1 0 obj <</Type/Pages/Count 1/"))
    assert set_as == [True, True, False]
    general = typesetting.typeset_pdf(
        "report.typ", render._inputs(DOCUMENT) | {"one_page": False}, printed_at=DOCUMENT.printed_at
    )
    (first,), (second,) = (raster(each, _folder(tmp_path, i), 60) for i, each in enumerate((pdf, general)))
    assert first.tobytes() == second.tobytes()


def _folder(path: Path, number: int) -> Path:
    folder = path / str(number)
    folder.mkdir()
    return folder


def test_only_a_demonstration_says_so(pdf: bytes) -> None:
    real = render_report(replace(DOCUMENT, is_demo=False))
    said = ["演示数据" in pypdf.PdfReader(io.BytesIO(each)).pages[0].extract_text() for each in (pdf, real)]
    assert said == [True, False]


def test_markup_in_a_value_is_printed_as_it_is() -> None:
    hostile = '#panic("x") $1/0$ *a* <b> \\ [c] @d'
    text = (
        pypdf.PdfReader(io.BytesIO(render_report(replace(DOCUMENT, project=hostile)))).pages[0].extract_text()
    )
    assert hostile.replace(" ", "") in text.replace("\n", "").replace(" ", "")


def test_characters_outside_the_fonts_are_named() -> None:
    assert missing_characters("陆昕旸 Ω 45°𰻝𠮷𠮷") == "𰻝𠮷"
    assert missing_characters("混凝土\n（C35）≥ 38.5 MPa，㎡ ²") == ""


def test_without_the_full_font_a_rare_character_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(typesetting, "SYSTEM_FONT_FOLDER", tmp_path)
    with pytest.raises(MissingCharactersError, match=r"“𠮷”（U\+20BB7）"):
        render_report(replace(DOCUMENT, client="𠮷记建材"))


def test_with_the_full_font_a_rare_character_is_printed() -> None:
    if not typesetting.SYSTEM_FONT_FOLDER.is_dir():
        pytest.skip("the full font (fonts-noto-cjk) is not installed")
    text = (
        pypdf.PdfReader(io.BytesIO(render_report(replace(DOCUMENT, client="𠮷记建材"))))
        .pages[0]
        .extract_text()
    )
    assert "𠮷记建材" in text


def test_a_character_that_no_font_has_is_never_an_empty_box() -> None:
    with pytest.raises(MissingCharactersError, match=r"U\+1F9FF"):
        render_report(replace(DOCUMENT, client="甲\U0001f9ff乙"))


@pytest.mark.parametrize("payload", ["", "https://a", "HTTPS://A?B=1", "A" * 1200])
def test_a_payload_that_the_corner_cannot_hold_is_refused(payload: str) -> None:
    with pytest.raises(ValueError, match="QR payload"):
        symbol(payload)


@pytest.mark.parametrize("length", [10, 260, 366, 600, 970])
def test_a_module_is_never_smaller_than_the_printer_can_hold(length: int) -> None:
    code = symbol("A" * length)
    assert code.size >= 28.0
    assert code.size / code.modules >= 0.4


def test_decimation_keeps_the_peak() -> None:
    xs, ys = np.arange(100_000) / 1000, np.ones(100_000)
    ys[54_321], ys[54_322] = 900.5, -3.0
    kept_xs, kept_ys = decimated(xs, ys, 200)
    kept = list(zip(kept_xs.tolist(), kept_ys.tolist(), strict=True))
    assert {(54.321, 900.5), (54.322, -3.0), (0.0, 1.0), (99.999, 1.0)} <= set(kept)
    assert len(kept) <= 800
    assert kept == sorted(kept)


def test_a_curve_is_drawn_on_its_axes() -> None:
    curve = PrintedCurve(label="试件 1", unit="kN", xs=(0.0, 5.0, 10.0), ys=(0.0, 100.0, -1.0))
    (svg,) = drawings([curve])
    line = re.search(r'<polyline points="([^"]+)"', svg)
    assert line is not None
    # Axes of 10 s and 100 kN; a value below zero lies on the axis.
    assert line[1] == "62.0,292.0 306.0,40.0 550.0,292.0"


def test_a_curve_of_one_point_or_without_number_is_not_drawn() -> None:
    bad = [((1.0,), (1.0,)), ((), ()), ((0.0, 1.0), (0.0, math.nan)), ((0.0, math.inf), (0.0, 1.0))]
    assert drawings([PrintedCurve(label="", unit="kN", xs=xs, ys=ys) for xs, ys in bad]) == ()


def test_a_value_without_its_time_is_refused() -> None:
    with pytest.raises(ValueError, match="1 times and 2 values"):
        PrintedCurve(label="", unit="kN", xs=(0.0,), ys=(0.0, 1.0))


@pytest.mark.parametrize("payload", ["A", "HTTPS://A.EXAMPLE/V/1#B2", "HTTPS://A.EXAMPLE/V/2611LCA7#MFRGGZ"])
def test_the_qr_code_is_the_one_of_the_standard(payload: str) -> None:
    """Another encoder gives the same modules, under one of the eight masks and one way to part the payload into
    segments."""
    made = symbol(payload)
    drawn = [[0] * made.modules for _ in range(made.modules)]
    for left, row, right in re.findall(r"M(\d+) (\d+)\.5H(\d+)", made.svg):
        drawn[int(row)][int(left) : int(right)] = [1] * (int(right) - int(left))
    assert any(
        [list(row) for row in segno.make(parts, error="m", micro=False, boost_error=False, mask=mask).matrix]
        == drawn
        for parts in segmentations(payload)
        for mask in range(8)
    )


def segmentations(payload: str) -> Iterator[list[tuple[str, int]]]:
    """The payload with a byte segment that holds the '#' and up to six characters on either side."""
    if "#" not in payload:
        yield [(payload, consts.MODE_ALPHANUMERIC)]
        return
    at = payload.index("#")
    for left, right in itertools.product(range(7), repeat=2):
        cuts = (payload[: at - left], payload[at - left : at + 1 + right], payload[at + 1 + right :])
        modes = (consts.MODE_ALPHANUMERIC, consts.MODE_BYTE, consts.MODE_ALPHANUMERIC)
        yield [(part, mode) for part, mode in zip(cuts, modes, strict=True) if part]


@pytest.mark.parametrize(("span", "step"), [(0.9, 0.2), (5.0, 1.0), (5.01, 2.0), (901.7, 200.0)])
def test_axis_steps_are_round(span: float, step: float) -> None:
    assert round_step(span) == pytest.approx(step)


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="cells under"):
        PrintedTable(columns=("a", "b"), rows=(("1",),))


@pytest.mark.parametrize("kind", TITLES)
def test_demo_pictures_are_small(kind: PictureKind) -> None:
    picture = demo_picture(kind, ["滨江花园二期 7# 楼", "样品 YP-2026-11802", "2026-11-19 09:48"])
    assert len(picture) <= 60 * 1024
    assert Image.open(io.BytesIO(picture)).size == (630, 472)


def test_a_stamp_is_red_on_nothing() -> None:
    image = Image.open(io.BytesIO(stamp_png("临川市准信建设工程检测有限公司", is_demo=True, ppi=100)))
    assert image.mode == "RGBA"
    assert image.getpixel((0, 0))[3] == 0
    assert red_pixels(image.convert("RGB")) > 1000
