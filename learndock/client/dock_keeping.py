"""What a connection to a dock does with many packages at once, and how much of them may be kept."""

from __future__ import annotations

from learndock.client.accounts import Accounts
from learndock.client.catalogue import Catalogue
from learndock.client.values import Allowance, Quota


class KeepingMethods:
    """The part of `learndock.Dock` on keeping packages, beside submitting and downloading one."""

    def quota(self, user: str = "") -> Quota:
        """What the caller may keep and how much of it is used; another user's, told by id or name, for admins."""
        return self._catalogue.quota(self._accounts.get_user(user).user_id if user else "")

    def set_quota(self, user: str, limit: Allowance) -> Quota:
        """Give a user, told by id or name, other limits; 0 is the dock's own; for admins."""
        return self._catalogue.set_quota(self._accounts.get_user(user).user_id, limit)

    @property
    def _catalogue(self) -> Catalogue:
        raise NotImplementedError

    @property
    def _accounts(self) -> Accounts:
        raise NotImplementedError
