"""A real browser at Airflow's web UI: Debian's Chromium, Chrome, or the browser that Playwright itself installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 90_000
"""Milliseconds: a loaded machine draws slowly."""


@contextmanager
def signed_in(url: str, home: Path) -> Iterator[Page]:
    """A page that has logged in to the Airflow of a Medallion home."""
    from playwright.sync_api import sync_playwright

    password = json.loads((home / "airflow" / "passwords.json").read_text(encoding="utf-8"))["admin"]
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            page = browser.new_page(base_url=url, viewport={"width": 1400, "height": 900})
            page.set_default_timeout(PATIENCE)
            page.goto("/auth/login")
            page.fill("input[name=username]", "admin")
            page.fill("input[name=password]", password)
            page.click("button[type=submit]")
            page.wait_for_url(lambda address: "/auth/login" not in address)
            yield page
        finally:
            browser.close()
