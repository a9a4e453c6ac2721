"""Peer: Django-ninja with Django's own mapper and a log of its own (对照：Django-ninja + ORM，承诺相同).

One request is one transaction: the entry, its claims, then under the lock of the head row its leaf, the nodes that it completes and the new
head; after the commit the checkpoint and the receipt. How it was tuned stands in decision 0037.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from plumbline.bench.peers.checks import Peer, Row
from plumbline.bench.peers.django_setup import configure
from plumbline.bench.peers.promise import EPOCH, Draft, Notary, Place, Stored
from plumbline.bench.requests import PATH
from plumbline.evidence.paths import LeafAndNodeSource
from plumbline.exchange.problems import Problem
from plumbline.supervision.memory import settle

#: Threads that answer requests, each with a connection of its own: of 2, 4, 8 and 16 the fastest, since all wait for one row.
THREADS = 2

#: Bound on the server and prepared: the database's share falls by a quarter to a third.
OPTIONS = {"server_side_binding": True, "prepare_threshold": 5, "options": "-c synchronous_commit=on"}


def _models() -> SimpleNamespace:
    from django.db import models

    class Entry(models.Model):
        pk = models.CompositePrimaryKey("uid", "sender_id")
        uid = models.UUIDField()
        sender_id = models.BinaryField()
        key_id = models.TextField()
        envelope = models.BinaryField()
        message = models.BinaryField()
        arrived_at = models.DateTimeField()

        class Meta:
            app_label, db_table, managed = "bench", "bench_peer_entry", False

    class Claim(models.Model):
        pk = models.CompositePrimaryKey("kind", "value")
        kind = models.TextField()
        value = models.TextField()
        entry = models.BinaryField()

        class Meta:
            app_label, db_table, managed = "bench", "bench_peer_claim", False

    class Leaf(models.Model):
        pk = models.CompositePrimaryKey("epoch", "idx")
        epoch = models.IntegerField()
        idx = models.BigIntegerField()
        uid = models.UUIDField()
        sender_id = models.BinaryField()
        logged_at = models.DateTimeField()
        leaf_hash = models.BinaryField()

        class Meta:
            app_label, db_table, managed = "bench", "bench_peer_leaf", False

    class Node(models.Model):
        pk = models.CompositePrimaryKey("epoch", "level", "start")
        epoch = models.IntegerField()
        level = models.IntegerField()
        start = models.BigIntegerField()
        hash = models.BinaryField()

        class Meta:
            app_label, db_table, managed = "bench", "bench_peer_node", False

    class Head(models.Model):
        single = models.BooleanField(primary_key=True)
        size = models.BigIntegerField()
        root = models.BinaryField()
        frontier = models.BinaryField()
        last_time = models.DateTimeField()

        class Meta:
            app_label, db_table, managed = "bench", "bench_peer_head", False

    return SimpleNamespace(Entry=Entry, Claim=Claim, Leaf=Leaf, Node=Node, Head=Head)


class _Store:
    """The five tables through Django's mapper."""

    def __init__(self) -> None:
        self._to = _models()
        # the table holds one row, so that nothing has to find it
        self._locked = self._to.Head.objects.select_for_update().values_list("frontier", "last_time")

    def append(self, draft: Draft) -> Place:
        """One transaction; django.db.IntegrityError when the entry, or a claim of it, is there already."""
        from django.db import transaction

        to, row = self._to, draft.row
        with transaction.atomic():
            to.Entry.objects.create(
                uid=draft.uid,
                sender_id=row.sender_id,
                key_id=row.key_id,
                envelope=row.envelope,
                message=row.message,
                arrived_at=row.arrived_at,
            )
            for kind, value in row.claims:
                to.Claim.objects.create(kind=kind, value=value, entry=draft.entry)
            ((frontier, last_time),) = self._locked.all()
            place = draft.place(frontier, last_time, datetime.now(UTC))
            to.Leaf.objects.create(
                epoch=EPOCH,
                idx=place.index,
                uid=draft.uid,
                sender_id=row.sender_id,
                logged_at=place.logged_at,
                leaf_hash=place.leaf_hash,
            )
            for node in place.nodes:
                to.Node.objects.create(epoch=EPOCH, level=node.level, start=node.start, hash=node.hash)
            to.Head.objects.update(
                size=place.after.size,
                root=place.root,
                frontier=place.after.encode(),
                last_time=place.logged_at,
            )
        return place

    def stored(self, draft: Draft) -> Stored:
        """The entry of this uid; Problem when there is none, for then a claim was lost."""
        to, identity = self._to, {"uid": draft.uid, "sender_id": draft.row.sender_id}
        entry = to.Entry.objects.filter(**identity).first()
        if entry is None:
            raise Problem(slug="claim-lost", detail="号码已被另一条占用")
        leaf, head = to.Leaf.objects.get(**identity), to.Head.objects.get()
        parts = (entry.key_id, bytes(entry.envelope), bytes(entry.message), entry.arrived_at)
        row = Row(draft.row.uid, draft.row.sender_id, *parts, [])
        return Stored(Draft.of(row), leaf.idx, leaf.logged_at, head.size, bytes(head.root))

    def source(self, size: int) -> LeafAndNodeSource:
        """Subtrees of the first `size` leaves."""
        nodes, leaves = self._to.Node.objects, self._to.Leaf.objects

        def node(level: int, start: int) -> bytes | None:
            found = nodes.filter(epoch=EPOCH, level=level, start=start).first()
            return None if found is None else bytes(found.hash)

        def hashes(start: int, end: int) -> list[bytes]:
            rows = leaves.filter(epoch=EPOCH, idx__gte=start, idx__lt=end).order_by("idx")
            return [bytes(each) for each in rows.values_list("leaf_hash", flat=True)]

        return LeafAndNodeSource(size, node, hashes)


def _application() -> Any:
    peer = Peer.from_env()
    configure(peer, __name__, OPTIONS)
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import IntegrityError
    from django.http import JsonResponse
    from django.urls import path
    from ninja import NinjaAPI

    store, notary = _Store(), Notary(peer.origin, peer.log_key)
    api = NinjaAPI()

    @api.post(PATH)
    def accept(request: Any) -> Any:
        headers = {name.lower(): value for name, value in request.headers.items()}
        draft = Draft.of(peer.check(headers, request.body))
        try:
            place = store.append(draft)
        except IntegrityError:
            stored = store.stored(draft)
            return JsonResponse(notary.again(draft, stored, store.source(stored.size)))
        return JsonResponse(notary.answer(draft, place), status=201)

    @api.exception_handler(Problem)
    def refused(request: Any, problem: Any) -> Any:
        return JsonResponse(problem.body("-"), status=problem.kind.status)

    globals()["urlpatterns"] = [path("", api.urls)]
    settle()
    return WSGIHandler()


def __getattr__(name: str) -> Any:
    """`application`, made when the server asks for it."""
    if name != "application":
        raise AttributeError(name)
    made = globals()["application"] = _application()
    return made
