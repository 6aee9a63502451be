"""What a notification says, as plain facts and in the form of each kind of destination. Pure; in the sender and service.

The JSON of a webhook is the one that the Databricks page "Add notifications on a job" documents, no more and no less:
receivers match it strictly. Slack's and Teams' texts are our own; Databricks calls its own ones subject to change.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from medallion.runs.notifications.events import Event

WORKSPACE_ID = 0
"""There is no workspace here; `{{workspace.id}}` says the same."""

WORDS = {
    Event.START: "Started",
    Event.SUCCESS: "Succeeded",
    Event.FAILURE: "Failed",
    Event.DURATION: "Runs long",
    Event.BACKLOG: "Streaming backlog",
}
RESULT_WORDS = {
    "SUCCESS_WITH_FAILURES": "Succeeded with failures",
    "TIMEDOUT": "Timed out",
    "CANCELED": "Canceled",
    "UPSTREAM_FAILED": "Skipped, upstream failed",
    "UPSTREAM_CANCELED": "Skipped, upstream canceled",
    "MAXIMUM_CONCURRENT_RUNS_REACHED": "Skipped, too many runs at once",
}
LONGEST_LINE = 500
LONGEST_ERROR = 2500
"""Slack takes 3,000 characters in a section."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notification, the same for all its recipients.

    :param run_id: of the job run, as the Jobs API counts.
    :param task_run_id: of the task's attempt; 0 for a job's notification.
    :param result: result state; empty while it runs or is tried again.
    :param started: epoch milliseconds; 0 when it did not start.
    :param error: the last lines of the user's own traceback.
    :param note: one more sentence: what was exceeded, that another attempt follows.
    :param failed: keys of the failed tasks, in a job's notification.
    """

    event: str
    job: str
    job_id: int
    run_id: int
    airflow_run_id: str
    link: str
    task: str = ""
    task_run_id: int = 0
    result: str = ""
    attempt: int = 0
    repair: int = 0
    started: int = 0
    ended: int = 0
    error: str = ""
    note: str = ""
    failed: tuple[str, ...] = ()

    def to_json(self) -> str:
        """JSON text of the message."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Message:
        """The message that `to_json` wrote. Unknown members are left out."""
        raw = json.loads(text)
        known = {item.name for item in fields(cls)}
        return cls(**{**{name: value for name, value in raw.items() if name in known}, "failed": tuple(raw["failed"])})

    @property
    def word(self) -> str:
        """What happened, in a word or two."""
        if self.event == Event.SUCCESS or (self.event == Event.FAILURE and self.result):
            return RESULT_WORDS.get(self.result, WORDS[Event(self.event)])
        return WORDS[Event(self.event)]

    @property
    def subject(self) -> str:
        """The first line: what happened to what."""
        what = f"{self.job}, task {self.task}" if self.task else self.job
        return one_line(f"{self.word}: {what}")

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Name and text of each fact, for forms that show them one below the other."""
        number = str(self.run_id) + (f", repair {self.repair}" if self.repair else "")
        found = [
            ("Job", f"{self.job} ({self.job_id})"),
            ("Run", f"{number} ({self.airflow_run_id})"),
            ("Task", self.task + (f", attempt {self.attempt}" if self.task and self.attempt > 1 else "")),
            ("State", self.result),
            ("Started", moment(self.started)),
            ("Took", took(self.started, self.ended)),
            ("Failed tasks", ", ".join(self.failed[:20]) + (" …" if len(self.failed) > 20 else "")),
            ("Note", self.note),
        ]
        return [(name, text) for name, text in found if text]

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        lines = [self.subject, "", *(f"{name}: {text}" for name, text in self.facts)]
        if self.error:
            lines += ["", self.error]
        return "\n".join([*lines, "", self.link, ""])

    @property
    def page(self) -> str:
        """The whole message as HTML."""
        rows = "".join(
            f"<tr><td><b>{html.escape(name)}</b></td><td>{html.escape(text)}</td></tr>" for name, text in self.facts
        )
        error = f"<pre>{html.escape(self.error)}</pre>" if self.error else ""
        link = html.escape(self.link, quote=True)
        return (
            f'<h3>{html.escape(self.subject)}</h3><table>{rows}</table>{error}<p><a href="{link}">Open the run</a></p>'
        )


def moment(millis: int) -> str:
    """A moment in UTC; empty for none."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(millis / 1000)) if millis else ""


def took(started: int, ended: int) -> str:
    """How long it took; empty when it did not start or has not ended."""
    return f"{(ended - started) / 1000:.1f} s" if started and ended else ""


def one_line(text: str, most: int = 200) -> str:
    """Text for a header: no control characters, at most so long."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def last_lines(trace: str, lines: int = 15) -> str:
    """The end of a traceback, whole lines, short enough for every kind of destination."""
    kept = [line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + " …" for line in trace.rstrip().splitlines()]
    kept = kept[-lines:]
    while len(kept) > 1 and sum(len(line) + 1 for line in kept) > LONGEST_ERROR:
        kept.pop(0)
    return "\n".join(kept)


def webhook(message: Message) -> dict[str, Any]:
    """The documented JSON of a webhook. A task's run has its own id, and the job run's as its parent."""
    told: dict[str, Any] = {"event_type": f"jobs.{message.event}", "workspace_id": WORKSPACE_ID}
    if message.task:
        told["task"] = {"task_key": message.task}
        told["run"] = {"run_id": message.task_run_id, "parent_run_id": message.run_id}
    else:
        told["run"] = {"run_id": message.run_id}
    told["job"] = {"job_id": message.job_id, "name": message.job}
    return told


def slack(message: Message) -> dict[str, Any]:
    """A message of Slack's incoming webhooks and of `chat.postMessage`: `text` for the preview, `blocks` for the rest."""
    facts = "\n".join(f"*{slack_text(name)}:* {slack_text(text)}" for name, text in message.facts)
    texts = [f"*{slack_text(message.subject)}*\n{facts}"]
    if message.error:
        code = message.error.replace("```", '"""')  # back-ticks would end the block
        texts.append(f"```{slack_text(code)[:2900]}```")
    texts.append(f"<{message.link}|Open the run>")
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}} for text in texts]
    return {"text": slack_text(message.subject), "blocks": sections}


def slack_text(text: str) -> str:
    """Text with the three signs escaped that mean something to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(message: Message) -> dict[str, Any]:
    """An Adaptive Card, as the "Workflows" webhooks of Microsoft Teams take it."""
    body = [rich([run_of_text(message.subject, weight="Bolder", size="Medium")])]
    body += [rich([run_of_text(f"{name}: ", weight="Bolder"), run_of_text(text)]) for name, text in message.facts]
    if message.error:
        lines = message.error.split("\n")
        body += [rich([run_of_text(line, fontType="Monospace")]) for line in lines if line.strip()]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open the run", "url": message.link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def rich(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One paragraph of a card. Unlike a TextBlock it knows no Markdown, so a name makes no link and no heading."""
    return {"type": "RichTextBlock", "inlines": runs}


def run_of_text(text: str, **style: str) -> dict[str, Any]:
    """Text as it stands, in a style."""
    return {"type": "TextRun", "text": text, **style}


SEVERITIES = {Event.FAILURE: "error", Event.DURATION: "warning", Event.BACKLOG: "warning"}


def pagerduty(message: Message) -> dict[str, Any]:
    """An event of PagerDuty's Events API v2; its routing key is added where the secret is known."""
    return {
        "event_action": "trigger",
        "payload": {
            "summary": message.subject,
            "source": "medallion",
            "severity": SEVERITIES.get(Event(message.event), "info"),
            "custom_details": {**dict(message.facts), "Error": message.error},
        },
        "links": [{"href": message.link, "text": "Open the run"}],
    }


FORMS: Mapping[str, Callable[[Message], dict[str, Any]]] = {
    "webhook": webhook,
    "slack": slack,
    "teams": teams,
    "pagerduty": pagerduty,
}
