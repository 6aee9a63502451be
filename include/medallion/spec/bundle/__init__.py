"""Databricks asset bundles: read, resolved for a target, and the jobs in them. Runs at parse and in the CLI."""

from __future__ import annotations

from medallion.spec.bundle.load import deployed_path_to_local, load_bundle
from medallion.spec.bundle.resolve import Resolved, resolve_bundle

__all__ = ["Resolved", "deployed_path_to_local", "load_bundle", "resolve_bundle"]
