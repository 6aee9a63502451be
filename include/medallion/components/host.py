"""The name of this machine for Airflow's records. In every Airflow process; imports nothing."""

from __future__ import annotations


def name() -> str:
    """`localhost`: the components are on one machine and read each other's logs by this name."""
    return "localhost"
