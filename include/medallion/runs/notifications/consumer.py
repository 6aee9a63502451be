"""Turns what happens to runs into messages, and sees to their delivery. In the jobs service and beside a local run."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING

from medallion.runs import ids
from medallion.runs.changes import Kind, RunChange
from medallion.runs.notifications.events import REASONS, Event, Reason, Told, notifications_of
from medallion.runs.notifications.message import Message, last_lines
from medallion.runs.notifications.outbox import Outbox
from medallion.runs.notifications.sender import log_file
from medallion.runs.notifications.transports import recipients_in_words
from medallion.runs.notifications.watching import SEPARATOR, Watchman, task_and_index
from medallion.runs.records import Records
from medallion.runs.termination import sentence

if TYPE_CHECKING:
    from medallion.runs.task_report import TaskReport
    from medallion.settings import Settings

log = logging.getLogger(__name__)

PRUNE_SECONDS = 3600.0
RETRIED = "another attempt follows"


class Notifications:
    """A consumer of changes: `consume` writes to the outbox and does nothing else, `tick` watches and starts senders."""

    name = "notifications"

    def __init__(self, settings: Settings, *, watchman: Watchman | None = None) -> None:
        self.settings = settings
        self.watchman = watchman or Watchman(settings.home)
        self.sender: subprocess.Popen[bytes] | None = None
        self.pruned = 0.0
        self.begun = False
        self._outbox: Outbox | None = None

    @property
    def outbox(self) -> Outbox:
        """The outbox; made when it is first needed."""
        if self._outbox is None:
            self._outbox = Outbox(self.settings.home, limit=self.settings.notification_hours * 3600)
        return self._outbox

    def consume(self, change: RunChange) -> None:
        """Put the notifications of a change into the outbox, each once however often the change is told."""
        if change.definition is None:
            return
        now = time.time()
        with self.outbox.whole():
            for told in notifications_of(change, first_attempt=self.first_attempt(change, now)):
                key = SEPARATOR.join((loop_key(change, told.loop) if told.loop else change.key, told.event))
                self.outbox.put(key, told.recipients, self.message(change, told), now)
            self.watchman.follow(self.outbox, change, lambda event: self.message(change, Told(event, ())), now)
        self.send(now)

    def tick(self, now: float) -> None:
        """Look at what still runs, start a sender when a message is due, tell of messages that were given up."""
        if not self.begun:
            # What an earlier process could not send is tried at once: nobody has tried it since.
            self.begun = True
            self.outbox.hurry(now)
        self.watchman.look(self.outbox, now)
        for letter in self.outbox.untold_failures():
            who = recipients_in_words(letter.recipient)
            log.warning("the notification %r to %s was not sent: %s", letter.message.subject, who, letter.error)
        if now - self.pruned > PRUNE_SECONDS:
            self.pruned = now
            self.outbox.forget_old(now)
        self.send(now)

    def send(self, now: float) -> None:
        """Start a sender when a message is due. The last change of a local run is followed by no tick."""
        due = self.outbox.next_due()
        if due is not None and due <= now and not self.is_sending():
            self.sender = start_sender(self.settings)

    def is_sending(self) -> bool:
        """Whether the sender that was started last is still at work."""
        return self.sender is not None and self.sender.poll() is None

    def first_attempt(self, change: RunChange, now: float) -> int:
        """The first attempt of a task in this repair: Airflow counts attempts over all repairs."""
        if change.kind is not Kind.ATTEMPT_STARTED or change.task is None or change.repair == 0:
            return 1
        parts = (change.snapshot.dag_id, change.snapshot.run_id, change.repair, change.task.task_key)
        return self.outbox.first_attempt(SEPARATOR.join(map(str, parts)), change.attempt, now)

    def message(self, change: RunChange, told: Told) -> Message:
        """What a notification of this change says."""
        assert change.definition is not None  # noqa: S101  `consume` has looked
        run, task = change.snapshot, None if told.loop else change.task
        about = task or (change.report if not told.loop else None)
        result = about.state.result if about else None
        return Message(
            event=told.event,
            job=change.report.job,
            job_id=change.definition.job_id or ids.job_id(run.dag_id),
            run_id=ids.run_id(run.dag_id, run.run_id),
            airflow_run_id=run.run_id,
            link=self.link(change),
            task=told.loop or (change.task.task_key if change.task else ""),
            task_run_id=task_run_id(change),
            result=str(result) if result and change.kind not in {Kind.RUN_STARTED, Kind.ATTEMPT_STARTED} else "",
            attempt=change.attempt,
            repair=change.repair,
            started=about.start_time if about else 0,
            ended=about.end_time if about else 0,
            error=self.error(change) if told.event is Event.FAILURE else "",
            note=RETRIED if told.retried else "",
            failed=tuple(item.task_key for item in failed_tasks(change)) if told.event is Event.FAILURE else (),
        )

    def error(self, change: RunChange) -> str:
        """The last lines of the traceback of the task, or of the first task that failed."""
        records = Records(self.settings.home, change.snapshot.dag_id, change.snapshot.run_id)
        if change.task is not None:
            text = failure_text(records, *task_and_index(change), change.attempt or change.task.attempts)
            return why(change.task) if change.task.iterations else text or why(change.task)
        for task in failed_tasks(change):
            for item in task.iterations or (task,):
                place = task_and_index(replace(change, task=item))
                if is_failure(item) and (text := failure_text(records, *place, item.attempts)):
                    return text
            if text := why(task):
                return text
        return ""

    def link(self, change: RunChange) -> str:
        """The page of the run, or of the task's attempt, in Airflow's UI."""
        quote = urllib.parse.quote
        base = (self.settings.base_url or f"http://{self.settings.host}:{self.settings.port}").rstrip("/")
        link = f"{base}/dags/{quote(change.snapshot.dag_id, safe='')}/runs/{quote(change.snapshot.run_id, safe='')}"
        if change.task is None or "[" in change.task.task_key or change.task.iterations is not None:
            return link
        return f"{link}/tasks/{quote(change.task.task_key, safe='')}"


def loop_key(change: RunChange, loop: str) -> str:
    """The key of a for-each task's start, the same for all its iterations."""
    parts = (change.snapshot.dag_id, change.snapshot.run_id, change.repair, "loop_started", loop, "")
    return SEPARATOR.join(map(str, parts))


def task_run_id(change: RunChange) -> int:
    """The id of the task's attempt; 0 for a run's change."""
    if change.task is None:
        return 0
    key, index = task_and_index(change)
    attempt = change.attempt or change.task.attempts
    return ids.task_run_id(change.snapshot.dag_id, change.snapshot.run_id, key, index, attempt)


def failed_tasks(change: RunChange) -> list[TaskReport]:
    """The tasks that failed themselves; none in a task's change."""
    if change.task is not None:
        return []
    return [task for task in change.report.tasks if is_failure(task)]


def is_failure(task: TaskReport) -> bool:
    """Whether a task or an iteration failed itself, and not because of another."""
    return bool(task.state.result and Reason.FAILED in REASONS.get(task.state.result, ()))


def failure_text(records: Records, key: str, index: int, attempt: int) -> str:
    """The end of the user's traceback, from the attempt's record; empty where there is none. It is masked already."""
    failure = records.failure(key, index, attempt)
    if failure is None:
        return ""
    return last_lines(str(failure.get("trace") or sentence(failure)))


def why(task: TaskReport) -> str:
    """Why a task without a traceback of its own failed: a loop, a task whose job cluster did not start."""
    return task.termination.message if task.failure and task.termination else ""


def start_sender(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a process that empties the outbox; it ends by itself, and with `medallion down`."""
    from medallion.components.configuration import environment
    from medallion.core.environment import OWNER

    place = log_file(settings.home)
    place.parent.mkdir(parents=True, exist_ok=True)
    variables = environment(settings) | {OWNER: str(settings.home), "_AIRFLOW_PROCESS_CONTEXT": "server"}
    with place.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "medallion.runs.notifications.sender"],
            env=variables,
            cwd=settings.project,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
