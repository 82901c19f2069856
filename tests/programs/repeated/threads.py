"""Threads that share a queue, a lock and a barrier, compute, and are joined with time-outs."""

import queue
import threading
import time

items: "queue.Queue[int | None]" = queue.Queue()
lock = threading.Lock()
barrier = threading.Barrier(3)
done: list[tuple[int, int]] = []


def work(number: int) -> None:
    while (item := items.get()) is not None:
        time.sleep(0.1 * (1 + number))
        with lock:
            done.append((number, item))


def meet(number: int) -> None:
    time.sleep(number)
    total = sum(range(200_000))
    barrier.wait()
    with lock:
        print(number, total)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for item in range(60):
    items.put(item)
for _ in threads:
    items.put(None)
for thread in threads:
    thread.join(timeout=3600)
print(done)

threads = [threading.Thread(target=meet, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
