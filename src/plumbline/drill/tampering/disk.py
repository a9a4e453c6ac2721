"""Files, tiles and marks changed on disk (磁盘文件篡改): one at a time, each put back as it was."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plumbline.drill.tampering.acts import Tally

Check = Callable[[], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Where the files are, what audits them, and how many are changed."""

    tally: Tally
    files: Path
    tiles: Path
    marks: Path
    seed: int
    count: int = 5

    def run(self, check_files: Check, check_log: Check) -> None:
        """Everything that can be done to a file."""
        chance = random.Random(self.seed)  # noqa: S311 - the seed decides, nothing is secret
        blobs = _some(chance, (each for each in self.files.glob("??/*") if each.is_file()), self.count)
        for path in blobs:
            self._each_way("文件", path, check_files, path.name)
        if len(blobs) > 1:
            self._exchange(blobs[0], blobs[1], check_files)
        self._extra("文件", self.files, check_files)
        for path in _some(chance, (each for each in self.tiles.rglob("*") if each.is_file()), self.count):
            # A tile that is gone is made again: only what it says can be wrong.
            self._each_way("分片", path, check_files, path.relative_to(self.tiles).as_posix(), gone=False)
            beyond = path.with_name("999")
            self._write("分片", "多一片", beyond, path.read_bytes(), check_files, name=beyond.name)
        for path in sorted(self.marks.glob("*.mark")):
            self._each_way("水位", path, check_log, path.name, gone=False)

    def _each_way(self, area: str, path: Path, check: Check, name: str, *, gone: bool = True) -> None:
        data = path.read_bytes()
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        for what, other in (
            ("翻转一位", flipped),
            ("截短", data[:-1]),
            ("清空", b""),
            ("加长", data + b"\0"),
        ):
            self._write(area, what, path, other, check, name=name)
        if gone:
            self._write(area, "删去", path, None, check, name=name)

    def _write(
        self, area: str, what: str, path: Path, data: bytes | None, check: Check, *, name: str
    ) -> None:
        with _kept(path):
            path.unlink(missing_ok=True)
            if data is not None:
                path.write_bytes(data)
            said = check()
        self.tally.judge(area, f"{area} {name} {what}", said, named=any(name in each for each in said))

    def _exchange(self, first: Path, second: Path, check: Check) -> None:
        with _kept(first), _kept(second):
            one, other = first.read_bytes(), second.read_bytes()
            first.write_bytes(other)
            second.write_bytes(one)
            said = check()
        named = all(any(path.name in each for each in said) for path in (first, second))
        self.tally.judge("文件", f"文件 {first.name}、{second.name} 对调", said, named=named)

    def _extra(self, area: str, folder: Path, check: Check) -> None:
        data = f"nobody sent this {self.seed}".encode()
        digest = hashlib.sha256(data).hexdigest()
        for name in (f"{digest[:2]}/{digest}", f"{digest[:2]}/report.pdf", f"00/{'0' * 64}"):
            path = folder / name
            made = not path.parent.exists()
            path.parent.mkdir(exist_ok=True)
            self._write(area, "多一个", path, data, check, name=name)
            if made:
                path.parent.rmdir()


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    """The file as it was, whatever becomes of it in between."""
    data, mode = (path.read_bytes(), path.stat().st_mode) if path.exists() else (None, 0)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
            path.chmod(mode)


def _some(chance: random.Random, paths: Iterator[Path], count: int) -> list[Path]:
    found = sorted(paths)
    return chance.sample(found, min(count, len(found)))
