"""Invented people (金丝雀) whose every datum stands nowhere else, and all the ways in which a datum may be written down."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from plumbline.domain.basics.identifiers import resident_id_check_character
from plumbline.exchange.personal import PersonalFields, PersonalRecord, make_record

_CHARSETS = {"UTF-8": "utf-8", "UTF-16LE": "utf-16-le", "UTF-16BE": "utf-16-be", "GB 18030": "gb18030"}
#: Shorter ones would be found by chance.
SHORTEST = 6


@dataclass(frozen=True, slots=True)
class Secret:
    """One datum that must not be found: what it is, whose, and its text or bytes."""

    #: 姓名, 证件号, 电话, 人脸, 盐
    what: str
    whose: str
    value: str | bytes


@dataclass(frozen=True, slots=True)
class Canary:
    """One invented person with the record that carries its data."""

    subject: str
    fields: PersonalFields
    record: PersonalRecord

    @property
    def secrets(self) -> list[Secret]:
        """Everything of this person, the salt of the record among it: beside the digest it would undo the hiding."""
        told = {
            "姓名": self.fields.name,
            "证件号": self.fields.resident_id,
            "电话": self.fields.phone,
            "人脸": self.fields.face_sha256,
        }
        found = [Secret(what, self.subject, text) for what, text in told.items() if text]
        return [*found, Secret("盐", self.subject, base64.b64decode(self.record.salt))]


def make_people(rng: random.Random, count: int) -> list[Canary]:
    """People of a seed; the salts of their records are fresh each time, as everywhere."""
    return [_person(rng) for _ in range(count)]


def _person(rng: random.Random) -> Canary:
    # From the middle of the block that every Chinese character set holds; three at random are nobody's name.
    name = "".join(chr(rng.randrange(0x5000, 0x9F00)) for _ in range(3))
    division = rng.choice(("110105", "310104", "440305", "510107", "610302"))
    body = f"{division}{rng.randrange(1950, 2004)}{rng.randrange(1, 13):02d}"
    body += f"{rng.randrange(1, 29):02d}{rng.randrange(1, 1000):03d}"
    subject = rng.randbytes(16).hex()
    fields = PersonalFields(
        name=name,
        resident_id=body + resident_id_check_character(body),
        phone=f"1{rng.choice('35789')}{rng.randrange(10**8, 10**9)}",
        face_sha256=hashlib.sha256(rng.randbytes(64)).hexdigest(),
    )
    return Canary(subject, fields, make_record(subject, fields))


def spellings(secret: Secret) -> Iterator[tuple[bytes, str]]:
    """Byte strings that give the datum away, each with the name of its spelling."""
    seen: set[bytes] = set()
    for pattern, how in _spelled(secret.value):
        if len(pattern) >= SHORTEST and pattern not in seen:
            seen.add(pattern)
            yield pattern, how


def _spelled(value: str | bytes) -> Iterator[tuple[bytes, str]]:
    if isinstance(value, bytes):
        yield from _packed(value, "原始字节")
        return
    for how, charset in _CHARSETS.items():
        data = value.encode(charset)
        yield from _packed(data, how)
        # As Python shows bytes in a log, and as PostgreSQL writes them in its older form.
        yield "".join(f"\\x{byte:02x}" for byte in data).encode(), f"{how} 的字节转义"
        yield "".join(f"\\{byte:03o}" for byte in data).encode(), f"{how} 的八进制转义"
    if _is_hex(value):
        yield from _packed(bytes.fromhex(value), "原始字节")
    for text, how in _texts(value):
        yield text.encode(), how


def _packed(data: bytes, how: str) -> Iterator[tuple[bytes, str]]:
    """The bytes themselves, in hex, and in base64 wherever they begin in a longer string."""
    yield data, how
    yield data.hex().encode(), f"{how} 的十六进制"
    yield data.hex().upper().encode(), f"{how} 的十六进制"
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data)
        # Characters that hold bits of a neighbour are left out on both sides.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield whole[first:last], f"{how} 的 base64"
        yield whole[first:last].translate(bytes.maketrans(b"+/", b"-_")), f"{how} 的 base64"


def _texts(value: str) -> Iterator[tuple[str, str]]:
    yield "".join(f"\\u{ord(c):04x}" for c in value), "JSON 转义"
    yield "".join(f"\\u{ord(c):04X}" for c in value), "JSON 转义"
    yield "".join(f"\\\\u{ord(c):04x}" for c in value), "两重 JSON 转义"
    yield "".join(f"&#{ord(c)};" for c in value), "HTML 转义"
    yield "".join(f"&#x{ord(c):x};" for c in value), "HTML 转义"
    yield quote(value), "网址转义"
    yield quote(value).lower(), "网址转义"
    yield "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value), "全角"
    if len(value) == 11 and value.isdigit():
        for gap in ("-", " "):
            yield gap.join((value[:3], value[3:7], value[7:])), "分组"


def _is_hex(value: str) -> bool:
    return len(value) == 64 and all(c in "0123456789abcdef" for c in value)


def all_spellings(secrets: Iterable[Secret]) -> dict[bytes, str]:
    """Pattern → what it gives away and how it is written; never the datum itself, so that a result may be kept."""
    return {
        pattern: f"{secret.what}（{secret.whose[:6]}…，{how}）"
        for secret in secrets
        for pattern, how in spellings(secret)
    }
