"""What the pages share: one frame of HTML, its policy, times and states as people read them. Runs in the API server."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # With less than this a browser would not say where a form comes from.
    "Referrer-Policy": "same-origin",
}
"""The headers of every answer, set by `web.app`: pages run nothing and load nothing; their forms come back here, and only
Airflow's own pages may hold them."""

FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{refresh}<style>
:root {{ color-scheme: light dark }}
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; max-width: 75rem }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 1.5rem }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem; border-bottom: 1px solid #8884 }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
fieldset {{ border: 1px solid #8886; border-radius: .4rem; margin: 0 0 1rem; padding: .6rem 1rem }}
label {{ display: block; margin: .25rem 0 }}
label.inline {{ display: inline-block; margin-right: 1.2rem }}
input[type=text] {{ min-width: 24rem; font: inherit; padding: .2rem .4rem }}
button {{ font: inherit; padding: .35rem 1rem; border-radius: .4rem; border: 1px solid #8888; cursor: pointer }}
.problem, .bad {{ color: #c5221f }}
.good {{ color: #188038 }}
.says {{ opacity: .7 }}
.quiet {{ color: #80868b }}
.message {{ white-space: pre-wrap; overflow-wrap: anywhere }}
.notice {{ border-left: .3rem solid #1a73e8; padding: .3rem .8rem; margin-bottom: 1rem }}
</style></head><body><h1>{heading}</h1>{body}</body></html>"""

BAD = frozenset({"FAILED", "TIMEDOUT", "UPSTREAM_FAILED", "INTERNAL_ERROR", "MAXIMUM_CONCURRENT_RUNS_REACHED"})
GOOD = frozenset({"SUCCESS", "SUCCESS_WITH_FAILURES"})


def frame(heading: str, body: str, *, refresh: int = 0) -> str:
    """A whole page.

    :param heading: text; it is escaped.
    :param body: HTML, in which all that came from elsewhere is escaped.
    :param refresh: seconds until the browser asks again; 0 for never.
    """
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return FRAME.format(title=escape(heading), heading=escape(heading), body=body, refresh=again)


def table(headings: tuple[str, ...], rows: list[str]) -> str:
    """A table of rows that are HTML already."""
    head = "".join(f"<th>{escape(item)}</th>" for item in headings)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def state(word: str) -> str:
    """A state with its colour."""
    kind = "bad" if word in BAD else "good" if word in GOOD else "quiet"
    return f'<span class="{kind}">{escape(word)}</span>'


def time_text(at: datetime) -> str:
    """A time as a person reads it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def millis_text(millis: int) -> str:
    """Epoch milliseconds as a time; empty for 0."""
    return time_text(datetime.fromtimestamp(millis / 1000, UTC)) if millis else ""
