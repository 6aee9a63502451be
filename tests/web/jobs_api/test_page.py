"""docs/jobs_api.md has a row for each endpoint of the code. `WRITE_PAGE=1` writes the rows."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

WITNESSES = {
    "/api/2.0/preview/scim/v2/Me": "test_a_token_of_ours_tells_the_sdk_who_it_is",
    "/api/2.0/jobs/list": "test_the_sdk_lists_the_jobs_in_pages_newest_first",
    "/api/2.0/jobs/get": "test_the_sdk_gets_a_job_with_defaults",
    "/.well-known/databricks-config": "test_the_sdk_reads_the_workspace_id",
}
"""The test in which a client asks for each endpoint."""
HEAD = "|---|---|---|\n"
WRITE = os.environ.get("WRITE_PAGE")


def rows() -> list[str]:
    """A row for each route."""
    from medallion.web.jobs_api.app import ROUTERS, WELL_KNOWN, build

    found = []
    for prefix, routers in (("/api/2.0", ROUTERS), ("/.well-known", WELL_KNOWN)):
        for route in build(routers).routes:
            path, does = prefix + route.path, (inspect.getdoc(route.endpoint) or "").partition("\n")[0]
            methods = sorted(route.methods - {"HEAD"})
            found.extend(f"| `{method} {path}` | {does} | `{WITNESSES[path]}` |\n" for method in methods)
    return sorted(found)


def test_the_page_has_a_row_for_each_endpoint(project: Path) -> None:
    page = project / "docs/jobs_api.md"
    before, _, after = page.read_text(encoding="utf-8").partition(HEAD)
    if WRITE:
        rest = re.sub(r"\A(\|.*\n)*", "", after)
        page.write_text(before + HEAD + "".join(rows()) + rest, encoding="utf-8")
        return
    assert after.startswith("".join(rows()))
    assert after.count("\n|") == len(rows()) - 1


def test_each_witness_is_a_test() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert not [name for name in WITNESSES.values() if f"def {name}(" not in text]
