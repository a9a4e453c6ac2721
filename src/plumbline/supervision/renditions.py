"""What is served of a picture (照片的提供件): pixels only, made once in a bounded process and kept; the original stays as evidence.

A rendition is derived: the folder may be emptied at any time.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from plumbline.supervision import reencoding

MAX_BYTES = reencoding.MAX_BYTES
#: Another number makes every rendition anew.
RECIPE = "1"
WALL_S = 20.0
#: So many pictures are made at a time in one process; who comes later waits, and then is told to come again.
AT_ONCE, WAIT_S = 2, 15.0
_SUFFIXES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
_WORDS = {
    reencoding.UNREADABLE: "这份文件不是读得懂的 PNG、JPEG 或 WebP 照片，请重新拍摄或另存后再报送",
    reencoding.TOO_LARGE: "照片太大：最多 32 MB、4000 万像素，请缩小后再报送",
}
_BEYOND = "照片超出了查看时间或内存的限度，请缩小后再报送"
#: Ends of the process that say something of the file: its own words, and no more CPU time. A kill from outside says nothing.
_OF_THE_FILE = frozenset({*_WORDS, -signal.SIGXCPU})
_places = threading.BoundedSemaphore(AT_ONCE)


class PictureRefused(ValueError):
    """The file is no picture that can be shown; the message says why and what to do."""

    def __init__(self, message: str = "", *, is_of_the_file: bool = True) -> None:
        super().__init__(message)
        #: Whether it stays so: a machine that was too busy says nothing of the file.
        self.is_of_the_file = is_of_the_file


class PicturesBusy(RuntimeError):
    """Too many pictures are being made at this moment."""


@dataclass(frozen=True, slots=True)
class Renditions:
    """The folder of renditions: `ab/<SHA-256 of the original>.png`, or `.no` with the reason why there is none."""

    root: Path

    def path(self, name: str) -> Path:
        """Where a rendition lies; `name` is the hash of its original and its suffix."""
        return self.root / RECIPE / name[:2] / name

    def known(self, sha256: str) -> str | None:
        """The name of the rendition of an original; None when it has not been made. Raises :class:`PictureRefused`."""
        for suffix in MEDIA_TYPES:
            if self.path(f"{sha256}.{suffix}").exists():
                return f"{sha256}.{suffix}"
        refused = self.path(f"{sha256}.no")
        if refused.exists():
            raise PictureRefused(refused.read_text("utf-8"))
        return None

    def make(self, sha256: str, original: bytes) -> str:
        """Make the rendition and return its name. Raises :class:`PictureRefused`, :class:`PicturesBusy`."""
        if not _places.acquire(timeout=WAIT_S):
            raise PicturesBusy
        try:
            made = _reencoded(original)
        except PictureRefused as refusal:
            if refusal.is_of_the_file:
                self._keep(f"{sha256}.no", str(refusal).encode())
            raise
        finally:
            _places.release()
        suffix = next(suffix for start, suffix in _SUFFIXES.items() if made.startswith(start))
        self._keep(f"{sha256}.{suffix}", made)
        return f"{sha256}.{suffix}"

    def _keep(self, name: str, data: bytes) -> None:
        """Another process may be keeping the same: whoever is last stands, whole."""
        path = self.path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        temporary.write_bytes(data)
        temporary.replace(path)


def _reencoded(original: bytes) -> bytes:
    if len(original) > reencoding.MAX_BYTES:
        raise PictureRefused(_WORDS[reencoding.TOO_LARGE])
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-m", reencoding.__name__]
    try:
        done = subprocess.run(
            command, input=original, capture_output=True, timeout=WALL_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise PictureRefused(_BEYOND, is_of_the_file=False) from None
    if done.returncode == reencoding.DONE and any(done.stdout.startswith(start) for start in _SUFFIXES):
        return done.stdout
    raise PictureRefused(_WORDS.get(done.returncode, _BEYOND), is_of_the_file=done.returncode in _OF_THE_FILE)
