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
        ("0 */7 * * * ?", "Every 7 minutes from minute 0 to 56, every day"),
        ("0 */25 * * * ?", "At minutes 0, 25 and 50 of every hour, every day"),
        ("0 0 0/23 * * ?", "At 00:00 and 23:00, every day"),
        ("0 0 */5 * * ?", "At 00:00, 05:00, 10:00, 15:00 and 20:00, every day"),
        ("0 0 5/2 * * ?", "Every 2 hours from 05:00 to 23:00, every day"),
        ("0 0-59 0-23 1-31 * ?", "Every minute, every day"),
        (
            "0 15,45 9-17/2 ? * MON-FRI",
            "At minutes 15 and 45, in every 2nd hour from 09:00 to 17:59, Monday to Friday",
        ),
        ("*/15 */5 8-10 * * ?", "Every 15 seconds, in every 5th minute, between 08:00 and 10:59, every day"),
        (
            "* 30-35,50 9 * * ?",
            "Every second, in minutes 30 to 35 and in minute 50, between 09:00 and 09:59, every day",
        ),
        ("5,7 10,20 * * * ?", "At seconds 5 and 7, in minutes 10 and 20, every day"),
        ("0 0 12 28-3 * ?", "At 12:00, on days 28 to 31 and 1 to 3 of the month"),
        ("0 0 12 1/15 * ?", "At 12:00, on days 1, 16 and 31 of the month"),
        ("0 0 12 */3 * ?", "At 12:00, every 3 days from day 1 of the month"),
        ("0 0 12 L-3W * ?", "At 12:00, on the weekday nearest to 3 days before the last day of the month"),
        ("0 0 12 ? * SAT-SUN", "At 12:00, on Saturday and Sunday"),
        ("0 0 12 ? * MON-WED,FRI", "At 12:00, Monday to Wednesday and on Friday"),
        ("0 0 12 ? * FRI-MON", "At 12:00, Friday to Monday"),
        ("0 0 12 ? * MON-FRI/2", "At 12:00, Monday to Friday"),
        (
            "0 0 12 1 JAN-MAR,OCT-DEC ?",
            "At 12:00, on day 1 of the month, from January to March and from October to December",
        ),
        ("0 0 12 1 NOV-FEB ?", "At 12:00, on day 1 of the month, from November to February"),
        ("0 0 12 * * ? 2026,2028,2030-2032", "At 12:00, every day, in 2026 and 2028 and from 2030 to 2032"),
        ("0 0 0 30 2 ?", "At 00:00, on day 30 of the month, in February, which never comes"),
    ],
)
def test_an_expression_in_words(expression, text):
    assert Quartz.parse(expression).describe() == text


def test_both_day_fields_of_unix_cron_in_words():
    assert parse_schedule("0 0 1 * 1").quartz.describe() == "At 00:00, on day 1 of the month or on Monday"
    text = "At 00:00, every 2 days from day 1 of the month but only on Monday"
    assert parse_schedule("0 0 */2 * 1").quartz.describe() == text
