"""Echo server and thorough client: text, binary, fragments, ping and pong, close codes, 1 MiB."""

import asyncio
import sys

import websockets

CODES = [1000, 1001, 1003, 1008, 1009, 1011, 3000, 4321, 4999]


async def serve():
    async def echo(socket):
        try:
            await talk_back(socket)
        except websockets.ConnectionClosed:
            pass
        print(f"closed {socket.close_code} {socket.close_reason}", flush=True)

    async def talk_back(socket):
        async for message in socket:
            if message == "ping me":
                await (await socket.ping(b"from the server"))
                await socket.send("ponged")
            elif message == "fragments, please":
                await socket.send(["frag", "men", "ts"])
                await socket.send([b"\x00" * 70000, b"", b"\xff"])
            elif isinstance(message, str) and message.startswith("close "):
                await socket.close(int(message.split()[1]), "as asked")
                return
            else:
                await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening 127.0.0.1:{port}", flush=True)
        await asyncio.Future()


async def echoes(socket):
    for message in ["text", "", "\u00fc\U0001f600" * 1000, b"", b"\x00\xff"]:
        await socket.send(message)
        assert await socket.recv() == message
    # Around each width of the length field, and more than any buffer on the way.
    for size in [125, 126, 65535, 65536, 1 << 20]:
        for message in [b"x" * size, "y" * size]:
            await socket.send(message)
            assert await socket.recv() == message


async def fragments(socket):
    await socket.send(["frag", "", "men", "ts"])
    assert await socket.recv() == "fragments"
    await socket.send([b"\x00" * 100000, b"\xff" * 100000])
    assert await socket.recv() == b"\x00" * 100000 + b"\xff" * 100000
    await socket.send("fragments, please")
    assert await socket.recv() == "fragments"
    assert await socket.recv() == b"\x00" * 70000 + b"\xff"


async def pings(socket):
    for payload in [b"", b"x", b"y" * 125]:
        await (await socket.ping(payload))
    await socket.pong(b"unasked")
    await socket.send("ping me")
    assert await socket.recv() == "ponged"


async def both_at_once(socket):
    async def send():
        for number in range(200):
            await socket.send(f"{number} " + "z" * 10000)

    sending = asyncio.create_task(send())
    for number in range(200):
        assert (await socket.recv()).startswith(f"{number} ")
    await sending


async def closed_by_server(url, code):
    async with websockets.connect(url, max_size=None) as socket:
        await socket.send(f"close {code}")
        try:
            await socket.recv()
            raise AssertionError("not closed")
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (code, "as asked")
            assert closed.rcvd_then_sent


async def talk(url):
    async with websockets.connect(url, max_size=None) as socket:
        for part in [echoes, fragments, pings, both_at_once]:
            await part(socket)
    for code in CODES:
        await closed_by_server(url, code)
        async with websockets.connect(url) as socket:
            await socket.close(code, "\u00fc" * 60)
    print("all done")


asyncio.run(serve() if sys.argv[1] == "serve" else talk(sys.argv[2]))
