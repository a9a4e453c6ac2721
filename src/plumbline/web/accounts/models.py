"""Accounts (账号): a login name, its password and second factor. What the account may do stands in the log, not here."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class AccountManager(BaseUserManager["Account"]):
    """Finds accounts by their login name; capital letters make no second account."""

    def get_by_natural_key(self, username: str | None) -> Account:
        """The account of a login name; raises `Account.DoesNotExist`."""
        return self.get(username__iexact=username)


#: So many hashes of former passwords are kept; no profile looks further back.
FORMER = 12


def new_person() -> str:
    """A person id for somebody who is not on record yet: 32 hexadecimal digits."""
    return secrets.token_hex(16)


class Account(AbstractBaseUser):
    """One person's way in. Roles and their scope are entries of the log (`fact.role_grant`), found by `person`.

    Holds no name and no identity number: `label` is the post or staff number that colleagues know.
    """

    username = models.CharField(max_length=40, unique=True)
    #: Person id on the wire; one person has one account (GB/T 22239 8.1.4.2).
    person = models.CharField(max_length=32, unique=True, default=new_person)
    label = models.CharField(max_length=60)
    #: Division of the administrator who made it: accounts are made below oneself only.
    division = models.CharField(max_length=6)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=40)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_because = models.CharField(max_length=200, blank=True)
    #: When a suspended account was last allowed in again; None when it never was.
    reactivated_at = models.DateTimeField(null=True, blank=True)
    #: When the password was last set by its owner; None until the first sign-in link was used.
    password_set_at = models.DateTimeField(null=True, blank=True)

    #: Hashes of passwords that were in use before, newest first: none of them is taken again.
    former_passwords = models.JSONField(default=list, blank=True)
    #: When the security administrator allowed a new link for an account that has roles: two persons, never one.
    link_released_at = models.DateTimeField(null=True, blank=True)

    objects = AccountManager()
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ("label", "division")

    class Meta:
        """Sorted as lists show them."""

        ordering = ("username",)

    def __str__(self) -> str:
        """The login name."""
        return self.username

    def set_password(self, raw_password: str | None) -> None:
        """Take a new password; the hash of the old one is kept, so that it is not taken again."""
        if raw_password is not None and self.password and self.has_usable_password():
            self.former_passwords = [self.password, *self.former_passwords][:FORMER]
        super().set_password(raw_password)

    @property
    def is_active(self) -> bool:
        """Whether the account may sign in; Django asks for it with every request."""
        return self.suspended_at is None


class SignIn(models.Model):
    """One sign-in: a session belongs to it, and ends with it."""

    key = models.CharField(max_length=32, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    begun_at = models.DateTimeField(auto_now_add=True)
    address = models.CharField(max_length=64)
    agent = models.CharField(max_length=120)
    #: When it was last used, to the minute: one that nobody uses any more takes no place.
    seen_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    #: What the session's owner is told, when it was not ended by hand.
    ended_because = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        """Newest first."""

        ordering = ("-begun_at",)

    def __str__(self) -> str:
        """Whose, and since when."""
        return f"{self.account} {self.begun_at:%Y-%m-%d %H:%M}"
