"""P13: what the national algorithms cost (国密代价): P1a with HMAC-SM3 beside HMAC-SHA256; SM2 beside OpenSSL's own loop."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time

from plumbline.bench.gateways import Gateways
from plumbline.bench.goals import Goal
from plumbline.bench.p1a_accept import Accepting, check_counts, check_survivors
from plumbline.bench.report import Measured
from plumbline.bench.stats import TURNS, interleave
from plumbline.bench.world import World
from plumbline.evidence.gm.choice import default_backend
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.exchange.signatures import HmacSigner, HmacSm3Signer

_VERIFY_A_SECOND = re.compile(r"SM2 \(CurveSM2\).*\s([\d.]+)\s*$", re.MULTILINE)


def measure_transport(world: World, goal: Goal, rounds: int, count: int) -> Measured:
    """P1a with HMAC-SM3 ÷ P1a with HMAC-SHA256, the same gateways and the same origin signatures."""
    plain = world.with_secret("institution", HmacSigner)
    national = world.with_secret("institution", HmacSm3Signer)
    gateways = Gateways(world)
    try:
        theirs = Accepting(world, count, gateways, sender=plain)
        ours = Accepting(world, count, gateways, sender=national)
        first = world.counts()[0]
        comparison = interleave(theirs.ours, ours.ours, rounds, warm=rounds > 1, turns=TURNS)
    finally:
        gateways.stop()
    ours.accepted += theirs.accepted
    ours.sent |= theirs.sent
    check_counts(ours, first)
    notes = [
        f"2 gateways, {count} messages a round; {check_survivors(ours)} receipts verified; "
        f"with HMAC-SHA256 {theirs.server_s / theirs.timed * 1e6:.0f} µs of CPU a message"
    ]
    return Measured(goal=goal, comparison=comparison, cpu_us=ours.server_s / ours.timed * 1e6, notes=notes)


def measure_sm2(goal: Goal, rounds: int, seconds: float) -> Measured | None:
    """Our SM2 verification, a call each from Python, ÷ `openssl speed sm2`; None without OpenSSL's program or library."""
    if default_backend().name == "pure" or openssl_rate(seconds) is None:
        return None
    key = Sm2PrivateKey.generate()
    public, message = key.public_key, secrets.token_bytes(200)
    signature = key.sign(message)

    def ours(_: int) -> float:
        done, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            if not public.verify(message, signature):
                raise RuntimeError("a good SM2 signature does not verify")
            done += 1
        return done / (time.perf_counter() - begin)

    def theirs(_: int) -> float:
        rate = openssl_rate(seconds)
        assert rate is not None
        return rate

    comparison = interleave(theirs, ours, rounds, warm=False, turns=TURNS)
    notes = [f"verification of 200 bytes by {default_backend().name}; ours reads the key anew for every call"]
    return Measured(goal=goal, comparison=comparison, notes=notes)


def openssl_rate(seconds: float) -> float | None:
    """SM2 verifications a second as OpenSSL's program measures its own loop; None when it is absent or knows no SM2."""
    program = shutil.which("openssl")
    if program is None:
        return None
    done = subprocess.run(
        [program, "speed", "-seconds", str(max(1, round(seconds))), "sm2"],
        capture_output=True,
        encoding="utf-8",
        timeout=60 + 4 * seconds,
        check=False,
    )
    found = _VERIFY_A_SECOND.search(done.stdout)
    return float(found[1]) if found and done.returncode == 0 else None
