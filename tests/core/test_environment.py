from __future__ import annotations

import pytest

from medallion.core.environment import for_user_code


@pytest.mark.parametrize(
    "name",
    [
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__SECRETS__BACKEND_KWARGS",
        "AIRFLOW_CONN_WAREHOUSE",
        "AIRFLOW_VAR_TOKEN",
        "airflow__core__fernet_key",
        "MEDALLION_API_TOKEN",
        "MEDALLION_SMTP",
        "MEDALLION_DESTINATIONS",
        "MEDALLION_TARGETS",
    ],
)
def test_secrets_of_airflow_and_medallion_stay_behind(name: str) -> None:
    assert for_user_code({name: "secret", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LANG", "TZ", "JAVA_HOME", "HTTPS_PROXY", "no_proxy", "PIP_INDEX_URL", "UV_INDEX"),
        *("SSL_CERT_FILE", "AWS_PROFILE", "MY_TOKEN", "AIRFLOW_HOME", "MEDALLION_PROJECT", "PYTHONPATH"),
    ],
)
def test_the_users_own_variables_go_on(name: str) -> None:
    assert for_user_code({name: "x"}) == {name: "x"}


def test_what_the_job_states_counts_over_all() -> None:
    assert for_user_code({"A": "1"}, {"A": "2", "AIRFLOW_VAR_OF_THE_JOB": "3"}) == {
        "A": "2",
        "AIRFLOW_VAR_OF_THE_JOB": "3",
    }
