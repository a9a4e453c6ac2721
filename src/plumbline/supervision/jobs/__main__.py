"""`python -m plumbline.supervision.jobs`: do the jobs that wait, one after another, then end (后台任务进程)."""

from __future__ import annotations

import os

import django


def main() -> None:
    """Do what waits; the worker starts this process when there is something."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plumbline.supervision.settings")
    django.setup()
    from plumbline.supervision.jobs.orders import do_next

    while do_next():
        pass


if __name__ == "__main__":
    main()
