"""Own wire types (线上数据类型): numbers, texts, instants and identifiers that refuse what default typing lets through.

A measured value is a JSON *string* (PROTOCOL: "Wire types"); an instant is RFC 3339 with an offset; a text is NFC without control,
format or bidirectional characters. The patterns live in the types so that the JSON Schema shows them; what a pattern cannot say is
checked by :mod:`plumbline.exchange.decode`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

MEASURED_PATTERN = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$(?!\n)"

#: A number as the instrument or the person wrote it, trailing zeros kept (测量值). JSON numbers are refused here.
Measured = Annotated[
    str,
    Meta(
        pattern=MEASURED_PATTERN,
        max_length=26,
        description='测量值：写成字符串，如 "884.2"，保留末位的零',
        extra={"measured": True},
    ),
]

#: An aware instant, RFC 3339 with offset or Z; year 2000 to 2100.
Instant = Annotated[
    datetime, Meta(tz=True, description='时刻：RFC 3339，必须带时区，如 "2026-11-19T14:02:00+08:00"')
]

#: A UUIDv7 made by the sender: idempotency key and partition key.
Uid = Annotated[UUID, Meta(description="UUIDv7，由发送方生成，写在被签名的内容里")]

#: First 16 bytes of SHA-256(sender ‖ uid) in lower-case hex: names an entry, and the object that the entry created.
EntryRef = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="入账编号（32 位十六进制）")]

#: A party: 16 bytes in lower-case hex, the same in every tier.
PartyRef = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="单位编号（32 位十六进制）")]

#: A person known to the platform; the name travels as a personal record, never here.
PersonRef = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="人员编号（32 位十六进制），不是姓名也不是证件号")
]

#: SHA-256 in lower-case hex.
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", description="SHA-256（64 位十六进制）")]

#: Short names and labels: project, part, grade …
Label = Annotated[str, Meta(min_length=1, max_length=200, extra={"free_text": True})]

#: Prose written by a person; scanned for identity and telephone numbers at the door.
Prose = Annotated[str, Meta(min_length=1, max_length=2000, extra={"free_text": True})]

#: A code issued by somebody: tag, contract number, instrument number, edition …
Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._/:#()（）+-]*( [0-9A-Za-z._/-]+)*$(?!\n)",
    ),
]

#: Division code (行政区划) of GB/T 2260, six digits.
Division = Annotated[str, Meta(pattern=r"^[1-9][0-9]{5}$(?!\n)")]

#: Unified social credit code (统一社会信用代码), GB 32100; the check character is verified in domain.
UsccText = Annotated[str, Meta(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$(?!\n)")]

#: An Ed25519/P-256 key id or the id of a symmetric key.
KeyId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.:-]{3,79}$(?!\n)")]

#: Base64 (RFC 4648 §4, padded).
Base64Text = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]*={0,2}$(?!\n)")]

#: Points of a curve: base64 as above, at most a whole request. The pattern stands in the schema alone: who counts or decodes the points
#: looks at every character anyway.
CurveText = Annotated[
    str, Meta(max_length=16 * 1024 * 1024, extra_json_schema={"pattern": r"^[A-Za-z0-9+/]*={0,2}$"})
]

#: The key of somebody who follows a log, as C2SP signed-note writes it: name+hash+base64 of type and key.
VerifierKey = Annotated[
    str,
    Meta(
        pattern=r"^[^\s+]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$(?!\n)",
        max_length=400,
        description="验证者公钥（C2SP signed-note）：名称+短摘要+base64",
    ),
]

#: A day, ISO 8601.
Day = Annotated[str, Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$(?!\n)")]

#: Upper-case base32 without padding: claims in a QR code's fragment.
Base32Text = Annotated[str, Meta(pattern=r"^[A-Z2-7]+$(?!\n)", max_length=400)]

#: A count or ordinal that fits into 31 bits, so that every database and language can hold it.
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]

#: A larger whole number (bytes, microseconds, device counters): 53 bits, exact in every language.
BigCount = Annotated[int, Meta(ge=0, le=2**53 - 1)]

#: A whole number of either sign within the same 53 bits: points of a curve, microseconds from its start.
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]

#: A number of a series as printed: Latin letters, digits and dashes, so that it fits into the QR code's claims (40 bytes).
SerialNumber = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z._/()-]{0,39}$(?!\n)")]
