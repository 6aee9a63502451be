"""Quartz cron expressions: `Quartz.parse`, fire times, plain English, and Unix cron beside it. Runs everywhere; pure.

The reference is Quartz 2.5.2 itself; `tests/data/quartz` holds its answers.
"""

from __future__ import annotations

from medallion.spec.quartz.clock import clock_of as clock_of
from medallion.spec.quartz.expression import Quartz as Quartz
from medallion.spec.quartz.fields import QuartzError as QuartzError
from medallion.spec.quartz.unix import Schedule as Schedule
from medallion.spec.quartz.unix import parse_schedule as parse_schedule
