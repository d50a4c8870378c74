"""One exchange of Nova's metadata service: an HTTP request on stdin, the answer on stdout.

    python metadata.py FOLDER

QEMU starts it for each connection that a guest makes to 169.254.169.254. FOLDER holds what can be
read; what is posted is written there.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> None:
    method, path, _ = sys.stdin.buffer.readline().decode().split()
    headers: dict[str, str] = {}
    for line in iter(sys.stdin.buffer.readline, b"\r\n"):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    file = folder / path.lstrip("/")
    status, body = "200 OK", b""
    if method == "POST":
        file.write_bytes(sys.stdin.buffer.read(int(headers["content-length"])))
    elif file.is_file():
        body = file.read_bytes()
    else:
        status, body = "404 Not Found", b"no such thing\n"
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    sys.stdout.buffer.write(head.encode() + body)


main(Path(sys.argv[1]))
