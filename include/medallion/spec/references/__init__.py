"""Dynamic value references, `{{job.id}}` and the like: found, resolved, checked. Runs everywhere; pure.

Airflow never sees them: they are resolved here when a task starts. `docs/semantics.md` says what each one gives.
"""

from __future__ import annotations

from medallion.spec.references.check import check_references as check_references
from medallion.spec.references.fields import REFERENCE_FIELDS as REFERENCE_FIELDS
from medallion.spec.references.fields import resolve_task as resolve_task
from medallion.spec.references.resolve import resolve as resolve
from medallion.spec.references.resolve import resolve_parameters as resolve_parameters
from medallion.spec.references.resolve import resolve_tree as resolve_tree
from medallion.spec.references.resolve import text_of as text_of
from medallion.spec.references.scan import Reference as Reference
from medallion.spec.references.scan import find as find
from medallion.spec.references.scope import OtherTask as OtherTask
from medallion.spec.references.scope import Scope as Scope
from medallion.spec.references.scope import TableUpdate as TableUpdate
