"""A media server of the simplest kind that reads whole bodies, for many connections at once.

/System/Info/Public  who it is
/film                256 KiB
/endless             bytes until somebody goes away
/connections         how many are open
anything else        how many bytes of a body came

SIGTERM ends it as a good server ends: answers what was asked, closes kept connections, takes no new ones.
"""

import asyncio
import json
import resource
import signal
import sys

IDENTITY = {
    "LocalAddress": "http://127.0.0.1:8097",
    "ServerName": "Living Room",
    "Version": "12.0.0",
    "ProductName": "Jellyfin Server",
    "OperatingSystem": "",
    "Id": "0123456789abcdef0123456789abcdef",
    "StartupWizardCompleted": True,
}
FILM = bytes(256 * 1024)

idle = set()
busy = set()
ending = False


async def read_body(reader, head):
    count = 0
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    if fields.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await skip(reader, size + 2)
            count += size
        await reader.readline()
    else:
        count = int(fields.get("content-length", 0))
        await skip(reader, count)
    return count


async def skip(reader, count):
    while count:
        piece = await reader.read(min(count, 1 << 20))
        if not piece:
            raise ConnectionError
        count -= len(piece)


async def answer(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    idle.discard(writer)
    busy.add(writer)
    count = await read_body(reader, head)
    path = head.split(" ")[1].lower()
    kind = "text/plain"
    if path.endswith("/system/info/public"):
        body, kind = json.dumps(IDENTITY).encode(), "application/json"
    elif path == "/film":
        body = FILM
    elif path == "/connections":
        body = b"%d" % (len(idle) + len(busy))
    elif path == "/endless":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n")
        while True:
            writer.write(FILM)
            await writer.drain()
    else:
        body = b"took %d" % count
    close = "Connection: close\r\n" if ending else ""
    writer.write(
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{close}\r\n".encode()
    )
    writer.write(body)
    await writer.drain()


async def serve(reader, writer):
    idle.add(writer)
    try:
        while not ending:
            await answer(reader, writer)
            busy.discard(writer)
            idle.add(writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        busy.discard(writer)
        idle.discard(writer)
        writer.close()


async def main():
    host, port = sys.argv[1].split(":")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = await asyncio.start_server(serve, host, int(port), backlog=4096)
    print("listening", flush=True)
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await end.wait()
    global ending
    ending = True
    server.close()
    for writer in list(idle):
        writer.close()
    while busy:
        await asyncio.sleep(0.01)


asyncio.run(main())
