"""As a member of the public (公众核验): every registered report is looked up by its code, and again with one byte changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from plumbline.demo.chain import ChainResult

WAIT_S = 20.0
_GENUINE = ("genuine", "genuine_demo")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAnswers:
    """What the public pages said of a set of reports; `faults` is empty when all is as it should be."""

    checked: int
    faults: tuple[str, ...]

    def text(self) -> str:
        """One or more plain sentences."""
        if self.faults:
            return "公众验证有问题：\n" + "\n".join(self.faults)
        return (
            f"{self.checked} 份报告在公众验证页上都是真的；同一份文件改动一个字节后，每一份都被指出“被改过”。"
        )


def check_public(base_url: str, results: Sequence[ChainResult]) -> PublicAnswers:
    """Ask the public pages about every registered report: the page, the document, the right hash, a wrong one."""
    registered = [each for each in results if each.state == "registered" and each.code]
    with httpx.Client(base_url=base_url, trust_env=False, timeout=30) as client:
        faults = [fault for each in registered for fault in _faults(client, str(each.code))]
    return PublicAnswers(checked=len(registered), faults=tuple(faults))


def _faults(client: httpx.Client, code: str) -> list[str]:
    state = _state(client, code)
    if state not in _GENUINE:
        return [f"{code}：验证页的状态是 {state}"]
    document = client.get(f"/v/{code}/document").content
    changed = bytearray(document)
    changed[len(changed) // 2] ^= 1
    right, wrong = (_kind(client, code, data) for data in (document, bytes(changed)))
    faults = [] if right in _GENUINE else [f"{code}：登记的原件被答为 {right}"]
    return faults + ([] if wrong == "changed" else [f"{code}：改动一个字节的文件被答为 {wrong}"])


def _state(client: httpx.Client, code: str) -> str:
    """The state once the worker has examined the file; the last one seen when it does not come in time."""
    until = time.monotonic() + WAIT_S
    while True:
        state = str(client.get(f"/v/{code}", headers={"Accept": "application/json"}).json().get("state"))
        if state in _GENUINE or time.monotonic() > until:
            return state
        time.sleep(0.2)


def _kind(client: httpx.Client, code: str, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return str(client.get(f"/v/{code}/check", params={"sha256": digest}).json().get("kind"))
