"""A hook tool as a program: passes its arguments to the agent and prints the answer.

It stands alone, without the package and without site-packages, so that it starts in a few
milliseconds; the agent writes it once and links it under the name of each tool. Call and answer
are sequences of netstrings: token, stdin, arguments; then exit code, stdout, stderr.
"""

import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket
from itertools import pairwise


def pack(*fields: bytes) -> bytes:
    """One message: its length, then each field as a netstring."""
    body = b"".join(b"%d:%s," % (len(field), field) for field in fields)
    return b"%d:%s," % (len(body), body)


def unpack(received: bytearray) -> list[bytes] | None:
    """Take a message's fields from what was received; None while some of it is still to come."""
    start = received.find(b":") + 1
    if not start or len(received) <= (end := start + int(received[: start - 1])):
        return None
    body, fields = bytes(received[start:end]), list[bytes]()
    del received[: end + 1]
    while body:
        length, _, rest = body.partition(b":")
        size = int(length)
        fields.append(rest[:size])
        body = rest[size + 1 :]
    return fields


def call(connection: socket, *fields: bytes) -> list[bytes]:
    """Send one message and wait for the answer.

    Raises:
        ConnectionError: the agent closed the connection: the hook's context is over.
    """
    connection.sendall(pack(*fields))
    return answer(connection, bytearray())


def answer(connection: socket, received: bytearray) -> list[bytes]:
    """Wait for one answer; what came of the next one stays in `received`.

    Raises:
        ConnectionError: the agent closed the connection: the hook's context is over.
    """
    while (fields := unpack(received)) is None:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the agent closed the connection")
        received += more
    return fields


def _reads_stdin(arguments: list[str]) -> bool:
    return "--file=-" in arguments or ("--file", "-") in pairwise(arguments)


def _main() -> int:
    name = sys.argv[0].rpartition("/")[2]
    arguments = sys.argv[1:]
    try:
        connection = socket(AF_UNIX, SOCK_STREAM)
        connection.connect(os.environ["JUJU_AGENT_SOCKET_ADDRESS"])
        token = os.environ["JUJU_CONTEXT_ID"]
        stdin = sys.stdin.buffer.read() if _reads_stdin(arguments) else b""
        words = [os.fsencode(word) for word in (token, name, *arguments)]
        code, stdout, stderr = call(connection, words[0], stdin, *words[1:])
    except KeyError as e:
        sys.stderr.write(f"ERROR {e.args[0]} is not set: {name} works within a hook only\n")
        return 1
    except OSError as e:
        sys.stderr.write(f"ERROR cannot reach the agent: {e}\n")
        return 1
    sys.stdout.buffer.write(stdout)
    sys.stderr.buffer.write(stderr)
    return int(code)


if __name__ == "__main__":
    sys.exit(_main())
