"""Origin signatures against the messages (源头签名的核对): what an institution signed, the log's key cannot make anew."""

from __future__ import annotations

import base64
import binascii

from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.messages.registry import KeyEnrolled, KeyRevoked, LogOpened, RoleEnded, RoleGranted
from plumbline.exchange.origin import verify_origin
from plumbline.exchange.submission import Envelope

#: By what the platform decides of itself.
_OF_ITSELF = (KeyEnrolled, KeyRevoked, RoleGranted, RoleEnded)


class Origins:
    """Public keys as the log enrols them on the way.

    Whose enrolment counts is the registry's affair: a stranger may have named a key like another's before its owner
    did. So every key that was ever enrolled under a name is asked.
    """

    def __init__(self) -> None:
        self._keys: dict[str, dict[tuple[str, bytes], None]] = {}
        #: The operator and the platform's own keys, as the first entry of the log names them.
        self._operator = ""
        self._own: dict[str, tuple[str, bytes]] = {}
        #: Entries that granted a role at the operator, not ended so far, with the person.
        self._granted: dict[str, str] = {}

    def found(self, opened: LogOpened) -> None:
        """Take operator and platform keys of the log's first entry."""
        self._operator = opened.sender
        for each in opened.keys:
            try:
                self._own[each.key_id] = (each.algorithm, base64.b64decode(each.public_key, validate=True))
            except binascii.Error:
                continue

    def is_platforms(self, sender: bytes, envelope: Envelope, message: bytes) -> bool:
        """Whether the operator sent this, signed by one of the platform's own keys."""
        return bytes(sender).hex() == self._operator and any(
            own is not None and own[0] == each.algorithm and verify_origin(each, own[1], message)
            for each in envelope.origin
            for own in (self._own.get(each.key_id),)
        )

    def decide(self, message: Message, entry: bytes, sender: bytes, envelope: Envelope, data: bytes) -> None:
        """Take what the platform decided of itself, signed by itself: its own keys, and who acts for the operator."""
        if not isinstance(message, _OF_ITSELF) or not self.is_platforms(sender, envelope, data):
            return
        if isinstance(message, RoleGranted) and message.party == self._operator:
            self._granted[bytes(entry).hex()] = message.person
        elif isinstance(message, RoleEnded) and self._granted.get(message.grant) == message.person:
            del self._granted[message.grant]
        elif isinstance(message, KeyRevoked):
            self._own.pop(message.key_id, None)
        elif isinstance(message, KeyEnrolled) and (message.party, message.use) == (self._operator, "web"):
            try:
                key = base64.b64decode(message.public_key or "", validate=True)
            except binascii.Error:
                return
            self._own[message.key_id] = (message.algorithm, key)

    def objections(self, told: ClockCorrected, sender: bytes, envelope: Envelope, data: bytes) -> list[str]:
        """Why nobody who may correct the time has sent this: it is not the platform's, or a person had no role at the operator."""
        found = [] if self.is_platforms(sender, envelope, data) else ["不是平台用自己的密钥签的"]
        staff = set(self._granted.values())
        return found + [
            f"{part}的人（{person[:8]}…）当时在运营单位没有角色"
            for part, person in (("办理", told.first_person), ("复核", told.second_person))
            if person not in staff
        ]

    def learn(self, message: Message) -> None:
        """Take the keys of an entry; they hold from here on."""
        if isinstance(message, LogOpened):
            for each in message.keys:
                self._take(each.key_id, each.algorithm, each.public_key)
        elif isinstance(message, KeyEnrolled) and message.public_key is not None:
            self._take(message.key_id, message.algorithm, message.public_key)

    def _take(self, key_id: str, algorithm: str, public_key: str) -> None:
        try:
            key = (algorithm, base64.b64decode(public_key, validate=True))
        except binascii.Error:
            return
        self._keys.setdefault(key_id, {})[key] = None

    def refuted(self, envelope: Envelope, message: bytes) -> list[str]:
        """Keys whose signature of this message does not hold. One that the log does not know proves nothing either way."""
        found = []
        for each in envelope.origin:
            known = self._keys.get(each.key_id)
            if known and not any(
                algorithm == each.algorithm and verify_origin(each, key, message) for algorithm, key in known
            ):
                found.append(each.key_id)
        return found
