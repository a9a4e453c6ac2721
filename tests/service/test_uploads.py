"""Resumable files (续传): offsets, hashes, foreign uploads, cuts, repeats; nothing is stored that was not announced."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading

import psycopg
import pytest

pytestmark = pytest.mark.service


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_SOME = _b64("0" * 64)
BYTES = "application/octet-stream"


def _announce(
    world, data: bytes, party: str = "institution", sha: str | None = None, kind: str = BYTES, **headers
):
    digest = sha or hashlib.sha256(data).hexdigest()
    meta = ",".join(
        f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("sha256", digest), ("media_type", kind))
    )
    fields = {"Upload-Length": str(len(data)), "Upload-Metadata": meta, "Tus-Resumable": "1.0.0"} | headers
    return world.request(
        "POST", "/x/v1/files", world.parties[party], headers=fields, nonce=secrets.token_hex(8)
    )


def _patch(world, path: str, chunk: bytes, offset: object, party: str = "institution", **options):
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    options.setdefault("nonce", secrets.token_hex(8))
    return world.request("PATCH", path, world.parties[party], chunk, headers=headers, **options)


def _offset(world, path: str, party: str = "institution"):
    return world.request("HEAD", path, world.parties[party])


@pytest.mark.clause("CECS 6.0.4", "CECS 6.0.2")
def test_a_cut_upload_goes_on_where_it_stopped_and_is_entered_once(world) -> None:
    data = secrets.token_bytes(50_000)
    path = _announce(world, data).headers["location"]
    assert _patch(world, path, data[:20_000], 0).status_code == 204
    assert _offset(world, path).headers["upload-offset"] == "20000"
    assert _announce(world, data).headers["location"] == path
    assert _offset(world, path).headers["upload-offset"] == "20000"
    assert _patch(world, path, data[20_000:], 20_000).headers["upload-offset"] == "50000"
    assert _announce(world, data).status_code == 200
    world.settle()
    digest = hashlib.sha256(data).hexdigest()
    entries = world.rows("SELECT id FROM fact.event WHERE kind = 'blob.stored' AND subject = %s", [digest])
    assert len(entries) == 1
    assert (world.platform.folder("files") / digest[:2] / digest).read_bytes() == data


def _at_once(world, data: bytes, brought: bytes, sha: str | None = None, kind: str = BYTES):
    meta = ",".join(
        f"{k} {base64.b64encode(v.encode()).decode()}"
        for k, v in (("sha256", sha or hashlib.sha256(data).hexdigest()), ("media_type", kind))
    )
    headers = {"Upload-Length": str(len(data)), "Upload-Metadata": meta, "Tus-Resumable": "1.0.0"}
    headers["Content-Type"] = "application/offset+octet-stream"
    party, nonce = world.parties["institution"], secrets.token_hex(8)
    return world.request("POST", "/x/v1/files", party, brought, headers=headers, nonce=nonce)


def test_a_file_that_comes_with_its_announcement_is_durable_and_entered_once(world) -> None:
    data = secrets.token_bytes(5000)
    digest = hashlib.sha256(data).hexdigest()
    answer = _at_once(world, data, data)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "5000")
    assert (world.platform.folder("files") / digest[:2] / digest).read_bytes() == data
    assert _at_once(world, data, data).status_code == 200
    world.settle()
    entries = world.rows("SELECT id FROM fact.event WHERE kind = 'blob.stored' AND subject = %s", [digest])
    assert len(entries) == 1


def test_a_file_that_comes_in_part_is_continued_and_a_part_is_never_written_twice(world) -> None:
    data = secrets.token_bytes(5000)
    first = _at_once(world, data, data[:2000])
    assert (first.status_code, first.headers["upload-offset"]) == (201, "2000")
    again = _at_once(world, data, data)
    assert (again.status_code, again.headers["upload-offset"]) == (201, "2000")
    done = _patch(world, again.headers["location"], data[2000:], 2000)
    assert done.headers["upload-offset"] == "5000"


@pytest.mark.parametrize("brings", [True, False])
def test_a_file_whose_bytes_are_all_there_is_stored_before_it_is_said_to_be_whole(world, brings) -> None:
    """A gateway that died between the last byte and the file's place leaves them so."""
    data = secrets.token_bytes(5000)
    digest = hashlib.sha256(data).hexdigest()
    upload = _announce(world, data).headers["location"].rpartition("/")[2]
    (world.platform.folder("files") / "incoming" / upload).write_bytes(data)
    answer = _at_once(world, data, data) if brings else _announce(world, data)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "5000")
    assert (world.platform.folder("files") / digest[:2] / digest).read_bytes() == data
    world.settle()
    entries = world.rows("SELECT id FROM fact.event WHERE kind = 'blob.stored' AND subject = %s", [digest])
    assert len(entries) == 1


def test_bytes_that_come_with_an_announcement_of_another_file_are_refused(world) -> None:
    data = secrets.token_bytes(1000)
    world.refused(_at_once(world, data, data, sha="b" * 64), 422, "file-digest-mismatch")
    world.refused(_at_once(world, data, data + b"x"), 413, "too-large")
    world.refused(_at_once(world, data, bytes(1024 * 1024 + 1)), 413, "too-large")
    assert not (world.platform.folder("files") / "bb" / ("b" * 64)).exists()


def test_a_wrong_offset_is_told_the_right_one(world) -> None:
    data = secrets.token_bytes(1000)
    path = _announce(world, data).headers["location"]
    assert world.refused(_patch(world, path, data, 5), 409, "offset-mismatch")["offset"] == "0"
    for hostile in ("-1", "1e3", "", "9" * 30):
        world.refused(_patch(world, path, data, hostile), 409, "offset-mismatch")


def test_bytes_of_another_hash_are_thrown_away(world) -> None:
    data = secrets.token_bytes(1000)
    path = _announce(world, data, sha="a" * 64).headers["location"]
    world.refused(_patch(world, path, data, 0), 422, "file-digest-mismatch")
    assert _offset(world, path).status_code == 404
    assert not (world.platform.folder("files") / "aa" / ("a" * 64)).exists()


def test_more_bytes_than_announced_are_refused_and_nothing_is_kept(world) -> None:
    data = secrets.token_bytes(1000)
    path = _announce(world, data).headers["location"]
    world.refused(_patch(world, path, data + b"x", 0), 413, "too-large")
    assert _offset(world, path).headers["upload-offset"] == "0"


def test_a_strangers_upload_is_out_of_reach(world) -> None:
    data = secrets.token_bytes(1000)
    path = _announce(world, data).headers["location"]
    assert _offset(world, path, "stranger").status_code == 404
    world.refused(_patch(world, path, data, 0, "stranger"), 404, "not-found")
    other = _announce(world, data, "stranger").headers["location"]
    assert other != path


@pytest.mark.parametrize(
    "path", ["/x/v1/files/" + "0" * 32, "/x/v1/files/..%2f..%2fsecrets.json", "/x/v1/files/abc"]
)
def test_an_upload_that_was_never_announced_is_not_found(world, path) -> None:
    world.refused(_patch(world, path, b"x", 0), 404, "not-found")


@pytest.mark.parametrize(
    ("headers", "status", "slug"),
    [
        ({"Upload-Length": "0"}, 422, "schema"),
        ({"Upload-Length": "-5"}, 422, "schema"),
        ({"Upload-Length": "x"}, 422, "schema"),
        ({"Upload-Length": str(513 * 1024 * 1024)}, 413, "too-large"),
        ({"Upload-Metadata": "sha256 ***"}, 422, "schema"),
        ({"Upload-Metadata": ""}, 422, "schema"),
        ({"Upload-Metadata": "sha256 " + base64.b64encode(b"../" * 20).decode()}, 422, "schema"),
        ({"Upload-Metadata": f"sha256 {_SOME},media_type {_b64('image/svg+xml')}"}, 422, "schema"),
        ({"Upload-Metadata": f"sha256 {_SOME},media_type {_b64('text/html')}"}, 422, "schema"),
    ],
)
def test_a_hostile_announcement_is_refused(world, headers, status, slug) -> None:
    world.refused(_announce(world, b"data", **headers), status, slug)


def test_a_chunk_cut_on_the_way_leaves_nothing_behind(world) -> None:
    data = secrets.token_bytes(100_000)
    path = _announce(world, data).headers["location"]

    def torn():
        yield data[:40_000]
        raise OSError("the line is cut")

    with pytest.raises(OSError, match="cut"):
        _patch(world, path, data, 0, sent=torn())
    assert _offset(world, path).headers["upload-offset"] == "0"
    assert _patch(world, path, data, 0).status_code == 204


def test_a_chunk_sent_twice_with_one_signature_is_refused(world) -> None:
    data = secrets.token_bytes(2000)
    path = _announce(world, data).headers["location"]
    nonce = secrets.token_hex(8)
    assert _patch(world, path, data[:1000], 0, nonce=nonce).status_code == 204
    body = world.refused(_patch(world, path, data[:1000], 0, nonce=nonce), 401, "signature-invalid")
    assert "nonce" in body["detail"]


def test_two_senders_of_one_chunk_write_it_once(world) -> None:
    import httpx

    data = secrets.token_bytes(200_000)
    path = _announce(world, data).headers["location"]
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(_patch(world, path, data[:100_000], 0)))
        for _ in range(4)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(a.status_code for a in answers) == [204, 409, 409, 409]
    assert _patch(world, path, data[100_000:], 100_000).status_code == 204


def test_a_file_whose_entry_was_lost_in_a_crash_is_entered_at_the_next_announcement(world) -> None:
    from plumbline.supervision.journal.files import FileStore

    data = secrets.token_bytes(3000)
    FileStore(world.platform.folder("files")).store(data)
    assert _announce(world, data).status_code == 200
    assert _announce(world, data).status_code == 200
    world.settle()
    digest = hashlib.sha256(data).hexdigest()
    assert (
        len(world.rows("SELECT id FROM fact.event WHERE kind = 'blob.stored' AND subject = %s", [digest]))
        == 1
    )


def test_a_file_is_entered_as_of_whoever_brought_it_not_of_who_had_only_announced_it(world) -> None:
    data = secrets.token_bytes(3000)
    digest = hashlib.sha256(data).hexdigest()
    assert _announce(world, data + b"longer", "stranger", sha=digest).status_code == 201
    assert _at_once(world, data, data).status_code == 201
    assert _announce(world, data, "stranger").status_code == 200
    entered = world.rows(
        "SELECT convert_from(message, 'UTF8')::jsonb AS message FROM journal.entry "
        "WHERE convert_from(message, 'UTF8')::jsonb->>'sha256' = %s",
        [digest],
    )
    assert len(entered) == 1
    assert entered[0]["message"]["uploaded_by"] == world.parties["institution"].party
    assert entered[0]["message"]["bytes"] == 3000


def test_a_file_that_is_not_of_its_stated_type_is_refused_and_nothing_is_kept(world) -> None:
    """Whether it comes at once, in parts, or lies here already under another type."""
    data = b"MZ" + secrets.token_bytes(1000)
    digest = hashlib.sha256(data).hexdigest()
    told = world.refused(_at_once(world, data, data, kind="application/pdf"), 422, "file-type-mismatch")
    assert told["errors"][0]["pointer"] == "/header/Upload-Metadata"
    path = _announce(world, data, kind="image/png").headers["location"]
    world.refused(_patch(world, path, data, 0), 422, "file-type-mismatch")
    assert not (world.platform.folder("files") / digest[:2] / digest).exists()
    assert _at_once(world, data, data).status_code == 201
    world.refused(_announce(world, data, kind="image/jpeg"), 422, "file-type-mismatch")
    assert _announce(world, data).status_code == 200


@pytest.mark.parametrize("left", [b"other bytes", None])
def test_a_file_that_rotted_or_is_gone_is_healed_by_whoever_sends_it_again(world, left) -> None:
    """Whatever has become of the stored copy, "stored already" is never said of bytes that are not these."""
    data = secrets.token_bytes(3000)
    digest = hashlib.sha256(data).hexdigest()
    assert _at_once(world, data, data).status_code == 201
    stored = world.platform.folder("files") / digest[:2] / digest
    stored.unlink() if left is None else stored.write_bytes(left)
    answer = _announce(world, data)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")
    world.refused(_patch(world, answer.headers["location"], bytes(3000), 0), 422, "file-digest-mismatch")
    assert _at_once(world, data, data).status_code == 201
    assert stored.read_bytes() == data
    assert _announce(world, data).status_code == 200
    world.settle()
    entries = world.rows("SELECT id FROM fact.event WHERE kind = 'blob.stored' AND subject = %s", [digest])
    assert len(entries) == 1


def test_a_large_file_that_the_patrol_found_damaged_is_healed_too(world) -> None:
    """One that nobody found is believed: holding it against its hash at each announcement would cost more than its bytes."""
    data = secrets.token_bytes(17 * 1024 * 1024)
    digest = hashlib.sha256(data).hexdigest()
    path = _announce(world, data).headers["location"]
    half = len(data) // 2
    assert _patch(world, path, data[:half], 0).status_code == 204
    assert _patch(world, path, data[half:], half).status_code == 204
    stored = world.platform.folder("files") / digest[:2] / digest
    stored.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert _announce(world, data).status_code == 200
    with psycopg.connect(world.platform.conninfo("plumb_worker"), autocommit=True) as conn:
        conn.execute(
            "UPDATE ops.file SET damage = '字节与登记的摘要不符', checked_at = now() WHERE sha256 = %s",
            [bytes.fromhex(digest)],
        )
    path = _announce(world, data).headers["location"]
    assert _patch(world, path, data[:half], 0).status_code == 204
    assert _patch(world, path, data[half:], half).status_code == 204
    assert stored.read_bytes() == data
