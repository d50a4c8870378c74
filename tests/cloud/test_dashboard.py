"""The dashboard, as its user sees it in a browser on this host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openstack.connection import Connection
from playwright.sync_api import Browser, Page, expect

from tests.cloud.conftest import ARTEFACTS, Microstack
from tests.cloud.guests import Guest

SLOW = 60_000.0
"""Milliseconds. The first pages compile templates, on cores that emulate guests besides."""


@pytest.fixture(scope="module")
def address(cloud: Microstack) -> str:
    """Where `up` says that the dashboard is."""
    line = next(line for line in cloud("up").stdout.splitlines() if line.startswith("dashboard"))
    return line.split()[1]


@pytest.fixture(scope="module")
def page(browser: Browser, address: str, connection: Connection) -> Iterator[Page]:
    """A page of a user who has logged in."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(SLOW)
    page.goto(address)
    account = connection.config.auth
    page.fill("input[name=username]", account["username"])
    page.fill("input[name=password]", account["password"])
    page.screenshot(path=ARTEFACTS / "dashboard-log-in.png")
    page.click("#loginBtn")
    expect(page.locator(".topbar")).to_contain_text("admin", timeout=SLOW)
    yield page
    page.close()


def test_a_wrong_password_is_refused(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(SLOW)
    page.goto(address)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "wrong")
    page.click("#loginBtn")
    expect(page.locator("body")).to_contain_text("Invalid credentials", timeout=SLOW)
    page.close()


def test_the_instance_is_listed(page: Page, address: str, t1: Guest) -> None:
    page.goto(f"{address}project/instances/")
    row = page.locator("#instances tr", has_text="t1")
    expect(row).to_contain_text("Active", timeout=SLOW)
    expect(row).to_contain_text(t1.address)
    page.screenshot(path=ARTEFACTS / "dashboard-instances.png")


@pytest.mark.parametrize(
    ("panel", "text"),
    [
        ("project/network_topology/", "Network Topology"),
        ("project/networks/", "external"),
        ("project/routers/", "test-router"),
        ("project/images", "guest"),
        ("admin/hypervisors/", "QEMU"),
    ],
)
def test_panels_show_what_the_cloud_has(page: Page, address: str, panel: str, text: str) -> None:
    page.goto(f"{address}{panel}")
    expect(page.locator("body")).to_contain_text(text, timeout=SLOW)


def test_the_console_is_in_the_dashboard(page: Page, address: str, t1: Guest) -> None:
    page.goto(f"{address}project/instances/")
    tab = page.locator("#instances tr", has_text="t1").locator("a.btn-console")
    page.goto(f"{address.rstrip('/')}{tab.get_attribute('href')}")
    frame = page.frame_locator("iframe#console_embed")
    expect(frame.locator("#spice-screen canvas").first).to_be_visible(timeout=SLOW)
    page.screenshot(path=ARTEFACTS / "dashboard-console.png")
