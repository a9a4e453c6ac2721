"""What every message carries (消息公共头) and the small structures that several kinds share."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from plumbline.exchange.wire import Code, Digest, EntryRef, Instant, Label, Measured, PartyRef, Prose, Uid


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One fact or decision, signed by its sender and kept for ever as the bytes that arrived.

    `occurred_at` is the sender's own clock; the platform's arrival time is kept apart. `supersedes` makes this a new version of an
    earlier message of the same sender and kind; the earlier one stays. There is no field for personal data: names and numbers of
    people travel in the personal part and are named here by digest.
    """

    v: Literal[1]
    uid: Uid
    sender: PartyRef
    occurred_at: Instant
    supersedes: EntryRef | None = None
    reason: Prose | None = None


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of nested structures: unknown fields are refused, so that a typing error is seen and not lost."""


class Position(Part, frozen=True, kw_only=True):
    """Where a phone said that it was (定位), WGS 84."""

    longitude: Measured
    latitude: Measured
    accuracy_m: Measured | None = None
    mocked: bool = False


class Picture(Part, frozen=True, kw_only=True):
    """A key picture (关键影像): the file itself arrives by the file interface and is found by its hash."""

    picture: Literal[
        "placard", "sealed_sample", "sampler", "witness", "receipt", "press_start", "break", "scene"
    ]
    sha256: Digest
    captured_at: Instant
    media_type: Literal["image/png", "image/jpeg", "image/webp"] = "image/jpeg"


class Environment(Part, frozen=True, kw_only=True):
    """Temperature and humidity at the place of work (环境条件)."""

    temperature_C: Measured | None = None
    humidity_pct: Measured | None = None


class Dimension(Part, frozen=True, kw_only=True):
    """A measured length or mass of a specimen, as written."""

    name: Code
    value: Measured
    unit: Code


class Named(Part, frozen=True, kw_only=True):
    """A value with its name and unit, as it is printed."""

    name: Label
    value: Label
    unit: Label | None = None
