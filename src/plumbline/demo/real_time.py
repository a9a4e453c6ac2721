"""The city in real time (城市的日常): the press of the first institution; whoever is cut off goes on working and queues;
all of them send again what the platform asks for."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from plumbline.demo.answering import Answering, parties_of
from plumbline.demo.clients import PartyClient, open_clients
from plumbline.demo.keys import party_keys
from plumbline.demo.live_press import LivePress
from plumbline.demo.living.town import City
from plumbline.demo.tools import Stage, cuts, work_cut_off
from plumbline.supervision.config import Platform

#: An institution whose line is cut makes a test as often as this.
CUT_OFF_EVERY_S = 40.0
_log = logging.getLogger("plumbline.demo.city")


def work_on(platform: Platform, city: City, ca: Path | None, stop: threading.Event) -> None:
    """What goes on when the three months are told, until `stop`."""
    stage, cast = Stage(platform, city), city.teams[0].cast
    own = city.teams[0].house.organisation.short_name
    others = threading.Thread(target=_cut_off, args=(stage, stop), name="cut-off", daemon=True)
    others.start()
    answering = Answering(
        parties_of(city),
        platform.data_dir,
        platform.public_url,
        ca,
        is_cut_off=lambda name: name in cuts(stage.folder),
    )
    answering.start(stop)
    with open_clients(cast, platform.data_dir, platform.public_url, ca) as clients:
        institution = clients.parties["institution"]
        assert isinstance(institution, PartyClient)
        press = LivePress(
            client=institution,
            transport=party_keys(cast, platform.data_dir, "institution").transport,
            cast=cast,
            chain=stage.chain(city.teams[0], clients),
            now=lambda: stage.clock().now(),
            is_cut_off=lambda: own in cuts(stage.folder),
        )
        press.run(stop)
    stop.wait()


def _cut_off(stage: Stage, stop: threading.Event) -> None:
    number = 1
    while not stop.wait(CUT_OFF_EVERY_S):
        for name in cuts(stage.folder):
            try:
                work_cut_off(stage, stage.team(name), stage.clock().now(), number, everybody=False)
            except Exception:
                _log.exception("%s could not work on", name)
        number += 1
