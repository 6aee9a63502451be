"""An attempt that fails leaves a sentence in its record, whatever its kind of task. Runs in the Airflow task process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowSkipException, AirflowTaskTimeout, DownstreamTasksSkipped

from medallion.factory.attempt import Attempt
from medallion.factory.log import show
from medallion.factory.retry import AttemptFailed, AttemptRefused, AttemptTimedOut
from medallion.runs.records import TIMEOUT

PLAIN = ""
"""Kind of a failure whose message says all."""


@contextmanager
def recorded(attempt: Callable[[], Attempt]) -> Iterator[None]:
    """Keep why the work inside failed, and say it in the log where the work did not. A record of its own stays.

    :param attempt: gives the attempt whose record it is.
    :raises AttemptFailed: in place of an error of ours, or a full disk: its words are in the log, without a traceback.
    """
    try:
        yield
    except (AirflowSkipException, DownstreamTasksSkipped):
        raise
    except AttemptRefused as refused:
        show(f"{type(refused.error).__name__}: {refused.error}")
        keep(attempt, type(refused.error).__name__, str(refused.error))
        raise
    except AirflowTaskTimeout:
        keep(attempt, TIMEOUT, "it ran longer than its time-out and was ended")
        raise
    except (AttemptFailed, AttemptTimedOut) as failed:
        keep(attempt, TIMEOUT if isinstance(failed, AttemptTimedOut) else PLAIN, str(failed))
        raise
    except Exception as error:
        words = in_words(error, attempt)
        if words is None:
            kind = PLAIN if isinstance(error, AirflowException) else type(error).__name__
            keep(attempt, kind, str(error) or type(error).__name__)
            raise
        show(f"{type(words).__name__}: {words}")
        keep(attempt, type(words).__name__, str(words))
        raise AttemptFailed(str(words)) from None


def keep(attempt: Callable[[], Attempt], kind: str, message: str) -> None:
    """Write the record. What prevents that hides no failure."""
    from medallion.project.projects import settings_of_dag

    with contextlib.suppress(Exception):
        failed = attempt()
        failed.keep_failure(settings_of_dag(failed.dag_id), kind, message)


def in_words(error: Exception, attempt: Callable[[], Attempt]) -> Exception | None:
    """An error of ours, or a full disk, in words; None for any other."""
    from medallion.compute.room import in_words as words_of
    from medallion.errors import MedallionError
    from medallion.project.projects import settings_of_dag

    if isinstance(error, MedallionError):
        return error
    return words_of(error, settings_of_dag(attempt().dag_id)) if isinstance(error, OSError) else None
