"""A server on loopback, clients beside it and in processes of their own, each with time-outs."""

import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    count = 0
    while line := await reader.readline():
        count += 1
        await asyncio.sleep(0.01 * (len(line) % 3))
        writer.write(line.upper() * count)
        await writer.drain()
    writer.close()


async def ask(port: int, number: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    late = size = 0
    for turn in range(10):
        writer.write(f"client {number} {'x' * (turn * number % 7)}\n".encode())
        try:
            size += len(await asyncio.wait_for(reader.read(1 << 16), 0.01 * number))
        except TimeoutError:
            late += 1
    writer.close()
    return f"{number}: {size} bytes, {late} late"


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    start = asyncio.create_subprocess_exec
    clients = [await start(sys.executable, __file__, str(port), str(number)) for number in range(1, 4)]
    print(await asyncio.gather(*(ask(port, number) for number in range(4, 7))))
    print([await client.wait() for client in clients])
    server.close()


if len(sys.argv) == 3:
    print(asyncio.run(ask(int(sys.argv[1]), int(sys.argv[2]))), flush=True)
else:
    asyncio.run(main())
