"""From bytes to a message (解码): size, depth, duplicate keys, types, then texts; each refusal names field,
reason and remedy."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Union

import msgspec
from msgspec import inspect as shapes

from plumbline.domain.basics.personal_text import personal_spans
from plumbline.domain.basics.words import text_problem
from plumbline.exchange.curves import MAX_POINTS, MAX_VALUE, CurveProblem, channel_times_us, channel_values
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.testing import Curve, CurveChannel, RunRecorded
from plumbline.exchange.problems import FieldProblem, Problem
from plumbline.exchange.submission import MAX_SUBMISSIONS, Batch, Submission

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 32
# Unrolled: the plain alternation costs 0.2 s a megabyte, which a curve or a hostile text would have.
# A text that never ends is passed over whole: sought again from each of its quotation marks, 64 kB took 15 s.
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(each for each in range(256) if each not in b"[]{}")
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`")
_LONG_NUMBER = re.compile(rb"(?<![0-9.])-?[0-9]{17,}")

AnyMessage = Union[tuple(row.type for row in KINDS.values())]  # type: ignore[valid-type]  # noqa: UP007 - built from the table
_SUBMISSION = msgspec.json.Decoder(Submission)
_BATCH = msgspec.json.Decoder(Batch)
_BATCH_BEGINS = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"submissions"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*')
_BATCH_GOES_ON = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_BATCH_ENDS = re.compile(rb"[ \t\r\n]*\][ \t\r\n]*\}[ \t\r\n]*")
_MESSAGE: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyMessage)


def _is_too_deep(bare: bytes) -> bool:
    """Whether brackets outside of texts nest deeper than MAX_DEPTH; each pass takes the innermost pairs
    away."""
    left = bare.translate(_TO_SQUARE, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        shorter = left.replace(b"[]", b"")
        if len(shorter) == len(left):
            break
        left = shorter
    # What stays open without being closed is for the parser to refuse, unless it is deep by itself.
    return b"[]" in left or left.count(b"[") > MAX_DEPTH


def _outside_texts(data: bytes) -> bytes:
    """What stands outside of texts. Without escapes every second piece between quotation marks does, which takes a fifth of the time."""
    if b"\\" in data:
        return _STRINGS.sub(b"", data)
    return b"".join(data.split(b'"')[::2])


class _RepeatedKey(Exception):
    """A name stands twice in one object."""


def _no_repeats(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _RepeatedKey(name)
        seen.add(name)


def check_json(data: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> None:
    """Size, depth by a scan, then one pass for duplicate keys, NaN and over-long numbers. Raises
    :class:`Problem`."""
    if len(data) > max_bytes:
        raise Problem(slug="too-large", detail=f"收到 {len(data)} 字节，最多 {max_bytes} 字节")
    bare = _outside_texts(data)
    if _is_too_deep(bare):
        raise Problem(slug="too-deep", detail=f"嵌套超过 {MAX_DEPTH} 层")
    if _LONG_NUMBER.search(bare):
        raise Problem(
            slug="schema",
            detail="有一个 JSON 数字超过 16 位",
            errors=(FieldProblem(pointer="", reason="JSON 数字太长", remedy='测量值写成字符串，如 "884.2"'),),
        )
    try:
        json.loads(data.decode("utf-8"), object_pairs_hook=_no_repeats, parse_constant=_refuse_constant)
    except _RepeatedKey as error:
        raise Problem(slug="duplicate-key", detail=f"字段 {error} 出现了两次") from None
    except UnicodeDecodeError as error:
        raise Problem(slug="malformed-json", detail=f"第 {error.start} 字节不是 UTF-8") from None
    except (ValueError, RecursionError) as error:
        where = (
            f"第 {error.lineno} 行第 {error.colno} 列" if isinstance(error, json.JSONDecodeError) else "结构"
        )
        raise Problem(slug="malformed-json", detail=f"{where}不能解析") from None


def _gives_itself_back(data: bytes) -> bool:
    """Whether what is read from these bytes, written again, is these bytes: then no name stands twice in an object, nothing is written
    as JSON has it not, and no text hides a character behind an escape. Blanks between the parts are reason enough to look closer."""
    try:
        return bool(msgspec.json.encode(msgspec.json.decode(data)) == data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False


def _refuse_constant(name: str) -> None:
    raise Problem(slug="malformed-json", detail=f"{name} 不是 JSON")


_HINTS = [
    (
        re.compile(r"Expected `str`, got `(int|float)`"),
        "这里要写成字符串",
        '加上引号，如 "884.2"，保留末位的零',
    ),
    (
        re.compile(r"matching regex"),
        "写法不符合规定",
        "只用半角字符；测量值形如 -12.50，不用科学计数、空格和逗号",
    ),
    (re.compile(r"missing required field `(?P<f>[^`]+)`"), "缺少必填字段 {f}", "补上这个字段"),
    (
        re.compile(r"contains unknown field `(?P<f>[^`]+)`"),
        "没有名为 {f} 的字段",
        "核对字段名；手册有全部字段",
    ),
    (re.compile(r"Invalid enum value|Invalid value"), "不在代码表里", "从手册的代码表中选一个"),
    (re.compile(r"timezone"), "时刻没有时区", "加上时区，如 +08:00"),
    (
        re.compile(r"Invalid RFC3339|Expected `datetime`"),
        "不是 RFC 3339 时刻",
        '如 "2026-11-19T14:02:00+08:00"',
    ),
    (re.compile(r"Invalid UUID"), "不是 UUID", "用 UUIDv7"),
    (re.compile(r"length"), "长度不符合规定", "见手册中这个字段的长度"),
]


def _schema_problem(error: msgspec.ValidationError, prefix: str) -> Problem:
    text = str(error)
    found = _PATH.search(text)
    path = found["path"] if found else ""
    pointer = prefix + re.sub(r"\[(\d+|\.\.\.)\]|\.", lambda m: "/" + (m[1] or ""), path)
    reason, remedy = text.split(" - at ")[0], "见手册中这个字段的说明"
    for pattern, hint, fix in _HINTS:
        if match := pattern.search(text):
            reason, remedy = hint.format(**match.groupdict()), fix
            break
    return Problem(
        slug="schema",
        detail=f"{pointer or '/'}：{reason}",
        errors=(FieldProblem(pointer=pointer, reason=reason, remedy=remedy),),
    )


@cache
def _text_fields(struct: type[msgspec.Struct]) -> dict[str, tuple[bool, bool]]:
    """Field → (is free text, may hold nested structures), from the type's own metadata."""
    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    return {f.name: (_is_free_text(f.type), True) for f in info.fields}


def _is_free_text(kind: shapes.Type) -> bool:
    if isinstance(kind, shapes.Metadata):
        return bool((kind.extra or {}).get("free_text")) or _is_free_text(kind.type)
    if isinstance(kind, shapes.UnionType):
        return any(_is_free_text(each) for each in kind.types)
    if isinstance(kind, shapes.ListType):
        return _is_free_text(kind.item_type)
    return False


#: Shorter texts cannot hold a telephone number of eleven digits, let alone an identity number.
_SHORTEST_PERSONAL = 11


def _check_text(text: str, pointer: str, free: bool) -> None:
    if text.isascii() and text.isprintable():  # nothing unseen in it, and always NFC: the usual case
        if free and len(text) >= _SHORTEST_PERSONAL:
            _check_personal(text, pointer)
        return
    if problem := text_problem(text, multiline=free):
        raise Problem(
            slug="schema",
            detail=f"{pointer}：{problem.reason}",
            errors=(FieldProblem(pointer=pointer, reason=problem.reason, remedy=problem.remedy),),
        )
    if not unicodedata.is_normalized("NFC", text):
        raise Problem(
            slug="schema",
            detail=f"{pointer}：文字不是 NFC 规范形式",
            errors=(
                FieldProblem(pointer=pointer, reason="文字不是 NFC 规范形式", remedy="转换成 NFC 后重发"),
            ),
        )
    if free and len(text) >= _SHORTEST_PERSONAL:
        _check_personal(text, pointer)


def _check_personal(text: str, pointer: str) -> None:
    if personal_spans(text):
        raise Problem(
            slug="personal-data",
            detail=f"{pointer} 里有证件号或手机号",
            errors=(
                FieldProblem(
                    pointer=pointer, reason="文字里有证件号或手机号", remedy="个人信息放进 personal 部分"
                ),
            ),
        )


@dataclass(slots=True)
class _Weighed:
    """The fields of a type that hold an instant or a free text, themselves or further down (要看的字段)."""

    instants: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lists_of_texts: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    lists_of_parts: list[str] = field(default_factory=list)

    def add(self, name: str, kind: shapes.Type, is_listed: bool = False) -> None:
        """Sort a field by its type; what may be absent is looked at as what it is when it is there."""
        if isinstance(kind, shapes.Metadata) and (kind.extra or {}).get("free_text"):
            (self.lists_of_texts if is_listed else self.texts).append(name)
        elif isinstance(kind, shapes.Metadata):
            self.add(name, kind.type, is_listed)
        elif isinstance(kind, shapes.UnionType):
            for each in kind.types:
                self.add(name, each, is_listed)
        elif isinstance(kind, shapes.ListType):
            self.add(name, kind.item_type, True)
        elif isinstance(kind, shapes.DateTimeType):
            if is_listed:  # no message has such a field; _walk would have to be asked
                raise NotImplementedError(f"{name} is a list of instants")
            self.instants.append(name)
        elif isinstance(kind, shapes.StructType) and _weighed_fields(kind.cls) != _Weighed():
            (self.lists_of_parts if is_listed else self.parts).append(name)


@cache
def _weighed_fields(struct: type[msgspec.Struct]) -> _Weighed:
    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    found = _Weighed()
    for each in info.fields:
        found.add(each.encode_name, each.type)
    return found


_VISIBLE_ASCII = bytes(range(0x20, 0x7F))
#: Chinese characters and marks as they are usually typed: visible, and never one with what stands beside them.
_USUAL = re.compile("[\u3001-\u3029\u4e00-\u9fff\uff01-\uff5e·×±°℃—“”\u2018\u2019…≥≤]*")


def _is_plain(data: bytes) -> bool:
    """Whether every text of these bytes is visible and NFC, judged once for all of them; escapes could hide one that is not."""
    if b"\\" in data:
        return False
    unusual = data.translate(None, _VISIBLE_ASCII).decode("utf-8")
    if _USUAL.fullmatch(unusual):
        return True
    is_visible = unusual.isprintable() and text_problem("".join(set(unusual))) is None
    return is_visible and unicodedata.is_normalized("NFC", data.decode("utf-8"))


def _holds_personal(text: str | None) -> bool:
    return text is not None and len(text) >= _SHORTEST_PERSONAL and bool(personal_spans(text))


def _is_fine(value: msgspec.Struct) -> bool:
    """Whether the free texts and instants of a plain message pass; it names nothing, `_walk` does."""
    weighed = _weighed_fields(type(value))
    for name in weighed.instants:
        instant = getattr(value, name)
        if instant is not None and not 2000 <= instant.year <= 2100:
            return False
    for name in weighed.texts:
        if _holds_personal(getattr(value, name)):
            return False
    for name in weighed.lists_of_texts:
        if any(map(_holds_personal, getattr(value, name) or ())):
            return False
    for name in weighed.parts:
        part = getattr(value, name)
        if part is not None and not _is_fine(part):
            return False
    for name in weighed.lists_of_parts:
        for part in getattr(value, name) or ():
            if not _is_fine(part):
                return False
    return True


def _walk(value: object, pointer: str, free: bool) -> None:
    if isinstance(value, str):
        if len(value) < 4096:  # longer ones are base64, by whoever counts their points
            _check_text(value, pointer, free)
    elif isinstance(value, datetime):
        if not 2000 <= value.year <= 2100:
            raise Problem(
                slug="schema",
                detail=f"{pointer}：年份 {value.year} 不在 2000–2100",
                errors=(FieldProblem(pointer=pointer, reason="年份不在 2000–2100", remedy="核对设备时钟"),),
            )
    elif isinstance(value, msgspec.Struct):
        for name, (is_free, _) in _text_fields(type(value)).items():
            _walk(getattr(value, name), f"{pointer}/{name}", is_free)
    elif isinstance(value, list) and value and not isinstance(value[0], int):
        for index, each in enumerate(value):
            _walk(each, f"{pointer}/{index}", free)


#: Byte of a dzv number → 1 when another one follows, else 0.
_FOLLOWED = bytes(0x80) + b"\1" * 0x80


def _is_plainly_sound(channel: CurveChannel) -> bool:
    """Whether dzv points at a regular period are sound by counting alone; False sends them to the full decoding.

    Numbers of at most four bytes move by less than 2²⁷ each, so that 10⁶ of them stay within 53 bits. Counting
    takes a fiftieth of the time of decoding, which the projector does anyway.
    """
    if channel.dzv is None or channel.values is not None:
        return False
    if not channel.period_us or channel.times_us is not None or channel.times_dzv is not None:
        return False
    end = channel.start_us + channel.count * channel.period_us
    if not 0 < channel.period_us or not -MAX_VALUE <= channel.start_us <= end <= MAX_VALUE:
        return False
    try:
        # a third of the time of base64.b64decode, and stricter: what it refuses goes to the full decoding
        data = msgspec.convert(channel.dzv, bytes)
    except msgspec.ValidationError:
        return False
    if data.isascii():  # every number in one byte, as most curves have them
        return len(data) == channel.count <= MAX_POINTS
    followed = data.translate(_FOLLOWED)
    is_short = b"\1\1\1\1" not in followed and not followed.endswith(b"\1")
    return is_short and followed.count(0) == channel.count <= MAX_POINTS


def _check_curve(curve: Curve, pointer: str) -> None:
    for number, channel in enumerate(curve.channels):
        if _is_plainly_sound(channel):
            continue
        try:
            channel_values(channel)
            channel_times_us(channel)
        except CurveProblem as error:
            slug = "curve-too-long" if error.too_long else "schema"
            where = f"{pointer}/channels/{number}"
            raise Problem(
                slug=slug,
                detail=f"{where}：{error.reason}",
                errors=(FieldProblem(pointer=where, reason=error.reason, remedy="见手册“曲线”一节"),),
            ) from None


def outer_submission(data: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Submission:
    """The outer body alone, cheap enough for a stranger: `message` stays raw bytes and unread. Raises :class:`Problem`."""
    if len(data) > max_bytes:
        raise Problem(slug="too-large", detail=f"收到 {len(data)} 字节，最多 {max_bytes} 字节")
    try:
        return _SUBMISSION.decode(data)
    except msgspec.ValidationError as error:
        raise _schema_problem(error, "") from None
    except RecursionError:
        raise Problem(slug="too-deep", detail=f"嵌套超过 {MAX_DEPTH} 层") from None
    except msgspec.DecodeError as error:
        raise Problem(slug="malformed-json", detail=str(error)) from None
    except UnicodeDecodeError as error:
        raise Problem(slug="malformed-json", detail=f"第 {error.start} 字节不是 UTF-8") from None


class _Part(msgspec.Struct):
    message: msgspec.Raw


_PART = msgspec.json.Decoder(_Part)


def outer_batch(data: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> list[tuple[bytes, bytes]]:
    """(submission, its message part) of each in a request of several (成批报送), cut out as they arrived and read no further. Raises
    :class:`Problem` for a body that is not such a list: then nothing can be said of any of them."""
    if len(data) > max_bytes:
        raise Problem(
            slug="too-large", detail=f"收到 {len(data)} 字节，一次最多 {max_bytes} 字节，分几次发送"
        )
    try:
        items = [bytes(each) for each in _BATCH.decode(data).submissions]
    except msgspec.ValidationError as error:
        if "length" in str(error):
            raise _wrong_count() from None
        raise _schema_problem(error, "") from None
    except RecursionError:
        raise Problem(slug="too-deep", detail=f"嵌套超过 {MAX_DEPTH} 层") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(slug="malformed-json", detail=f"请求体不能解析：{error}") from None
    if not _is_list_of(data, items):
        raise Problem(slug="duplicate-key", detail="请求体只有 submissions 一个字段，只写一次")
    return [(item, _message_of(item, number)) for number, item in enumerate(items)]


def _wrong_count() -> Problem:
    reason, remedy = f"一次报送 1 到 {MAX_SUBMISSIONS} 条", "分几次发送；一条也没有就不用发"
    return Problem(
        slug="schema",
        detail=f"/submissions：{reason}",
        errors=(FieldProblem(pointer="/submissions", reason=reason, remedy=remedy),),
    )


def _is_list_of(data: bytes, items: list[bytes]) -> bool:
    """Whether a body is these items in one list and nothing else: what a second list of that name would say is read by nobody."""
    between, place = _BATCH_BEGINS, 0
    for item in items:
        found = between.match(data, place)
        if found is None or not data.startswith(item, found.end()):
            return False
        between, place = _BATCH_GOES_ON, found.end() + len(item)
    return _BATCH_ENDS.fullmatch(data, place) is not None


def _message_of(item: bytes, number: int) -> bytes:
    """The message part, over which the request's digest is taken; without it the signature says nothing of any of them."""
    try:
        return bytes(_PART.decode(item).message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pointer, reason, remedy = (
            f"/submissions/{number}",
            "没有 message，或不能解析",
            "每项与单条报送的请求体相同",
        )
        raise Problem(
            slug="schema",
            detail=f"{pointer}：{reason}",
            errors=(FieldProblem(pointer=pointer, reason=reason, remedy=remedy),),
        ) from None


def decode_submission(data: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Submission:
    """The outer body after the whole of it was scanned for size, depth and repeated keys. Raises :class:`Problem`."""
    check_json(data, max_bytes=max_bytes)
    return outer_submission(data, max_bytes=max_bytes)


def parse_message(data: bytes) -> Message:
    """The typed message of bytes that are already in the journal; raises msgspec.MsgspecError."""
    message: Message = _MESSAGE.decode(data)
    return message


def read_message(body: bytes, message: bytes) -> Message:
    """What :func:`check_json` of a submission's body and :func:`decode_message` of its message part say, body and message each read once
    where there is nothing to say: the types of :mod:`plumbline.exchange.messages` are closed, no deeper than MAX_DEPTH, and bound
    every number. The body is one that :func:`outer_submission` read. Raises :class:`Problem`."""
    try:
        found = parse_message(message)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        check_json(body)
        return decode_message(message)
    if len(body) > MAX_BODY_BYTES or not _gives_itself_back(body):
        check_json(body)
    return _checked(found, message)


def decode_message(data: bytes) -> Message:
    """The typed message of newly received bytes, with every check of the door that needs no database. Raises
    :class:`Problem`."""
    try:
        message = parse_message(data)
    except msgspec.ValidationError as error:
        raise _schema_problem(error, "/message") from None
    except msgspec.DecodeError as error:
        raise Problem(slug="malformed-json", detail=str(error)) from None
    return _checked(message, data)


def _checked(message: Message, data: bytes) -> Message:
    """What types alone do not say of a message and its bytes."""
    if message.supersedes and not message.reason:
        raise Problem(
            slug="schema",
            detail="/message/reason：替代以前的内容要写明原因",
            errors=(
                FieldProblem(
                    pointer="/message/reason", reason="替代以前的内容要写明原因", remedy="补上 reason"
                ),
            ),
        )
    if not (_is_plain(data) and _is_fine(message)):
        _walk(message, "/message", False)
    if isinstance(message, RunRecorded):
        for index, specimen in enumerate(message.specimens):
            if specimen.curve:
                _check_curve(specimen.curve, f"/message/specimens/{index}/curve")
    return message
