"""Pictures as they are served (附件与照片): addresses that end, pixels alone, bombs and files that are two things at once."""

from __future__ import annotations

import asyncio
import io
import struct
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from plumbline.supervision import reencoding
from plumbline.supervision.attachments import Attachments
from plumbline.supervision.gateway.attachments import FilesHost
from plumbline.supervision.reencoding import TooLarge, reencoded
from plumbline.supervision.renditions import PictureRefused, Renditions
from plumbline.web.security import files_origin

NAME = f"{'ab' * 32}.png"
SCRIPT = b"<script>alert(1)</script>"


def _split(address: str) -> list[str]:
    return address.split("/")[2:]


def test_an_address_is_good_for_minutes_for_one_file_and_one_secret():
    given, other = Attachments(b"s" * 32), Attachments(b"t" * 32)
    now = time.time()
    until, mac, name = _split(given.address(NAME, now=now))
    assert given.is_good(until, mac, name, now=now + 59)
    assert not given.is_good(until, mac, name, now=now + 400)
    assert not other.is_good(until, mac, name, now=now)
    assert not given.is_good(until, mac, f"{'cd' * 32}.png", now=now)
    assert not given.is_good(str(int(until) + 300), mac, name, now=now)
    assert not given.is_good(until, mac[:-1], name, now=now)
    assert not given.is_good(until, "码" * 40, name, now=now)
    with pytest.raises(ValueError, match="no name"):
        given.address("../../keys/kek.bin")


@pytest.mark.parametrize("name", ["../x.png", f"{'ab' * 32}.html", f"{'ab' * 32}.png\n", ""])
def test_no_other_name_is_ever_good(name):
    given = Attachments(b"s" * 32)
    until = "9999999999"
    assert not given.is_good(until, given._mac(until, name), name)


def _png(**options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 30, 30)).save(out, "PNG", **options)
    return out.getvalue()


def _jpeg_with_place() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned
    exif[0x010E] = "place 34.36 N"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (10, 120, 30)).save(out, "JPEG", exif=exif, comment=SCRIPT)
    return out.getvalue()


def test_what_is_served_holds_pixels_alone():
    made = reencoded(_jpeg_with_place() + SCRIPT)
    with Image.open(io.BytesIO(made)) as shown:
        assert (shown.format, shown.size, dict(shown.getexif())) == ("JPEG", (20, 40), {})
    assert SCRIPT not in made and b"34.36" not in made
    made = reencoded(_png(icc_profile=SCRIPT, dpi=(72, 72)) + SCRIPT)
    assert made.startswith(b"\x89PNG") and b"iCCP" not in made and SCRIPT not in made


def test_a_photograph_of_many_pixels_comes_smaller_and_a_telephone_s_comes_as_one_picture(
    monkeypatch: pytest.MonkeyPatch,
):
    """48 million pixels are what telephones take; a picture in several sizes (MPO) is a JPEG like any other."""
    monkeypatch.setattr(reencoding, "MAX_PIXELS", 5_000)
    photo, phone = Image.new("RGB", (160, 80), (10, 120, 30)), io.BytesIO()
    photo.save(phone, "MPO", save_all=True, append_images=[photo.resize((16, 8))])
    for sent in (phone.getvalue(), _jpeg(photo)):
        with Image.open(io.BytesIO(reencoded(sent))) as shown:
            assert (shown.format, shown.size) == ("JPEG", (80, 40))
    with pytest.raises(TooLarge):
        reencoded(_bomb(160, 80))


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


def test_a_picture_that_a_busy_machine_could_not_make_is_made_when_it_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def too_slow(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("reencoding", 20)

    places, digest = Renditions(tmp_path), "ee" * 32
    with monkeypatch.context() as busy:
        busy.setattr(subprocess, "run", too_slow)
        with pytest.raises(PictureRefused):
            places.make(digest, _png())
    assert places.known(digest) is None


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO"])
def test_other_formats_are_no_pictures_here(kind):
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, kind)
    with pytest.raises(OSError, match="cannot identify"):
        reencoded(out.getvalue())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb(width: int, height: int) -> bytes:
    """A PNG that says it is large and needs few bytes for it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1000) * 1000, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_read():
    with pytest.raises(TooLarge):
        reencoded(_bomb(60_000, 60_000))


def test_a_picture_is_made_once_in_a_process_of_its_own_and_a_refusal_says_what_to_do(tmp_path: Path):
    renditions = Renditions(tmp_path)
    good, bad, bomb = (each * 32 for each in ("aa", "bb", "cc"))
    assert renditions.known(good) is None
    assert renditions.make(good, _png() + SCRIPT) == f"{good}.png"
    assert renditions.known(good) == f"{good}.png"
    assert SCRIPT not in renditions.path(f"{good}.png").read_bytes()
    for digest, data, said in (
        (bad, b"%PDF-1.7" + _png(), "不是读得懂的"),
        (bomb, _bomb(60_000, 60_000), "照片太大"),
    ):
        for ask in (lambda d=digest, b=data: renditions.make(d, b), lambda d=digest: renditions.known(d)):
            with pytest.raises(PictureRefused, match=f"{said}.*请"):
                ask()


def test_a_file_beyond_the_limit_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reencoding, "MAX_BYTES", 10)
    with pytest.raises(PictureRefused, match="32 MB"):
        Renditions(tmp_path).make("dd" * 32, bytes(11))


@pytest.mark.parametrize(
    ("host", "path", "passes"),
    [
        (b"files.example", "/a/1/2/3", True),
        (b"FILES.example", "/a/1/2/3", True),
        (b"files.example", "/reports/", False),
        (b"plumb.example", "/a/1/2/3", False),
        (b"plumb.example", "/reports/", True),
    ],
)
def test_a_host_for_attachments_serves_nothing_else_and_no_other_host_serves_them(host, path, passes):
    passed: list[str] = []
    answered: list[int] = []

    async def app(scope, receive, send) -> None:
        passed.append(scope["path"])

    async def send(event) -> None:
        answered.extend([event["status"]] if "status" in event else [])

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {"type": "http", "path": path, "headers": [(b"host", host)], "method": "GET"}
    asyncio.run(FilesHost(app, "files.example")(scope, receive, send))
    assert (passed, answered) == (([path], []) if passes else ([], [404]))


def test_the_host_of_attachments_is_an_origin_and_nothing_more():
    assert files_origin({}) == ""
    assert files_origin({"PLUMB_FILES_URL": "https://Files.example:8443/"}) == "https://files.example:8443"
    for wrong in ("files.example", "https://x; script-src *", "https://x/a", "javascript:1"):
        with pytest.raises(ValueError, match="PLUMB_FILES_URL"):
            files_origin({"PLUMB_FILES_URL": wrong})
