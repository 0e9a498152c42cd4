"""test_backpressure.py - a receiver that stops reading stops its sender, costs little and loses nothing (R4976-12)."""
import hashlib
import os
import socket
import threading
import unittest

from base import RelayCase, path
from peer import make_request, new_id
from server import MEMORY_CHECKS



def kernel_buffer_max(name):
    with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as file:
        return int(file.read().split()[2])


# What may be on the way when nothing moves: the kernel's buffers of the relay's two sockets, as large as this host lets them
# grow, those of its peers, which are small, and the relay's own 256 KiB.
ON_THE_WAY_MAX = kernel_buffer_max("tcp_rmem") + kernel_buffer_max("tcp_wmem") + (4 << 20)
FILE = max(64, 2 * ON_THE_WAY_MAX >> 20) << 20
# Pool memory is taken at start but resident only once used; heap blocks and transactions come on top.
MEMORY_GROWTH_MAX = 16 << 20


class BackPressure(RelayCase):
    FLAGS = ("--watermark-high", "256KiB", "--watermark-low", "128KiB")

    def stream(self, a, b, one_chunk):
        """(Message-ID, the bytes of a long message from a to b, the hash of its body)."""
        body = os.urandom(1 << 20) * (FILE >> 20)
        mid = new_id()
        if one_chunk:
            data = make_request(new_id(), "SEND", path(a, b), a.uri,
                                [("Message-ID", mid), ("Failure-Report", "no"), ("Byte-Range", f"1-*/{FILE}")], body)
        else:
            size = 65536
            data = b"".join(make_request(
                f"s{at:011d}", "SEND", path(a, b), a.uri,
                [("Message-ID", mid), ("Failure-Report", "no"), ("Byte-Range", f"{at + 1}-{at + size}/{FILE}")],
                body[at:at + size], flag="$" if at + size == FILE else "+") for at in range(0, FILE, size))
        return mid, data, hashlib.sha256(body).hexdigest()

    def slow_reader(self, one_chunk):
        a, b = self.user("alice"), self.user("bob", rcvbuf=65536)
        c, d = self.user("carol"), self.user("carol")
        a.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.fence(a, b)
        self.fence(c, d)
        mid, data, want = self.stream(a, b, one_chunk)
        got = {"hash": hashlib.sha256(), "bytes": 0}

        def sink(_, piece):
            got["hash"].update(piece)
            got["bytes"] += len(piece)
        b.keep_messages, b.sink = False, sink
        before = self.server.memory()["rss"]
        paused = self.server.metric("parley_relay_sources_paused_total")

        b.pause()
        sent = a.write_until_blocked(data, 1.5)
        self.assertLess(sent, ON_THE_WAY_MAX)  # the sender is held
        self.assertGreater(self.server.metric("parley_relay_sources_paused_total"), paused)
        self.assertLessEqual(self.server.metric("parley_heap_bytes"), 4 << 20)
        if MEMORY_CHECKS:
            self.assertLess(self.server.memory()["rss"] - before, MEMORY_GROWTH_MAX)

        for i in range(100):  # another pair goes on
            x, y = (c, d) if i % 2 else (d, c)
            tid, other = x.send(path(x, y), b"x" * 1000)
            x.take_response(tid, 3)
            y.take_message(other, 3)
        again = a.write_until_blocked(memoryview(data)[sent:], 0.3)
        self.assertLess(again, 1 << 20)  # and stays held
        sent += again

        b.resume()  # nothing is lost
        writer = threading.Thread(target=a.write, args=(memoryview(data)[sent:], 60))
        writer.start()
        b.take(lambda f: f.get("Message-ID") == mid and f.flag == "$", "the end of the message", 60)
        writer.join()
        self.assertEqual(got["bytes"], FILE)
        self.assertEqual(got["hash"].hexdigest(), want)
        self.server.wait_metric("parley_heap_bytes", lambda v: v == 0)

    def test_R4976_12_slow_reader_stops_its_sender_in_chunks(self):
        self.slow_reader(False)

    def test_R4976_12_slow_reader_stops_its_sender_in_one_chunk(self):
        self.slow_reader(True)

    def test_R4976_12_slow_reader_that_dies_frees_its_sender(self):
        a, b, c = self.user("alice"), self.user("bob", rcvbuf=65536), self.user("carol")
        mid, data, _ = self.stream(a, b, False)
        b.pause()
        sent = a.write_until_blocked(data, 1.0)
        self.assertLess(sent, ON_THE_WAY_MAX)
        b.rst()
        a.write(memoryview(data)[sent:], 30)  # the rest goes nowhere, but the connection lives
        self.fence(a, c)
        self.server.wait_metric("parley_heap_bytes", lambda v: v == 0)

    def test_R4976_12_sender_that_does_not_read_its_responses_is_bounded(self):
        a, b = self.user("alice", rcvbuf=4096), self.user("bob")
        a.pause()
        frames = b"".join(make_request(f"t{i:07d}", "SEND", path(a, b), a.uri, [("Message-ID", f"m{i:07d}")], b"x")
                          for i in range(50000))
        a.note(frames)
        b.keep_messages = False
        before = self.server.memory()["rss"]
        sent = a.write_until_blocked(frames, 1.0)
        self.assertLessEqual(self.server.metric("parley_heap_bytes"), 4 << 20)
        if MEMORY_CHECKS:
            self.assertLess(self.server.memory()["rss"] - before, MEMORY_GROWTH_MAX)
        a.resume()
        a.write(memoryview(frames)[sent:], 60)
        a.wait(lambda: len(a.frames) == 50000, "all responses", 60)


if __name__ == "__main__":
    unittest.main()
