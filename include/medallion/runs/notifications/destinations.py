"""What the id of a notification destination stands for: an entry of medallion.toml, else an Airflow connection.

In the sender's process; pure but for the connections that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.settings import DestinationSettings, Settings

SLACK_API = "https://slack.com/api/chat.postMessage"
SLACK_HOOKS = "https://hooks.slack.com/services"
PAGERDUTY_API = "https://events.pagerduty.com/v2/enqueue"

CONNECTION_TYPES = {
    "slack": "slack",
    "slackwebhook": "slack",
    "msteams": "teams",
    "teams": "teams",
    "microsoft_teams": "teams",
    "pagerduty": "pagerduty",
    "pagerduty_events": "pagerduty",
    "email": "email",
    "smtp": "email",
}
"""Types of Airflow connections and the form of their messages; any other is a plain webhook."""

HOSTS = {
    "hooks.slack.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
    "events.pagerduty.com": "pagerduty",
}
"""Ends of host names that tell the form where the connection's type does not."""

KINDS = ("webhook", "slack", "teams", "pagerduty", "email")


class DestinationError(MedallionError):
    """A destination is unknown or has no address."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An Airflow connection's fields."""

    conn_type: str = ""
    host: str = ""
    schema: str = ""
    port: int | None = None
    login: str = ""
    password: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


FindConnection = Callable[[str], "Connection | None"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go, and in which form.

    :param kind: one of KINDS.
    :param password: of basic authentication; a Slack token; a PagerDuty key.
    :param addresses: of kind `email`.
    """

    kind: str
    url: str = ""
    user: str = ""
    password: str = ""
    channel: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show: the addresses of Slack and Teams are secrets themselves."""
        return tuple(text for text in (self.url, self.password) if text)


def resolve(name: str, settings: Settings, find: FindConnection) -> Destination:
    """The destination with this id.

    :raises DestinationError: there is none, or it has no address.
    """
    entry = settings.destinations.get(name)
    connection_id = entry.connection or name if entry else name
    connection = find(connection_id) if entry is None or entry.connection else None
    if connection is None and (entry is None or entry.connection):
        near = did_you_mean(name, settings.destinations)
        hint = near or f"make an Airflow connection {connection_id}, or [destinations.{name}] in medallion.toml"
        raise DestinationError(f"there is no notification destination {name}", hint=hint)
    found = from_connection(connection) if connection else Destination("webhook")
    if entry is not None:
        found = overlaid(found, entry, from_settings=connection is None)
    found = completed(found)
    if not found.url and not found.addresses:
        raise DestinationError(f"the notification destination {name} has no address", hint="give it a url or a host")
    return found


def overlaid(base: Destination, entry: DestinationSettings, *, from_settings: bool) -> Destination:
    """The connection's facts with those of medallion.toml over them."""
    given = entry.model_fields_set
    kind = entry.kind if from_settings or "kind" in given else base.kind
    return Destination(
        kind=kind,
        url=entry.url.get_secret_value() if entry.url else base.url,
        user=entry.user or base.user,
        password=entry.password.get_secret_value() if entry.password else base.password,
        channel=entry.channel or base.channel,
        addresses=entry.addresses or base.addresses,
    )


def from_connection(connection: Connection) -> Destination:
    """A destination from an Airflow connection. Its extra may state `kind`, `url`, `channel` and `addresses`."""
    extra = connection.extra
    url = str(extra.get("url") or address_of(connection))
    kind = str(extra.get("kind") or CONNECTION_TYPES.get(connection.conn_type) or kind_of_host(url))
    if kind not in KINDS:
        raise DestinationError(f"{kind!r} is no kind of destination", hint=f"one of {', '.join(KINDS)}")
    addresses = extra.get("addresses") or ()
    return Destination(
        kind=kind,
        url=url,
        user=connection.login,
        password=connection.password,
        channel=str(extra.get("channel") or extra.get("channel_id") or ""),
        addresses=tuple([addresses] if isinstance(addresses, str) else map(str, addresses)),
    )


def address_of(connection: Connection) -> str:
    """The address that a connection states: its host may hold a whole one; `schema` is the scheme, `path` the rest."""
    host = connection.host.rstrip("/") if "?" not in connection.host else connection.host
    if not host:
        return ""
    if "://" not in host:
        port = f":{connection.port}" if connection.port else ""
        scheme = connection.schema if connection.schema in {"http", "https"} else default_scheme(connection)
        host = f"{scheme}://{host}{port}"
        if connection.schema not in {"", "http", "https"}:
            host += f"/{connection.schema.lstrip('/')}"  # of a connection given as an address
    path = str(connection.extra.get("path") or connection.extra.get("endpoint") or "")
    return f"{host}/{path.lstrip('/')}" if path else host


def default_scheme(connection: Connection) -> str:
    """https, but for a connection that was given as an http address."""
    return connection.conn_type if connection.conn_type in {"http", "https"} and connection.schema else "https"


def kind_of_host(url: str) -> str:
    """The form of messages that a well-known host takes."""
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    return next((kind for end, kind in HOSTS.items() if host == end or host.endswith(f".{end}")), "webhook")


def completed(found: Destination) -> Destination:
    """The address where the kind implies it."""
    url, password = found.url, found.password
    if found.kind == "slack" and password and not found.channel and "://" in password:
        url, password = password, ""
    elif found.kind == "slack" and password and not found.channel and not found.user:
        # Airflow's Slack webhook connections hold the last part of the address as their password.
        url, password = f"{(url or SLACK_HOOKS).rstrip('/')}/{password.lstrip('/')}", ""
    elif found.kind == "slack" and password:
        url = url or SLACK_API
    elif found.kind == "pagerduty":
        url = url or PAGERDUTY_API
    return Destination(found.kind, url, found.user, password, found.channel, found.addresses)
