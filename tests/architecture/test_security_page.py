"""What docs/reference/security.md states is what the code does: numbers, words, ways out, algorithms."""

from __future__ import annotations

import ast
import re
import tomllib

import house_rules as rules
import pytest

from plumbline.exchange.curves import MAX_POINTS
from plumbline.exchange.decode import MAX_BODY_BYTES, MAX_DEPTH
from plumbline.supervision.administration.paces import Paces
from plumbline.supervision.gateway import live, uploads
from plumbline.supervision.gateway.appender import QUEUE_LIMIT
from plumbline.supervision.gateway.settings import GatewaySettings

PAGE = (rules.ROOT / "docs" / "reference" / "security.md").read_text("utf-8")
SUPERVISION = rules.PACKAGE / "supervision"
#: What opens a connection to somewhere.
_CALLS = re.compile(
    r"^(fetch|client|Fetcher|httpx\.(get|post|stream|Client|AsyncClient)|urllib\.request\.\w+|http\.client\.\w+|socket\.(socket|create_connection)|smtplib\.\w+)$"
)
_MAYBE = re.compile(r"supervision\.fetch|httpx|urllib\.request|http\.client|socket\.|smtplib")
#: Names of primitives as they are imported → how the page calls them.
PRIMITIVES = {
    "Ed25519PrivateKey": "Ed25519",
    "Ed25519PublicKey": "Ed25519",
    "SECP256R1": "SECP256R1",
    "AESGCM": "AESGCM",
    "SHA256": "SHA-256",
    "SHA384": "SHA-384",
    "SHA512": "SHA-512",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
    "aes_key_wrap": "AES 密钥包裹",
    "aes_key_unwrap": "AES 密钥包裹",
    "RSAPublicKey": "RSA",
}
#: Names that would be primitives the page does not know.
#: Old algorithms that a format demands, each with its line on the page.
_OLD = {("src/plumbline/sdk/timestamp/token.py", "SHA1")}
_UNKNOWN = re.compile(
    r"^(SECP(?!256R1)\d+\w*|SHA3_\d+|SHA1|MD5|sha1|md5|blake2\w|TripleDES|ARC4|ChaCha20\w*|Fernet|AESCCM|AESSIV|X25519\w*|Ed448\w*|RSAPrivateKey|PBKDF2\w*|Scrypt|HKDF\w*)$"
)


def _section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_profiles_have_the_numbers_of_the_page() -> None:
    entries = tomllib.loads((SUPERVISION / "access" / "security_profiles.toml").read_text("utf-8"))[
        "parameter"
    ]
    stated = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` [^|]*\| (\d+) \| (\d+) \|$", PAGE, re.M)}
    known = {each["key"]: str(each["value"]) for each in entries if not isinstance(each["value"], bool)}
    assert known == {
        f"{name}.{key}": values[place]
        for key, values in stated.items()
        for place, name in enumerate(("等保二级", "ASVS二级"))
    }


def test_the_words_that_no_password_may_hold_are_those_of_the_page() -> None:
    tree = ast.parse((SUPERVISION / "access" / "passwords.py").read_text("utf-8"))
    assigned = next(n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "CONTEXT_WORDS")  # type: ignore[attr-defined]
    line = next(each for each in PAGE.splitlines() if each.startswith("密码里不得有的词"))
    assert set(ast.literal_eval(assigned.value)) == set(re.findall(r"`([^`]+)`", line))


@pytest.mark.parametrize(
    ("section", "stated"),
    [
        ("限额", f"每秒 {GatewaySettings.rate:.0f}，一次可连发 {GatewaySettings.rate * 2:.0f}"),
        ("限额", f"每秒 {GatewaySettings.lookup_rate:.0f}，一次可连发 {GatewaySettings.lookup_rate * 4:.0f}"),
        ("限额", f"每秒 {Paces.costly:.0f}，一次可连开 {Paces.costly_burst}"),
        ("限额", f"每秒 {Paces.others:.0f}，一次可连开 {Paces.others_burst}"),
        ("限额", f"| 等待入账的请求 | {QUEUE_LIMIT} |"),
        ("限额", f"{MAX_BODY_BYTES // 2**20} MB，{MAX_DEPTH} 层"),
        ("限额", f"{MAX_POINTS} 点"),
        ("限额", f"{uploads.MAX_FILE_BYTES // 2**20} MB，一段 {uploads.MAX_CHUNK_BYTES // 2**20} MB"),
        ("限额", f"{live.MAX_LIFE_S / 3600:.0f} 小时，{live.MAX_FOLLOWERS} 人同看"),
        *(("文件", f"`{kind}`") for kind in sorted(uploads.MEDIA_TYPES)),
    ],
)
def test_a_limit_is_the_one_of_the_page(section: str, stated: str) -> None:
    assert stated in _section(section)


def _callers() -> set[str]:
    found = set()
    for source in rules.sources(rules.PACKAGE, "supervision", "web"):
        if source.is_test or not _MAYBE.search(source.text):
            continue
        if any(
            isinstance(node, ast.Call) and _CALLS.match(ast.unparse(node.func))
            for node in ast.walk(source.tree)
        ):
            found.add(source.relative)
    return found


def test_the_platform_connects_to_nothing_but_what_the_page_lists() -> None:
    assert _callers() == set(re.findall(r"^\| `([\w/]+\.py)` \|", _section("对外连接"), re.M))


def test_every_algorithm_that_is_used_stands_on_the_page() -> None:
    page, unknown, unlisted = _section("密码算法清单"), set(), set()
    for source in rules.sources(rules.ROOT, "src"):
        if source.is_test or "/drill/" in source.relative or "/bench/" in source.relative:
            continue
        for name in set(
            re.findall(r"(?:\b(?:ec|hashes|hashlib|rsa|algorithms|ed25519)\.|\b)(\w+)\(", source.text)
        ):
            if name in PRIMITIVES and PRIMITIVES[name] not in page:
                unlisted.add(name)
            if _UNKNOWN.match(name) and (source.relative, name) not in _OLD:
                unknown.add(f"{source.relative}: {name}")
    assert (unknown, unlisted) == (set(), set())


def test_an_algorithm_that_is_not_listed_would_be_named() -> None:
    assert all(_UNKNOWN.match(name) for name in ("SECP192R1", "md5", "SHA1", "TripleDES", "Fernet"))
    assert not any(_UNKNOWN.match(name) for name in ("SECP256R1", "AESGCM", "sha256"))
