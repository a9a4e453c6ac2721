"""One file with what must be said of it (用例): never 真, and for the right reason."""

from __future__ import annotations

from dataclasses import dataclass

#: Told first when the bytes show that something stands after the signed part.
APPENDED = frozenset({"appended"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file of one class; `reasons` are codes of `plumbline.sdk.pdf.problems`."""

    #: class of attack, in Chinese, as counted in the result
    family: str
    #: what was done, short
    variant: str
    data: bytes
    #: one of these must be the first reason of the offline verdict; empty: the signature holds, and it is only said whose it is
    reasons: frozenset[str] = frozenset()
    #: name that must be told where the signature holds
    signer: str = ""
    #: the signature may also hold: what is odd about the file was signed by its signer
    may_hold: bool = False
    #: what the platform must find if the file itself were registered; None: nothing, its own institution may sign what it likes
    registered: frozenset[str] | None = None
    #: a file that must be accepted
    genuine: bool = False
    #: kind of the root that vouches for a genuine one
    root_kind: str = "demo"

    @property
    def name(self) -> str:
        """Class and variant, as told in a result."""
        return f"{self.family}：{self.variant}"


def refused(family: str, variant: str, data: bytes, *reasons: str) -> Case:
    """A file that fails the examination, whoever holds it against whatever code."""
    codes = frozenset(reasons)
    return Case(family=family, variant=variant, data=data, reasons=codes, registered=codes)


def held(family: str, variant: str, data: bytes, signer: str, registered: str | None = None) -> Case:
    """A file whose signature holds and that is all the same not the registered one."""
    found = None if registered is None else frozenset({registered})
    return Case(family=family, variant=variant, data=data, signer=signer, registered=found)
