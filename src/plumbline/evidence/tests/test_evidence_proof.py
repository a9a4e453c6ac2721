from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.evidence.proof import MAX_PATH, ProofError, TlogProof, format_proof, parse_proof

NOTE = "demo.example/log\n1\nAAAA\n\n— demo.example/log AAAA\n"
HASH = bytes(range(32))
HASH_TEXT = base64.b64encode(HASH).decode()


def test_a_proof_is_written_line_by_line_as_the_specification_says() -> None:
    expected = f"c2sp.org/tlog-proof@v1\nextra aGk=\nindex 7\n{HASH_TEXT}\n{HASH_TEXT}\n\n{NOTE}"
    assert format_proof(7, [HASH, HASH], NOTE, b"hi") == expected


def test_without_extra_data_or_path_those_lines_are_left_out() -> None:
    text = format_proof(0, [], NOTE)
    assert text == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{NOTE}"
    assert parse_proof(text) == TlogProof(0, (), NOTE, b"")


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=MAX_PATH),
    st.binary(max_size=200),
)
def test_every_proof_comes_back_from_its_text(index: int, path: list[bytes], extra: bytes) -> None:
    assert parse_proof(format_proof(index, path, NOTE, extra)) == TlogProof(index, tuple(path), NOTE, extra)


@pytest.mark.parametrize("index", ["", "-1", "+1", "01", " 1", "1 ", "٣", "9223372036854775808", "1" * 5000])
def test_an_index_that_is_no_plain_decimal_is_refused(index: str) -> None:
    with pytest.raises(ProofError, match="index"):
        parse_proof(format_proof(7, [HASH], NOTE).replace("index 7", f"index {index}"))


GOOD = format_proof(7, [HASH], NOTE, b"hi")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\n\n" + NOTE,
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("index 7\n", ""),
        GOOD.replace("index 7\n", "index 7\nindex 7\n"),
        GOOD.replace("extra aGk=", "extra aGl="),
        GOOD.replace("extra aGk=", "extra a*k="),
        GOOD.replace(HASH_TEXT, HASH_TEXT[4:]),
        GOOD.replace(HASH_TEXT, HASH_TEXT + " "),
        GOOD.replace("\n", "\r\n"),
        GOOD.partition("\n\n")[0],
        GOOD.partition("\n\n")[0] + "\n\n",
        GOOD.replace("index 7", "index 7\nextra aGk="),
        " " + GOOD,
    ],
)
def test_a_malformed_proof_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        parse_proof(text)


def test_a_path_of_63_hashes_is_the_longest() -> None:
    longest = format_proof(0, [HASH] * 63, NOTE)
    assert len(parse_proof(longest).path) == 63
    with pytest.raises(ProofError, match="63"):
        parse_proof(longest.replace("index 0\n", f"index 0\n{HASH_TEXT}\n"))
    with pytest.raises(ValueError, match="63"):
        format_proof(0, [HASH] * 64, NOTE)


def test_an_index_outside_63_bits_cannot_be_written() -> None:
    for index in (-1, 2**63):
        with pytest.raises(ValueError, match="out of range"):
            format_proof(index, [], NOTE)


def test_a_proof_longer_than_the_limit_is_not_read() -> None:
    assert parse_proof(GOOD, len(GOOD)).index == 7
    with pytest.raises(ProofError, match="longer"):
        parse_proof(GOOD, len(GOOD) - 1)
