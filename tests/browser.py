"""A headless Chromium, for what looks at pages."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

DRAWN = "return document.querySelectorAll('.chart.live .vega-embed svg').length"
"""How many figures of a page are drawn."""


@contextmanager
def started_browser(folder, javascript=True):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        f"--user-data-dir={folder}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not javascript:
        off = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", off)
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    found.set_window_size(1200, 30000)
    try:
        yield found
    finally:
        found.quit()
