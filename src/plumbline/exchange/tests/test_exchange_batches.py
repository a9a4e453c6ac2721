"""Several messages in one request (成批报送): what the body may look like, and what the signature covers."""

from __future__ import annotations

import json

import msgspec
import pytest

from plumbline.exchange.decode import outer_batch
from plumbline.exchange.encode import encode_batch, encode_submission
from plumbline.exchange.places import places_of, request_bytes, root_of, signed_part
from plumbline.exchange.problems import Problem
from plumbline.exchange.submission import MAX_SUBMISSIONS, Envelope, decode_envelope, encode_envelope

MESSAGES = [json.dumps({"kind": "any", "n": n}).encode() for n in range(7)]
BODIES = [encode_submission(each) for each in MESSAGES]


def refused(body: bytes, **limits: int) -> Problem:
    with pytest.raises(Problem) as caught:
        outer_batch(body, **limits)
    return caught.value


def test_the_submissions_are_cut_out_as_they_were_sent() -> None:
    assert outer_batch(encode_batch(BODIES)) == list(zip(BODIES, MESSAGES, strict=True))
    spaced = b' { "submissions" : [ ' + b" , ".join(BODIES) + b" ] }\n"
    assert outer_batch(spaced) == list(zip(BODIES, MESSAGES, strict=True))


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b'{"submissions":[]}', "schema"),
        (encode_batch([BODIES[0]] * (MAX_SUBMISSIONS + 1)), "schema"),
        (b'{"submissions":[{"origin":[]}]}', "schema"),
        (b'{"submissions":["message"]}', "schema"),
        (b'{"submissions":{}}', "schema"),
        (b'{"submissions":[%b],"more":1}' % BODIES[0], "schema"),
        (b"{}", "schema"),
        (b'{"submissions":[%b],"submissions":[%b]}' % (BODIES[0], BODIES[1]), "duplicate-key"),
        (b'{"submissions":[%b' % BODIES[0], "malformed-json"),
        (b"\xff", "malformed-json"),
    ],
)
def test_a_body_that_is_no_such_list_is_refused_whole(body: bytes, slug: str) -> None:
    problem = refused(body)
    assert problem.slug == slug and problem.detail


def test_one_message_less_than_too_many_is_taken_and_a_body_over_the_limit_is_not() -> None:
    assert len(outer_batch(encode_batch([BODIES[0]] * MAX_SUBMISSIONS))) == MAX_SUBMISSIONS
    body = encode_batch(BODIES)
    assert outer_batch(body, max_bytes=len(body))
    assert refused(body, max_bytes=len(body) - 1).slug == "too-large"


def test_a_broken_submission_names_its_place() -> None:
    (error,) = refused(b'{"submissions":[%b,{"origin":1}]}' % BODIES[0]).errors
    assert error.pointer == "/submissions/1" and error.reason and error.remedy


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_every_message_leads_to_the_root_that_is_signed(count: int) -> None:
    root, places = places_of(MESSAGES[:count])
    signed = request_bytes(root, count)
    for message, place in zip(MESSAGES, places, strict=False):
        assert signed_part(message, place) == signed
    assert signed_part(MESSAGES[0], None) == MESSAGES[0]


def test_another_message_place_or_size_does_not() -> None:
    root, places = places_of(MESSAGES)
    signed = request_bytes(root, len(MESSAGES))
    assert root_of(MESSAGES[1], places[0]) != root
    for changes in ({"index": 1}, {"size": 8}, {"path": places[0].path[:-1]}, {"index": 9}):
        assert signed_part(MESSAGES[0], msgspec.structs.replace(places[0], **changes)) != signed


def test_an_envelope_says_where_its_message_stood_and_one_that_came_alone_says_nothing() -> None:
    fields = {"v": 1, "channel": "http", "key_id": "lab.transport", "signature_base": "", "signature": ""}
    alone = Envelope(**fields, origin=[], personal=[])
    assert b"batch" not in encode_envelope(alone) and decode_envelope(encode_envelope(alone)).place is None
    place = places_of(MESSAGES)[1][3]
    placed = Envelope(**fields, origin=[], personal=[], batch=place)
    assert decode_envelope(encode_envelope(placed)).place == place
