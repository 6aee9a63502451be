"""Sends one message to one recipient: by SMTP, or by HTTP in the form of the destination. In the sender's process."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runs.notifications.destinations import Destination, DestinationError, FindConnection, resolve
from medallion.runs.notifications.events import MAIL, Recipient
from medallion.runs.notifications.message import FORMS, Message
from medallion.runtime.masks import Masks
from medallion.spec.rules import is_address

if TYPE_CHECKING:
    import httpx

    from medallion.runs.notifications.outbox import Letter
    from medallion.settings import Settings

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0
RETRIED_STATUS = frozenset({401, 403, 404, 408, 425, 429})
"""Refusals by HTTP that may pass: a server that is being set up, a login that is being changed, a limit of rate."""

SMTP_CONNECTION = "smtp_default"
OWN_CONNECTION = "medallion_smtp"
"""Id under which the setting `smtp` is given to Airflow's SMTP hook."""


class DeliveryError(MedallionError):
    """A message was not delivered. `for_good`: trying again is useless."""

    def __init__(self, message: str, *, hint: str | None = None, for_good: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.for_good = for_good


class Transports:
    """Ways out of this machine.

    :param find: looks Airflow connections up.
    :param mailer: sends a mail; Airflow's SMTP hook by default.
    """

    def __init__(self, settings: Settings, find: FindConnection, mailer: Mailer | None = None) -> None:
        self._settings = settings
        self._find = find
        self._mailer = mailer or Mailer(settings)

    def deliver(self, letter: Letter) -> None:
        """Send one message. Blocks for at most some tens of seconds.

        :raises DeliveryError: it was not delivered; secrets are not in its text.
        """
        if letter.recipient.kind == MAIL:
            self._mailer.send(letter.recipient.name, letter.message, letter.key)
            return
        try:
            destination = resolve(letter.recipient.name, self._settings, self._find)
        except DestinationError as error:
            raise DeliveryError(error.message, hint=error.hint, for_good=True) from None
        try:
            self._send(destination, letter)
        except DeliveryError as error:
            masks = Masks(destination.secrets)
            hint = masks.apply(error.hint) if error.hint else None
            raise DeliveryError(masks.apply(error.message), hint=hint, for_good=error.for_good) from None

    def _send(self, destination: Destination, letter: Letter) -> None:
        if destination.kind == "email":
            for address in destination.addresses:
                self._mailer.send(address, letter.message, letter.key)
            return
        body = FORMS[destination.kind](letter.message)
        headers: dict[str, str] = {}
        login = (destination.user, destination.password) if destination.user else None
        if destination.kind == "slack" and destination.password:
            body["channel"] = destination.channel
            headers["Authorization"] = f"Bearer {destination.password}"
            login = None
        if destination.kind == "pagerduty":
            body["routing_key"] = destination.password
            login = None
        post(destination.url, body, headers, login)


def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str], login: tuple[str, str] | None) -> None:
    """Post JSON. Raises DeliveryError unless the answer is one of success."""
    import httpx

    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    try:
        answer = httpx.post(url, json=body, headers=dict(headers), auth=login, timeout=timeout, follow_redirects=False)
    except httpx.TimeoutException:
        raise DeliveryError(f"no answer within {ANSWER_SECONDS:.0f} s") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise DeliveryError("the address of the destination is no http address", for_good=True) from None
    except httpx.HTTPError as error:
        raise DeliveryError(f"the server could not be reached: {error}") from None
    refuse_bad(answer)


def refuse_bad(answer: httpx.Response) -> None:
    """Raise DeliveryError unless the server took the message. Slack's API says no with status 200 and `ok: false`."""
    if not answer.is_success:
        for_good = answer.status_code < 500 and answer.status_code not in RETRIED_STATUS
        raise DeliveryError(f"the server answered {answer.status_code} {answer.reason_phrase}", for_good=for_good)
    try:
        told = answer.json()
    except ValueError:
        return
    if isinstance(told, dict) and told.get("ok") is False and "error" in told:
        raise DeliveryError(f"Slack refused the message: {told['error']}")


class Mailer:
    """Mail by Airflow's SMTP hook, which knows TLS, logins and OAuth, with time-outs of ours and no attempts of its own."""

    def __init__(self, settings: Settings, connection: str | None = None) -> None:
        self._connection = connection or (OWN_CONNECTION if settings.smtp else SMTP_CONNECTION)
        self._sender = settings.smtp.sender if settings.smtp else None

    def send(self, address: str, message: Message, key: str) -> None:
        """Send one mail. Raises DeliveryError."""
        refuse_injection(address)
        try:
            with one_try_hook(self._connection) as hook:
                mail = mail_of(address, message, key, self._sender or hook.from_email)
                hook.client.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise DeliveryError(
                f"the mail server refused the address: {code} {words(text)}", for_good=code >= 500
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryError(f"the mail server refused the login: {error.smtp_code}") from None
        except smtplib.SMTPResponseException as error:
            told = f"the mail server answered {error.smtp_code} {words(error.smtp_error)}"
            raise DeliveryError(told, for_good=error.smtp_code >= 500) from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"the mail server could not be used: {error or type(error).__name__}") from None


def one_try_hook(connection: str) -> Any:
    """Airflow's SMTP hook for a connection. Raises DeliveryError when there is no such connection."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    class OneTryHook(SmtpHook):
        """One attempt, bounded: the outbox tries again."""

        smtp_retry_limit = 0
        timeout = ANSWER_SECONDS  # type: ignore[assignment]

        @property
        def client(self) -> smtplib.SMTP:
            """The connected client."""
            return self._smtp_client  # type: ignore[return-value]

    try:
        SmtpHook.get_connection(connection)
    except AirflowNotFoundException:
        hint = f"make the Airflow connection {connection}, or set [smtp] in medallion.toml"
        raise DeliveryError("no mail server is configured", hint=hint, for_good=True) from None
    return OneTryHook(smtp_conn_id=connection)


def mail_of(address: str, message: Message, key: str, sender: str | None) -> EmailMessage:
    """The mail. Its Message-ID comes from the change, so that a second copy can be told."""
    import hashlib

    if not sender:
        hint = "set from_email in the extra of the Airflow connection"
        raise DeliveryError("the mail connection names no sender", hint=hint, for_good=True)
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = address
    mail["Subject"] = message.subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{hashlib.sha256(f'{key}{address}'.encode()).hexdigest()[:32]}@medallion>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.page, subtype="html")
    return mail


def refuse_injection(address: str) -> None:
    """Raise DeliveryError for an address that would add headers or recipients."""
    if not is_address(address):
        raise DeliveryError(f"{address!r} is no mail address", for_good=True)


def words(text: bytes | str) -> str:
    """A server's answer as one line of text."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(plain.split())[:200]


def recipients_in_words(recipient: Recipient) -> str:
    """A recipient as people read it."""
    return recipient.name if recipient.kind == MAIL else f"destination {recipient.name}"
