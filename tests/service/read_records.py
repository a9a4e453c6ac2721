"""Read record pages of a platform as given readers (读详情页的小程序): run as a child, because a test process has no database of Django's.

Input, as JSON: a list of [role, party, division, kind, key]. Output: a list of [number of statements, repr of the page or null].
"""

from __future__ import annotations

import json
import sys

import django
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext


def main() -> None:
    """Answer every question of standard input."""
    django.setup()
    from plumbline.supervision.access.acting import acting_as
    from plumbline.supervision.access.principals import Principal, Role
    from plumbline.supervision.reading.records.pages import record_page

    answers: list[tuple[int, str | None]] = []
    for role, party, division, kind, key in json.load(sys.stdin):
        principal = Principal(role=Role(role), party=party, division=division)
        with acting_as(principal), transaction.atomic(), CaptureQueriesContext(connection) as caught:
            page = record_page(principal, kind, key)
        answers.append((len(caught), repr(page) if page else None))
    json.dump(answers, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
