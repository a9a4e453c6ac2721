"""The form on which the owner of an account takes a new password (改密码的表单)."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm


class OwnPasswordForm(ChangePasswordForm):  # type: ignore[misc]
    """As the login part has it, but for the old password: a wrong one is counted and written down like one of a sign-in.

    Compared by itself, it could be guessed at a screen that was left open, and nobody would know.
    """

    def clean_oldpassword(self) -> str:
        """The old password; refused when it is not the owner's, or when too many were wrong."""
        typed = str(self.cleaned_data["oldpassword"])
        if not get_adapter().reauthenticate(self.user, typed):
            raise get_adapter().validation_error("enter_current_password")
        return typed
