"""Gateways under load (受压网关): two worker processes on ports of their own, one generator process for each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.bench.load import answers, pack
from plumbline.bench.world import World
from plumbline.embedded.ports import free_port
from plumbline.embedded.supervisor import ProcessSpec, ReadyUrl, Supervisor

#: Connections of each generator: enough for full batches of 64 at both gateways.
CONNECTIONS = 64
#: The rate limit protects senders from each other; one key sends everything here.
_NO_LIMIT = {"PLUMB_RATE": "1000000", "PLUMB_LOOKUP_RATE": "1000000"}


@dataclass(frozen=True, slots=True)
class Application:
    """What the server runs: the gateway, or something that stands beside it as a limit or a peer."""

    target: str
    interface: str = "asgi"
    is_factory: bool = False
    #: That answer requests, where the interface is `wsgi`.
    threads: int = 8


GATEWAY = Application("plumbline.supervision.gateway.app:application", is_factory=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One timed leg over all gateways."""

    seconds: float
    #: Processor seconds of the generators.
    generator_s: float
    #: (status, body) of every answer.
    answers: list[tuple[int, bytes]]
    #: Of a paced leg: seconds from when each request was due until it was answered, ascending.
    late: list[float] = field(default_factory=list)

    @property
    def accepted(self) -> list[dict[str, object]]:
        """Bodies of the answers with 2xx."""
        return [json.loads(body) for status, body in self.answers if 200 <= status < 300]


class Gateways:
    """Started gateways of a world; stop them by `stop`."""

    def __init__(
        self,
        world: World,
        count: int = 2,
        application: Application = GATEWAY,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is what a peer needs to be told beyond the platform's own."""
        self._application = application
        self._told = dict(environment or {})
        self.ports = [free_port() for _ in range(count)]
        self._world = world
        specs = [self._spec(number, port) for number, port in enumerate(self.ports)]
        self._supervisor = Supervisor(specs, world.platform.folder("logs"))
        self._supervisor.start()

    def _spec(self, number: int, port: int) -> ProcessSpec:
        argv = [sys.executable, "-m", "granian", "--no-ws", "--log-level", "warning", "--workers", "1"]
        argv += ["--interface", self._application.interface, "--host", "127.0.0.1", "--port", str(port)]
        if self._application.is_factory:
            argv.append("--factory")
        if self._application.interface == "wsgi":
            argv += ["--blocking-threads", str(self._application.threads)]
        argv.append(self._application.target)
        environment = self._world.platform.environment() | _NO_LIMIT | self._told
        return ProcessSpec(
            f"gateway-{number}", argv, environment, ReadyUrl(f"http://127.0.0.1:{port}/healthz")
        )

    @property
    def pids(self) -> list[int]:
        """Process numbers of the gateways."""
        return list(self._supervisor.pids.values())

    def stop(self) -> None:
        """Stop all."""
        self._supervisor.stop()

    def start_load(
        self, requests: Sequence[bytes], connections: int = CONNECTIONS, *, rate: float = 0.0, name: str = ""
    ) -> Generators:
        """Generators that are connected and wait for the word. `rate`: so many requests a second of all of them together, instead of as
        many as are answered; `name` keeps several loads at once apart."""
        folder = self._world.platform.folder("load") / name
        folder.mkdir(exist_ok=True)
        return Generators(folder, self.ports, requests, connections, rate / len(self.ports))


class Generators:
    """One generator process a gateway, the requests dealt among them."""

    def __init__(
        self,
        folder: Path,
        ports: Sequence[int],
        requests: Sequence[bytes],
        connections: int,
        rate: float = 0.0,
    ) -> None:
        self._outputs: list[Path] = []
        self._children: list[subprocess.Popen[str]] = []
        with ExitStack() as undo:
            undo.callback(self._kill)
            for number, port in enumerate(ports):
                file, out = folder / f"{number}.requests", folder / f"{number}.answers"
                file.write_bytes(pack(list(requests[number :: len(ports)])))
                out.unlink(missing_ok=True)
                self._outputs.append(out)
                argv = [sys.executable, "-m", "plumbline.bench.load"]
                argv += [str(file), str(port), str(connections), str(out), str(rate)]
                self._children.append(
                    subprocess.Popen(
                        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
                    )
                )
            for child in self._children:
                if _line(child) != "ready":
                    raise RuntimeError("a load generator did not start")
            undo.pop_all()

    def _kill(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream:
                    stream.close()

    def go(self) -> None:
        """Send."""
        for child in self._children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()

    def finish(self) -> Leg:
        """Wait for the last answer; the clock of all processes is the machine's monotonic one."""
        results = [json.loads(_line(child)) for child in self._children]
        self._kill()
        collected = [each for out in self._outputs for each in answers(out.read_bytes())]
        return Leg(
            seconds=max(r["end"] for r in results) - min(r["begin"] for r in results),
            generator_s=sum(r["cpu"] for r in results),
            answers=collected,
            late=sorted(each for r in results for each in r["late"]),
        )


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()
