"""What an attempt keeps when its process could not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.errors import ReferenceFault
from medallion.factory.attempt import Attempt
from medallion.runs.records import RESULT_FILE, Records
from medallion.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, environ={})


ATTEMPT = Attempt("d", "r", "load", -1, 1, job_name="d", job_id=1, conf={})


def test_an_error_before_the_process_is_in_the_attempt_s_record(settings: Settings) -> None:
    fault = ReferenceFault("no parameter runn_date", hint="did you mean run_date?")
    ATTEMPT.keep_failure(settings, type(fault).__name__, str(fault))
    failure = Records(settings.home, "d", "r").failure("load", -1, 1)
    assert failure is not None
    assert (failure["kind"], failure["message"]) == (
        "ReferenceFault",
        "no parameter runn_date; did you mean run_date?",
    )


def test_what_the_process_has_said_stays(settings: Settings) -> None:
    folder = ATTEMPT.folder(settings)
    folder.mkdir(parents=True)
    (folder / RESULT_FILE).write_text(json.dumps({"success": True}))
    ATTEMPT.keep_failure(settings, "ReferenceFault", "later")
    assert json.loads((folder / RESULT_FILE).read_text()) == {"success": True}
