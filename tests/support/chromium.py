"""Chromium without a screen, driven as a user does; Debian's packages chromium and chromium-driver."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_core_python
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

# Everything that is waited for comes well within this time, in seconds, even on a loaded machine.
PATIENCE = 30.0
# Where screenshots are kept for whoever wants to look at them.
SHOTS = Path(os.environ.get("OCSGW_SCREENSHOTS", Path(__file__).resolve().parents[2] / "build" / "screenshots"))
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars")
_TEXT = "return document.querySelector(arguments[0])?.innerText ?? null;"
_AXE = Path(axe_core_python.__file__).parent / "axe.min.js"


class Chromium:
    """One browser with one window. Its own look-ups of anything on the network are switched off."""

    def __init__(self, *, javascript: bool = True) -> None:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in (*_ARGUMENTS, "--disable-background-networking", "--no-first-run"):
            options.add_argument(argument)
        if not javascript:
            off = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", off)
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.size(1280, 800)

    def close(self) -> None:
        """End it."""
        self.driver.quit()

    def size(self, width: int, height: int) -> None:
        """Have a window of this size inside."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, scheme: str) -> None:
        """Prefer `light` or `dark`."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def text(self, selector: str = "body") -> str:
        """Return what is shown in an element."""
        # In one step: a part of a page may be replaced between two.
        found = self.driver.execute_script(_TEXT, selector)
        if found is None:
            raise NoSuchElementException(selector)
        return str(found)

    def fill(self, name: str, text: str) -> None:
        """Write into the field of a form."""
        found = self.driver.find_element(By.NAME, name)
        found.clear()
        found.send_keys(text)

    def choose(self, name: str, path: Path) -> None:
        """Choose a file in the field of a form."""
        self.driver.find_element(By.NAME, name).send_keys(str(path))

    def press(self, label: str) -> None:
        """Press the button that says, or is called, `label`, as soon as it is there."""
        path = f"//button[@aria-label='{label}' or (not(@aria-label) and normalize-space()='{label}')]"
        self.wait(lambda: self.driver.find_elements(By.XPATH, path))
        self.driver.find_element(By.XPATH, path).click()

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true."""
        # A page may be replaced while it is looked at.
        changing = (StaleElementReferenceException, NoSuchElementException)
        wait = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05, ignored_exceptions=changing)
        wait.until(lambda _: condition())

    def expect(self, text: str, selector: str = "body") -> None:
        """Wait until an element shows a text; whether a click has brought the next page yet is not known before."""
        try:
            self.wait(lambda: text in self.text(selector))
        except TimeoutException:
            raise AssertionError(f"{text!r} is not in {self.text(selector)!r}") from None

    def overflow(self) -> tuple[int, int]:
        """Return by how many pixels the page is wider and higher than the window."""
        script = (
            "const e = document.documentElement; "
            "return [e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight];"
        )
        wide, high = self.driver.execute_script(script)
        return int(wide), int(high)

    def complaints(self) -> list[str]:
        """Return what the browser itself complains about, as breaches of the content security policy."""
        return [str(each["message"]) for each in self.driver.get_log("browser")]

    def violations(self) -> list[str]:
        """Return what axe-core finds against accessibility."""
        # In a world of its own, which the policy of the page does not concern.
        tree: Any = self.driver.execute_cdp_cmd("Page.getFrameTree", {})
        frame = tree["frameTree"]["frame"]["id"]
        world: Any = self.driver.execute_cdp_cmd("Page.createIsolatedWorld", {"frameId": frame})
        source = _AXE.read_text(encoding="utf-8")
        expression = f"{source};axe.run(document).then((found) => JSON.stringify(found.violations))"
        call = {"expression": expression, "contextId": world["executionContextId"], "awaitPromise": True}
        found: Any = self.driver.execute_cdp_cmd("Runtime.evaluate", {**call, "returnByValue": True})
        return [
            f"{each['id']} ({each['impact']}): {[node['html'] for node in each['nodes']]}"
            for each in json.loads(found["result"]["value"])
        ]

    def shoot(self, name: str) -> None:
        """Keep a picture of the window."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))
