"""Requests made from the description by Schemathesis (由描述生成的请求): what it allows, and what it forbids."""

from __future__ import annotations

import copy
import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from plumbline.drill.contract.description import Operation
from plumbline.drill.contract.requests import Planned, json_bytes

_FORM, _JSON, _BYTES = (
    "application/x-www-form-urlencoded",
    "application/json",
    "application/offset+octet-stream",
)
_SIGNATURE = {"signature", "signature-input", "content-digest", "plumb-message-digest"}


def is_there() -> bool:
    """Whether the generator is installed."""
    try:
        import schemathesis  # noqa: F401
    except ImportError:
        return False
    return True


def plan(operation: Operation, *, examples: int, seed: int, kinds: int = 0) -> Iterator[Planned]:
    """So many requests, half of them allowed and half forbidden; of messages some of every kind, as far as there are enough."""
    tried = max(1, min(kinds, examples // 2))
    for document in _documents(operation.document, operation, kinds and -(-kinds // tried)):
        share = max(2, examples // (tried if kinds else 1))
        for is_valid in (True, False):
            for number, case in enumerate(
                _cases(document, operation, share - share // 2, seed, is_valid=is_valid)
            ):
                yield _planned(operation, case, is_valid=is_valid, number=number)


def _documents(document: Mapping[str, Any], operation: Operation, every: int) -> Iterator[dict[str, Any]]:
    """The description without what the generator cannot send; for messages, once with each so-manieth kind alone."""
    whole = copy.deepcopy(dict(document))
    for methods in whole["paths"].values():
        for told in methods.values():
            if _BYTES in told.get("requestBody", {}).get("content", {}):
                del told["requestBody"]
    # One address is enough, and spares the generator the others.
    whole["paths"] = {
        operation.path: {operation.method.lower(): whole["paths"][operation.path][operation.method.lower()]}
    }
    if not every:
        yield whole
        return
    choices = whole["components"]["schemas"]["Message"]["oneOf"]
    for chosen in choices[::every]:
        one = copy.deepcopy(whole)
        one["components"]["schemas"]["Message"] = chosen
        one["components"]["schemas"] = _reached(one)
        yield one


def _reached(document: Mapping[str, Any]) -> dict[str, Any]:
    """Schemas that the description still leads to: the generator reads them all again for every kind."""
    schemas, text = document["components"]["schemas"], json.dumps(document["paths"])
    found: dict[str, Any] = {}
    waiting = _named(text)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting |= _named(json.dumps(schemas[name]))
    return found


def _named(text: str) -> set[str]:
    return set(re.findall(r"#/components/schemas/(\w+)", text))


def _cases(
    document: dict[str, Any], operation: Operation, count: int, seed: int, *, is_valid: bool
) -> list[Any]:
    import schemathesis
    from hypothesis import HealthCheck, Phase, errors, given, settings
    from hypothesis import seed as seeded

    schema = schemathesis.openapi.from_dict(document)
    mode = schemathesis.GenerationMode.POSITIVE if is_valid else schemathesis.GenerationMode.NEGATIVE
    made: list[Any] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[operation.path][operation.method].as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        made.append(case)

    logging.getLogger("hypothesis").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            collect()
        except errors.Unsatisfiable:  # a description that forbids nothing
            return made
    return made


def _planned(operation: Operation, case: Any, *, is_valid: bool, number: int) -> Planned:
    """A case as a request. Of the forbidden, every second one keeps its own signature headers."""
    is_signed = operation.signed and (is_valid or number % 2 == 0)
    headers = [
        (str(name), str(value))
        for name, value in (case.headers or {}).items()
        if not (is_signed and str(name).lower() in _SIGNATURE) and _can_be_sent(str(name), str(value))
    ]
    body, media_type = _body(operation, case)
    if media_type:
        headers.append(("Content-Type", media_type))
    values = {name: str(value) for name, value in (case.path_parameters or {}).items()}
    address = operation.path
    for name, value in values.items():
        address = address.replace("{" + name + "}", value)
    if case.query:
        address += "?" + urlencode(case.query, doseq=True, errors="surrogatepass")
    return Planned(
        operation=operation,
        method=operation.method,
        address=address,
        body=body,
        headers=tuple(headers),
        how="描述允许" if is_valid else "描述不允许",
        is_own=is_valid and number % 2 == 0 and bool(body),
        is_signed=is_signed,
    )


def _can_be_sent(name: str, value: str) -> bool:
    """Header names are tokens; a line of the server is not to be broken in two."""
    is_token = bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    framing = name.lower() in ("content-length", "transfer-encoding", "content-type", "host", "connection")
    return is_token and not framing and not {"\r", "\n", "\0"} & set(value)


def _body(operation: Operation, case: Any) -> tuple[bytes, str]:
    """Bytes and media type of a case."""
    if operation.body is None:
        return b"", ""
    media_type = operation.body[0]
    if media_type == _BYTES:
        return b"%PDF-1.7 drill", media_type
    if type(case.body).__name__ == "NotSet":
        return b"", ""
    if isinstance(case.body, bytes):
        return case.body, media_type
    if media_type == _FORM:
        fields = case.body if isinstance(case.body, dict) else {"item": case.body}
        return urlencode(fields, doseq=True, errors="surrogatepass").encode(), media_type
    return json_bytes(case.body), media_type
