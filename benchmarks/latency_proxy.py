"""A way to the sandbox on which every answer takes a while longer, as from a desk to eu-north-1.

Usage: python benchmarks/latency_proxy.py URL [--milliseconds 50]

It prints its own URL and serves until its standard input ends, so that it never outlives who started it.
What the sandbox answers is handed on untouched, that much later; answers do not wait for each other, and
connections stay open. Requests are handed on at once: only their Host is made the sandbox's, which refuses
any other.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from contextlib import suppress
from urllib.parse import urlsplit

_LONGEST = 2**20
"""Bytes of a request's head, and of one piece that is handed on."""


async def serve(url: str, seconds: float) -> None:
    """Serve until standard input ends.

    Args:
        url: the sandbox, ``http://HOST:PORT``.
        seconds: by which each answer comes later.
    """
    target = urlsplit(url)
    host, port = target.hostname or "", target.port or 80

    async def connected(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            server, requests = await asyncio.open_connection(host, port, limit=_LONGEST)
            later = asyncio.create_task(_hand_on_later(server, answers, seconds))
            try:
                await _hand_requests_on(client, requests, f"{host}:{port}")
            finally:
                requests.close()
                await later

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_LONGEST)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - for the starter
    async with listening:
        await asyncio.to_thread(sys.stdin.read)


async def _hand_requests_on(client: asyncio.StreamReader, server: asyncio.StreamWriter, host: str) -> None:
    """Hand on one request after the other, until the client closes."""
    while head := await _head(client):
        server.write(re.sub(rb"(?im)^host:[^\r]*", b"Host: " + host.encode(), head, count=1))
        if re.search(rb"(?im)^transfer-encoding:[^\r]*chunked", head):
            await _hand_chunks_on(client, server)
        elif length := re.search(rb"(?im)^content-length:\s*(\d+)", head):
            await _hand_bytes_on(client, server, int(length[1]))
        await server.drain()


async def _head(client: asyncio.StreamReader) -> bytes:
    """Return a request's lines and headers; nothing when there is no further request."""
    try:
        return await client.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def _hand_bytes_on(client: asyncio.StreamReader, server: asyncio.StreamWriter, count: int) -> None:
    while count:
        piece = await client.read(min(count, _LONGEST))
        if not piece:
            raise ConnectionError
        server.write(piece)
        await server.drain()
        count -= len(piece)


async def _hand_chunks_on(client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
    """Hand on a body of chunks, and what may follow the last, up to the empty line that ends it."""
    size = 1
    while size:
        line = await client.readuntil(b"\r\n")
        server.write(line)
        size = int(line.partition(b";")[0], 16)
        if size:
            await _hand_bytes_on(client, server, size + 2)
    while (line := await client.readuntil(b"\r\n")) != b"\r\n":
        server.write(line)
    server.write(line)


async def _hand_on_later(server: asyncio.StreamReader, client: asyncio.StreamWriter, seconds: float) -> None:
    """Hand on what the sandbox says, each piece so long after it came, until it says no more."""
    now = asyncio.get_running_loop().time
    said: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def listen() -> None:
        piece = b"."
        while piece:
            try:
                piece = await server.read(_LONGEST)
            except ConnectionError:
                piece = b""
            said.put_nowait((now() + seconds, piece))

    listener = asyncio.create_task(listen())
    with suppress(ConnectionError):
        while True:
            due, piece = await said.get()
            await asyncio.sleep(due - now())
            if not piece:
                break
            client.write(piece)
            await client.drain()
    await listener
    client.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Answer like URL, that much later.")
    parser.add_argument("url", help="the sandbox")
    parser.add_argument("--milliseconds", type=float, default=50.0, help="added to every answer")
    options = parser.parse_args()
    asyncio.run(serve(options.url, options.milliseconds / 1000))


if __name__ == "__main__":
    main()
