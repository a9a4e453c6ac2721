"""Objects of the common shape are told by their bytes (PDF 对象的常规写法); all others are left to the reader."""

from __future__ import annotations

import pytest

from plumbline.sdk.pdf.metered import Meter, MeteredFile
from plumbline.sdk.pdf.shape import KnownShapes, common_length, is_common, names_pattern

COMMON = [
    b"<</Type/Page/Kids[1 0 R 2 0 R]/Box[0 0 -5.5 .5]>>\nendobj",
    b"<< /A << /B [ << /C (x \\) << ) >> <00ff> ] >> /D true /E null >>\nendobj",
    b"[1 2 3]\nendobj",
    b"12\nendobj",
    b"<<>>\nendobj",
    b"<</A<41>>>\nendobj",
    b"<</Length 3>>\nstream\nabc\nendstream\nendobj",
    b"<</A/#4a>>\nendobj",
    b"<</A (\\(\\072\\n)/B(x)/C 1 0 R>>\nendobj",
]
OTHER = [
    b"<</A 1/A 2>>\nendobj",
    b"<</B<</A 1/A 2>>>>\nendobj",
    b"<</A#42 1/AB 2>>\nendobj",
    b"<</A>>\nendobj",
    b"<</A 1/B>>\nendobj",
    b"<<1 2>>\nendobj",
    b"<</A[1 2>>\nendobj",
    b"<</A[1>>]\nendobj",
    b"<</A 1>> 2\nendobj",
    b"<</A (a (b) c)>>\nendobj",
    b"<</A % remark\n 1>>\nendobj",
    b"<</A 1>>\nendob",
    b"<</A 1R>>\nendobj",
    b"<</A R>>\nendobj",
    b"<</Length 2>>\nstream\nabc\nendstream\nendobj",
    b"<</Length 5 0 R>>\nstream\nabc\nendstream\nendobj",
    b"[3]\nstream\nabc\nendstream\nendobj",
    b"<</L " + b"[" * 60 + b"]" * 60 + b">>\nendobj",
    b"\nendobj",
    # What follows looks like a reference, or a name or text like any other, but no strict reader takes it.
    b"<</A1 0 R/B>>\nendobj",
    b"<</A[/B1 0 R]>>\nendobj",
    b"<</A[/1 0 R]>>\nendobj",
    b"<</A -11 0 R>>\nendobj",
    b"<</A 0 0 R>>\nendobj",
    b"<</A <> (x) R>>\nendobj",
    b"<</A/B\xff>>\nendobj",
    b"<</A/B\x0b>>\nendobj",
    b"<</A/B#>>\nendobj",
    b"<</A/B#4x>>\nendobj",
    b"<</A(\\e)>>\nendobj",
]


@pytest.mark.parametrize("body", COMMON)
def test_plain_nested_values_are_of_the_common_shape(body: bytes) -> None:
    assert is_common(b"x7 0 obj\n" + body, 1, 7, 0)


@pytest.mark.parametrize("body", OTHER)
def test_whatever_is_not_surely_in_order_is_left_to_the_reader(body: bytes) -> None:
    assert not is_common(b"7 0 obj\n" + body, 0, 7, 0)


@pytest.mark.parametrize(("number", "generation", "start"), [(8, 0, 0), (7, 1, 0), (7, 0, 1), (7, 0, 99)])
def test_an_object_of_another_number_or_place_is_not_common(number: int, generation: int, start: int) -> None:
    assert not is_common(b"7 0 obj\n1\nendobj", start, number, generation)


@pytest.mark.parametrize("text", [b"/JS(x)", b"/J#53 1", b"/#4aS<<", b"/#4A#53]", b"/JS", b"/JS#00"])
def test_a_name_is_found_however_it_is_spelled(text: bytes) -> None:
    assert names_pattern(["/JS", "/AA"]).search(b"<<" + text)


@pytest.mark.parametrize("text", [b"/JSON 1", b"/J#54", b"JS", b"/AAAAAA+Font"])
def test_another_name_is_not_taken_for_it(text: bytes) -> None:
    assert not names_pattern(["/JS", "/AA"]).search(text)


@pytest.mark.parametrize("body", [*COMMON, *OTHER])
def test_what_is_known_of_an_object_is_what_would_be_found_again(body: bytes) -> None:
    known = KnownShapes()
    for before, after in ((b"x", b"\n"), (b"xyz", b"\n"), (b"", b"\nstartxref"), (b"x", b"")):
        data = before + b"7 0 obj\n" + body + after
        for start, following in ((len(before), len(data) - len(after) + 1), (len(before), len(data))):
            found = known.length(data, start, following, (7, 0))
            assert found == common_length(data, start, 7, 0)
        assert known.length(data, len(before), len(data), (8, 0)) == 0


def test_an_object_that_ends_beyond_the_next_one_is_never_taken_for_known() -> None:
    known, body = KnownShapes(), b"<</A 1>>"
    inner = b"7 0 obj\n" + body + b"\nendobj"
    assert known.length(inner, 0, 12, (7, 0)) == len(inner)
    assert known.length(inner[:12] + b"oops", 0, 12, (7, 0)) == 0
    longer = b"7 0 obj\n<</Length 3>>\nstream\nabc\nendstream\nendobj"
    assert known.length(longer, 0, len(longer), (7, 0)) > 0
    assert known.length(longer.replace(b"abc\n", b"abcd"), 0, len(longer), (7, 0)) == 0


def test_a_reader_passes_known_blanks_in_one_step_and_finds_what_lies_behind_them() -> None:
    data, meter = b"<ab>" + b" " * 1000 + b"/Next /Other", Meter(20)
    file = MeteredFile(data, meter, (4, 1004))
    assert [file.read(1) for _ in range(6)] == [b"<", b"a", b"b", b">", b" ", b"/"]
    file.seek(-2, 1)
    assert file.read(1) == b" " and file.read(5) == b"/Next"
    assert (file.read(1), file.read(1)) == (b" ", b"/"), "other blanks are read one by one"
    file.seek(0)
    assert file.read() == data
