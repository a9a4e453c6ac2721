"""The load generator (发压器): every answer is kept whole, however it comes; one that never comes is missing and no more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from plumbline.bench.load import Caller, Load

REQUEST = b"GET /v/%d HTTP/1.1\r\nHost: bench\r\n\r\n"
Answering = Callable[[socket.socket, bytes], None]


def answer(body: bytes, name: bytes = b"content-length", status: int = 200) -> bytes:
    """As a server writes it."""
    return b"HTTP/1.1 %d OK\r\ndate: now\r\n%s: %d\r\nvary: accept\r\n\r\n%s" % (
        status,
        name,
        len(body),
        body,
    )


@contextmanager
def serving(answering: Answering) -> Iterator[int]:
    """The port of a server that answers each request by `answering`, on a thread for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk(conn: socket.socket) -> None:
            with conn:
                asked = b""
                while received := conn.recv(65536):
                    asked += received
                    while b"\r\n\r\n" in asked:
                        request, _, asked = asked.partition(b"\r\n\r\n")
                        answering(conn, request.split()[1])

        def accept() -> None:
            while True:
                try:
                    conn, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=[conn], daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def load_of(port: int, count: int, connections: int, due: float = 0.0) -> Load:
    """A load that has run."""
    work = iter([(due, REQUEST % number) for number in range(count)])
    load = Load(work, [Caller(port) for _ in range(connections)])
    load.run()
    return load


def in_pieces(conn: socket.socket, path: bytes) -> None:
    """A byte at a time around the places where parts of an answer meet."""
    whole = answer(path, b"Content-Length")
    conn.sendall(whole[:12])
    for place in range(12, len(whole)):
        time.sleep(0.0001)
        conn.sendall(whole[place : place + 1])


@pytest.mark.parametrize("answering", [in_pieces, lambda conn, path: conn.sendall(answer(path))])
def test_each_answer_is_kept_with_its_status_and_its_whole_body(answering: Answering) -> None:
    with serving(answering) as port:
        load = load_of(port, 24, 3)
    assert sorted(load.kept) == sorted((b"200", b"/v/%d" % number) for number in range(24))
    assert load.late == []


def test_an_answer_without_a_length_has_no_body() -> None:
    with serving(lambda conn, _: conn.sendall(b"HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n")) as port:
        assert load_of(port, 2, 1).kept == [(b"204", b"")] * 2


def test_a_refusal_is_kept_as_what_it_is() -> None:
    with serving(lambda conn, path: conn.sendall(answer(path, status=429))) as port:
        assert load_of(port, 2, 2).kept[0][0] == b"429"


def test_what_a_connection_owed_that_is_closed_is_missing() -> None:
    def closing(conn: socket.socket, path: bytes) -> None:
        if path == b"/v/1":
            conn.shutdown(socket.SHUT_RDWR)
        else:
            conn.sendall(answer(path))

    with serving(closing) as port:
        kept = load_of(port, 10, 2).kept
    assert sorted(body for _, body in kept) == [b"/v/%d" % number for number in range(10) if number != 1]


def test_a_request_larger_than_what_a_socket_takes_at_once_is_sent_whole() -> None:
    lengths: list[int] = []

    def slow(conn: socket.socket, path: bytes) -> None:
        lengths.append(len(path))
        conn.sendall(answer(b"ok"))

    with serving(slow) as port:
        path = b"/" + b"x" * 4_000_000
        load = Load(iter([(0.0, b"GET %s HTTP/1.1\r\n\r\n" % path)] * 2), [Caller(port)])
        load.run()
    assert lengths == [len(path)] * 2
    assert len(load.kept) == 2


def test_a_request_waits_until_it_is_due_and_its_lateness_counts_from_then() -> None:
    begin = time.monotonic()
    with serving(lambda conn, path: conn.sendall(answer(path))) as port:
        load = load_of(port, 3, 2, due=begin + 0.2)
    assert time.monotonic() - begin >= 0.2
    assert len(load.late) == 3
    assert all(0 <= each < 5 for each in load.late)
