"""Re-encoding of one picture (照片重新编码), the program of a process of its own: `python -m plumbline.supervision.reencoding`.

Reads a picture from standard input and writes a new one of its pixels alone: no EXIF, no place, no thumbnail, no bytes behind the end. It
is bounded before it looks at the first byte. It imports nothing of ours, so that it starts quickly and holds no secret; Pillow only
where it is used, because those who start this program read its limits.
"""

from __future__ import annotations

import io
import resource
import sys

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
    """A picture of the same pixels: JPEG stays JPEG, anything else becomes PNG. Raises :class:`TooLarge`, OSError, ValueError."""
    from PIL import Image, ImageFile, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # counted here, after a JPEG was asked to come smaller
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        is_photo = opened.format == "JPEG"
        if is_photo:
            opened.draft("RGB", (MAX_SIDE, MAX_SIDE))
        if opened.width * opened.height > MAX_PIXELS:
            raise TooLarge(f"{opened.width} x {opened.height}")
        turned = ImageOps.exif_transpose(opened)
        has_alpha = not is_photo and ("A" in turned.getbands() or "transparency" in turned.info)
        pixels = turned.convert("RGBA" if has_alpha else "RGB")
    pixels.thumbnail((MAX_SIDE, MAX_SIDE))
    clean = Image.frombytes(pixels.mode, pixels.size, pixels.tobytes())  # carries nothing but pixels
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=90) if is_photo else clean.save(out, "PNG")
    return out.getvalue()


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
    except (
        OSError,
        ValueError,
        SyntaxError,
        ArithmeticError,
        LookupError,
        TypeError,
    ):
        return UNREADABLE  # Pillow's readers answer a broken file with any of these
    sys.stdout.buffer.write(made)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
