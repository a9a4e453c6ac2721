"""`python -m plumbline.supervision.jobs KIND`: do the jobs of a kind that wait, one after another, then end (后台任务进程)."""

from __future__ import annotations

import os
import sys

import django


def main() -> None:
    """Do what waits; the worker starts this process when there is something."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plumbline.supervision.settings")
    django.setup()
    from plumbline.supervision.jobs.orders import do_next

    while do_next(sys.argv[1]):
        pass


if __name__ == "__main__":
    main()
