"""Sending invitations by e-mail."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from email.message import EmailMessage
import logging
import smtplib
import ssl

from learndock.account import Invitation

_log = logging.getLogger("learndock.mail")

_SECONDS = 20.0
_TEXT = """Hello,

you, or somebody with your address, asked to join the learnware dock. To make the account:

    learndock --address ADDRESS register NAME

and give this code when asked: {code}

It works once, until {until:%d %B %Y, %H:%M} UTC. If you did not ask, do nothing.
"""


class Mailer:
    """Hands mail to an SMTP server, beside the calls: how long it takes tells a caller nothing.

    Parameters
    ----------
    server
        ``host:port``.
    sender
        Address that the mail comes from.
    user, password
        For servers that want them; empty for none. They are sent over TLS only.
    tls
        Whether to ask for TLS before anything is sent.
    """

    def __init__(self, server: str, sender: str, *, user: str, password: str, tls: bool) -> None:
        self._host, _, port = server.rpartition(":")
        self._port = int(port)
        self._sender = sender
        self._user = user
        self._password = password
        self._tls = tls
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mail")

    def send_invitation(self, invitation: Invitation, code: str) -> Future[None]:
        """Send an invitation; a failure is logged."""
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = invitation.email
        message["Subject"] = "Your invitation to the learnware dock"
        message.set_content(_TEXT.format(code=code, until=invitation.expire_time))
        return self._pool.submit(self._send, message)

    def close(self) -> None:
        """Wait for what is on its way."""
        self._pool.shutdown()

    def _send(self, message: EmailMessage) -> None:
        try:
            with smtplib.SMTP(self._host, self._port, timeout=_SECONDS) as server:
                if self._tls:
                    server.starttls(context=ssl.create_default_context())
                if self._user and self._tls:
                    server.login(self._user, self._password)
                server.send_message(message)
        except OSError:  # smtplib's own errors are of this class too
            _log.exception("mail not sent")
