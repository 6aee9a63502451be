"""`dbutils.credentials`: there is no cloud identity here. Runs in the task process."""

from __future__ import annotations

from typing import ClassVar

from medallion.runtime.dbutils.module import Module

REASON = "there is no cloud role on this machine; use dbutils.secrets, or environment variables of the cluster"


class Credentials(Module):
    """Roles of the cloud: every call is refused."""

    name = "credentials"
    refused: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            "assumeRole",
            "showCurrentRole",
            "showRoles",
            "getCurrentCredentials",
            "getServiceCredentialsProvider",
        ),
        REASON,
    )
