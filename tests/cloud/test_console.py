"""The guest's screen, over a websocket and in a browser on this host."""

from __future__ import annotations

import itertools
import logging
import struct
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from openstack.connection import Connection
from playwright.sync_api import Browser, Page, WebSocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.cloud.conftest import ARTEFACTS, Microstack
from tests.cloud.guests import Guest, wait_until

# The client's first message: https://www.spice-space.org/spice-protocol.html, link message.
MAGIC = b"REDQ"
CAPABILITIES = struct.pack("<I", 1 << 0 | 1 << 3)
LINK = struct.pack("<IBBIII", 0, 1, 0, 1, 0, 18) + CAPABILITIES
GREETING = MAGIC + struct.pack("<III", 2, 2, len(LINK)) + LINK

CELLS = """
() => {
    const canvas = document.querySelector("#spice-screen canvas");
    if (!canvas) return null;
    const [columns, rows] = [80, 25];
    const [width, height] = [canvas.width / columns, canvas.height / rows];
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const inked = (column, row) => {
        for (let y = row * height; y < (row + 1) * height; y++)
            for (let x = column * width; x < (column + 1) * width; x++)
                if (pixels[4 * (y * canvas.width + x)] > 64) return true;
        return false;
    };
    const range = (n) => [...Array(n).keys()];
    return range(rows).map((r) => range(columns).map((c) => inked(c, r) ? "#" : " ").join(""));
}
"""
"""The canvas as text cells: which of them show something."""

TICKET = """
async () => {
    const { rsa_encrypt } = await import("/ticket.js");
    const { RSAKey } = await import("/thirdparty/rsa.js");
    const key = new RSAKey();
    key.setPublic("f".repeat(256), "1");
    return rsa_encrypt(key, "\\0");
}
"""
"""A ticket as the page makes it. With the exponent 1 it is what OAEP encrypts, which begins with a
zero byte (RFC 8017, 7.1.1); with a server's key about one in 180 does."""


@pytest.fixture
def url(t1: Guest, connection: Connection) -> str:
    """A fresh address of the screen: tokens end after an hour."""
    server = connection.compute.find_server("t1", ignore_missing=False)
    return connection.compute.create_console(server, console_type="spice-html5")["url"]


logger = logging.getLogger(__name__)
numbers = itertools.count(1)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page; what happens in it is shown with a failure."""
    page = browser.new_page()
    page.on("console", lambda message: logger.info("page: %s", message.text))
    page.on("pageerror", lambda error: logger.info("page: %s", error))
    page.on("websocket", follow)
    yield page
    page.close()


def follow(socket: WebSocket) -> None:
    """Tell what becomes of a websocket."""
    number = next(numbers)
    logger.info("websocket %d opens", number)
    socket.on("socketerror", lambda error: logger.info("websocket %d: %s", number, error))
    socket.on("close", lambda _: logger.info("websocket %d closed", number))


def websocket(url: str, token: str) -> ClientConnection:
    """Connect as the page does."""
    host = urlsplit(url).netloc
    return connect(
        f"ws://{host}/websockify?token={token}", origin=f"http://{host}", subprotocols=["binary"]
    )


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


def test_the_printed_address_is_a_page(t1: Guest) -> None:
    assert requests.get(t1.console, timeout=30).status_code == 200


def test_spice_answers_over_the_websocket(url: str) -> None:
    with websocket(url, token_of(url)) as socket:
        socket.send(GREETING)
        answer = socket.recv(timeout=30)
    assert isinstance(answer, bytes)
    assert answer.startswith(MAGIC)


def test_no_screen_without_a_token(url: str) -> None:
    with pytest.raises((InvalidHandshake, ConnectionClosed)):  # noqa: SIM117
        with websocket(url, "0" * 36) as socket:
            socket.send(GREETING)
            socket.recv(timeout=30)


def test_a_ticket_is_as_long_as_the_key_also_where_it_begins_with_a_zero(
    url: str, page: Page
) -> None:
    page.goto(f"http://{urlsplit(url).netloc}/spice.html")
    ticket: list[int] = page.evaluate(TICKET)
    assert (len(ticket), ticket[0]) == (128, 0)


def test_the_browser_shows_the_prompt_and_takes_keys(
    cloud: Microstack, t1: Guest, url: str, page: Page
) -> None:
    page.goto(url)
    try:
        wait_until(lambda: shows_screen(page, t1), "the guest's screen on the page", 60)
    except AssertionError:
        page.screenshot(path=ARTEFACTS / "console-not-shown.png")
        logger.info(cloud("logs", "nova-spiceproxy", "-n", "40").stdout)
        raise
    assert "t1 login:" in screen(t1)
    page.screenshot(path=ARTEFACTS / "console.png")
    page.locator("#spice-screen canvas").first.click()
    page.keyboard.type("guest\n", delay=100)
    wait_until(lambda: "Password:" in screen(t1), "the typed name on the guest's screen", 30)
    page.keyboard.type("guest\n", delay=100)
    wait_until(lambda: "guest@t1:~#" in screen(t1), "a shell on the guest's screen", 30)
    wait_until(lambda: shows_screen(page, t1), "the shell on the page", 30)
    page.screenshot(path=ARTEFACTS / "console-logged-in.png")


def screen(guest: Guest) -> str:
    """The text on the guest's first virtual console."""
    return guest.run("cat /dev/vcs1")


def shows_screen(page: Page, guest: Guest) -> bool:
    """Whether the page shows something in just the cells where the guest's screen has text."""
    cells: list[str] | None = page.evaluate(CELLS)
    text = screen(guest)
    lines = [text[start : start + 80] for start in range(0, len(text), 80)]
    expected = ["".join(" " if c == " " else "#" for c in line) for line in lines]
    # The cursor, an underscore after the last text, is drawn or is not, as it blinks.
    return cells is not None and all(map(alike, cells, expected))


def alike(one: str, other: str) -> bool:
    return sum(a != b for a, b in zip(one, other, strict=True)) <= 1
