"""One valid example of every message kind (示例消息), told as one story: a group of cubes from registration
to filing."""

from __future__ import annotations

import base64
from functools import cache

from plumbline.exchange.curves import encode_dzv
from plumbline.exchange.encode import encode_message
from plumbline.exchange.handbook.example_registry import platform_steps, project_steps, registry_steps
from plumbline.exchange.handbook.example_story import Story
from plumbline.exchange.handbook.example_work import report_steps, work_steps
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message

#: The worked example of the handbook's section on curves: force in steps of 0.01 kN, every 100 ms.
CURVE_POINTS = (0, 12, 40, 95, 180, 300, 455, 640, 638, 12)
CURVE_BYTES = encode_dzv(CURVE_POINTS)
CURVE_TEXT = base64.b64encode(CURVE_BYTES).decode()


@cache
def examples() -> dict[str, Message]:
    """Kind → a message that the decoder accepts, for every kind of `KINDS`, in the table's order."""
    story = Story()
    registry_steps(story)
    project_steps(story)
    work_steps(story, CURVE_TEXT, len(CURVE_POINTS))
    report_steps(story)
    platform_steps(story)
    return {kind: story.messages[kind] for kind in KINDS}


def example_bytes(kind: str) -> bytes:
    """The wire bytes of the example of `kind`; KeyError for an unknown kind."""
    return encode_message(examples()[kind])
