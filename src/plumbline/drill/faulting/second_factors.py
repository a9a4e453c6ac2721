"""Second factors for accounts of a drill (演练账号的第二因素), made by the library that checks them.

`python -m plumbline.drill.faulting.second_factors LOGIN…`, in the platform's environment; prints for each login the codes that replace
its authenticator once each, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import django

from plumbline.supervision.config import Platform


def codes_of(platform: Platform, logins: Sequence[str]) -> list[list[str]]:
    """Codes for each account, which has an authenticator from now on."""
    told = platform.environment() | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    argv = [sys.executable, "-m", "plumbline.drill.faulting.second_factors", *logins]
    done = subprocess.run(argv, env=os.environ | told, capture_output=True, encoding="utf-8", check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def _made(login: str) -> list[str]:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    from plumbline.web.accounts.models import Account

    account = Account.objects.get(username=login)
    TOTP.activate(account, generate_totp_secret())
    return list(RecoveryCodes.activate(account).get_unused_codes())


if __name__ == "__main__":
    django.setup()
    print(json.dumps([_made(each) for each in sys.argv[1:]]))
