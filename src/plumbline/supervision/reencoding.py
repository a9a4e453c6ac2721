"""Re-encoding of one picture (照片重新编码), the program of a process of its own: `python -m plumbline.supervision.reencoding`.

Reads a picture from standard input and writes a new one of its pixels alone: no EXIF, no place, no thumbnail, no bytes behind the end. It
is bounded before it looks at the first byte. It imports nothing of ours, so that it starts quickly and holds no secret; Pillow only
where it is used, because those who start this program read its limits.
"""

from __future__ import annotations

import io
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 32 * 1024 * 1024
#: What may lie in memory at once; a JPEG is halved while it is read, so that larger ones pass.
MAX_PIXELS = 40_000_000
#: The longer side of what is served.
MAX_SIDE = 4096
MEMORY_BYTES, CPU_S = 512 * 1024 * 1024, 10
FORMATS = ("PNG", "JPEG", "WEBP")
#: Exit statuses; the one who started the process has words for them.
DONE, UNREADABLE, TOO_LARGE = 0, 3, 4


def bound() -> None:
    """Limits of this process: no more memory, time or files than one picture needs."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class TooLarge(ValueError):
    """More pixels than are read."""


def reencoded(data: bytes) -> bytes:
    """A picture of the same pixels: PNG stays PNG, and what can be seen through becomes one; anything else is a JPEG.

    Raises :class:`TooLarge`, and for a broken file whatever Pillow's readers answer it with.
    """
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = None  # counted here, after a JPEG was asked to come smaller
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        # a telephone's JPEG may hold more than one picture (MPO); the first is what was taken
        is_jpeg = opened.format in ("JPEG", "MPO")
        if is_jpeg:
            share = next((each for each in (1, 2, 4) if _pixels(opened) <= MAX_PIXELS * each * each), 8)
            opened.draft("RGB", (opened.width // share, opened.height // share))
        if _pixels(opened) > MAX_PIXELS:
            raise TooLarge(f"{opened.width} x {opened.height}")
        opened.load()
        has_alpha = not is_jpeg and ("A" in opened.getbands() or "transparency" in opened.info)
        is_png, mode = opened.format == "PNG" or has_alpha, "RGBA" if has_alpha else "RGB"
        pixels = opened if opened.mode == mode else opened.convert(mode)
        pixels.thumbnail((MAX_SIDE, MAX_SIDE))  # before it is copied: the memory is bounded
        turned = _turned(pixels)
        clean = Image.frombytes(mode, turned.size, turned.tobytes())  # carries nothing but pixels
    out = io.BytesIO()
    # quickly: this process has seconds, and a noisy picture takes all of them otherwise
    clean.save(out, "PNG", compress_level=3) if is_png else clean.save(out, "JPEG", quality=90)
    return out.getvalue()


def _pixels(picture: Image.Image) -> int:
    return picture.width * picture.height


def _turned(picture: Image.Image) -> Image.Image:
    """As the camera says it was held; a broken note of the camera is no reason to show nothing."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # whatever a reader of broken bytes answers
        return picture


def main() -> int:
    """Read, write, and say by the exit status why there is nothing."""
    bound()
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return TOO_LARGE
    try:
        made = reencoded(data)
    except (TooLarge, MemoryError):
        return TOO_LARGE
    except Exception:  # Pillow's readers answer a broken file with this and that
        return UNREADABLE
    sys.stdout.buffer.write(made)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
