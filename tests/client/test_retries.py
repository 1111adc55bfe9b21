"""When a client sends a call again, and when it must not."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trio

from aion_trio.client import DaemonUnavailableError, Retry, open_client, open_sync_client
from aion_trio.errors import AionError, InvalidInputError

SOON = Retry(attempts=4, initial=0.001, maximum=0.002)
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
NO_DAEMON = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"
ACKNOWLEDGED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, one a connection (empty: it hangs up); its URL, and the requests that it got."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                with suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        request = connection.recv(65536)
                        while b"\r\n\r\n" not in request or (b"POST" in request and not request.endswith(b"}")):
                            request += connection.recv(65536)
                        requests.append(request)
                        connection.sendall(answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests


async def test_a_signal_is_sent_again_with_its_request_id() -> None:
    with answering(b"", BUSY, ACKNOWLEDGED) as (url, requests):
        async with open_client(url, retry=SOON) as client:
            with trio.fail_after(5):
                await client.handle("w").signal("go", 1)
    assert len(requests) == 3
    bodies = {request.partition(b"\r\n\r\n")[2] for request in requests}
    assert len(bodies) == 1 and b'"request_id":"' in bodies.pop()


@pytest.mark.parametrize("answer", [b"", BUSY])
async def test_a_terminate_that_may_have_got_through_is_not_sent_again(answer: bytes) -> None:
    with answering(answer, ACKNOWLEDGED) as (url, requests):
        async with open_client(url, retry=SOON) as client:
            with trio.fail_after(5), pytest.raises(AionError):
                await client.handle("w").terminate()
    assert len(requests) == 1


def test_what_never_got_through_is_told_after_the_last_attempt() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with open_sync_client(f"http://127.0.0.1:{nobody.getsockname()[1]}", retry=SOON) as client:
            with pytest.raises(DaemonUnavailableError, match="cannot be reached") as unreachable:
                client.handle("w").terminate()
    assert unreachable.value.hint


async def test_an_answer_of_something_else_is_told() -> None:
    with answering(NO_DAEMON) as (url, _):
        async with open_client(url, retry=SOON) as client:
            with pytest.raises(AionError, match="expected an aion-trio daemon"):
                await client.count_workflows()


def test_pauses_grow_and_are_bounded() -> None:
    pauses = Retry().pauses(random.Random(1))
    assert len(pauses) == 9 and max(pauses) <= 5 and 8 < sum(pauses) < 22 and pauses[0] <= 0.1


@pytest.mark.parametrize("url", ["ftp://x", "localhost:80", ""])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="unix:PATH"), open_sync_client(url):
        pass


def test_a_wrong_run_id_is_refused_before_it_is_sent() -> None:
    with open_sync_client("http://127.0.0.1:1") as client, pytest.raises(InvalidInputError) as refused:
        client.handle("w", "not hexadecimal")
    assert refused.value.path == "run_id"
