"""Echo server and thorough client: text, binary, fragments, ping and pong, close codes, 1 MiB."""

import asyncio
import sys

import websockets


async def serve():
    async def echo(socket):
        async for message in socket:
            if message == "close 4321":
                await socket.close(4321, "as asked")
                return
            await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening 127.0.0.1:{port}", flush=True)
        await asyncio.Future()


async def talk(url):
    async with websockets.connect(url, max_size=None) as socket:
        for message in ["text", "", "ü" * 1000, b"\x00\xff", b"x" * (1 << 20), "y" * (1 << 20)]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["frag", "men", "ts"])
        assert await socket.recv() == "fragments"
        await (await socket.ping())
        await socket.send("close 4321")
        try:
            await socket.recv()
            raise AssertionError("not closed")
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd.code == 4321 and closed.rcvd.reason == "as asked"
    async with websockets.connect(url) as socket:
        await socket.close(1000)
    print("all done")


asyncio.run(serve() if sys.argv[1] == "serve" else talk(sys.argv[2]))
