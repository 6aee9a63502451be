"""Plain English."""

from __future__ import annotations

import pytest

from medallion.spec.quartz import Quartz, parse_schedule


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0 0 2 * * ?", "At 02:00, every day"),
        ("0 0 2,14 * * ?", "At 02:00 and 14:00, every day"),
        ("15 30 9 ? * MON-FRI", "At 09:30:15, Monday to Friday"),
        ("* * * * * ?", "Every second, every day"),
        ("0 * * * * ?", "Every minute, every day"),
        ("0 */15 * * * ?", "Every 15 minutes, every day"),
        ("0 0 * * * ?", "Every hour, every day"),
        ("0 30 */2 * * ?", "Every 2 hours at minute 30, every day"),
        ("0 0 8-18 ? * 2-6", "Every hour from 08:00 to 18:00, Monday to Friday"),
        ("0 0/5 14,18 * * ?", "Every 5 minutes, between 14:00 and 14:59 and between 18:00 and 18:59, every day"),
        ("5 * * * * ?", "At second 5, every minute, every day"),
        ("0 15 10 ? * 6L", "At 10:15, on the last Friday of the month"),
        ("0 15 10 ? * 6#3", "At 10:15, on the third Friday of the month"),
        ("0 15 10 LW * ?", "At 10:15, on the last weekday (Monday to Friday) of the month"),
        ("0 15 10 L-3 * ?", "At 10:15, 3 days before the last day of the month"),
        ("0 0 0 15W * ? 2030", "At 00:00, on the weekday (Monday to Friday) nearest to day 15 of the month, in 2030"),
        ("0 0 0 1,15,L * ?", "At 00:00, on days 1 and 15 and on the last day of the month"),
        (
            "0 0 0 1 MAR-NOV ? 2026/2",
            "At 00:00, on day 1 of the month, from March to November, every 2 years from 2026",
        ),
        ("0 0 0 ? 1,7 SUN,WED", "At 00:00, on Sunday and Wednesday, in January and July"),
    ],
)
def test_an_expression_in_words(expression, text):
    assert Quartz.parse(expression).describe() == text


def test_both_day_fields_of_unix_cron_in_words():
    assert parse_schedule("0 0 1 * 1").quartz.describe() == "At 00:00, on day 1 of the month or on Monday"
