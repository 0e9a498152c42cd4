"""test_big.py - 1 GiB in 64 KiB chunks and in one chunk: equal hashes, constant memory (one ctest test each)."""
import hashlib
import os
import sys
import threading
import unittest

from base import RelayCase, path
from peer import new_id
from server import MEMORY_CHECKS

SIZE = int(os.environ.get("PARLEY_E2E_BIG_MIB", "1024")) << 20
RSS_MAX = 64 << 20


class Big(RelayCase):
    def receive(self, b):
        """Makes b hash what it gets and check that the ranges follow each other."""
        b.keep_messages = False
        state = {"hash": hashlib.sha256(), "bytes": 0, "frame": None}

        def sink(frame, piece):
            if frame is not state["frame"]:
                state["frame"] = frame
                assert frame.byte_range[0] == state["bytes"] + 1, (frame.byte_range, state["bytes"])
            state["hash"].update(piece)
            state["bytes"] += len(piece)

        b.sink = sink
        return state

    def blocks(self):
        """The file, in pieces of 1 MiB that all differ; with its hash taken on the way."""
        self.hash = hashlib.sha256()
        block = bytearray(os.urandom(1 << 20))
        for i in range(SIZE >> 20):
            block[0:8] = i.to_bytes(8, "big")
            block[524288:524296] = i.to_bytes(8, "little")
            self.hash.update(block)
            yield block

    def finish(self, b, state, mid):
        last = b.take(lambda f: f.get("Message-ID") == mid and f.flag == "$", "the last chunk", 120)
        self.assertEqual(state["bytes"], SIZE)
        self.assertEqual(state["hash"].hexdigest(), self.hash.hexdigest())
        self.assertIn(last.byte_range[2], (SIZE, None))
        memory = self.server.memory()
        print(f"{self.id()}: highest resident size {memory['rss_max'] >> 10} KiB", file=sys.stderr)
        if MEMORY_CHECKS:
            self.assertLess(memory["rss_max"], RSS_MAX)

    def test_1_GiB_in_64_KiB_chunks(self):
        a, b = self.pair()
        state = self.receive(b)
        mid, at, size = new_id(), 0, 65536
        answered = {"ok": 0}
        for block in self.blocks():
            view = memoryview(block)
            for begin in range(0, len(block), size):
                end = at + size
                tid = f"c{at // size:011d}"
                flag = "$" if end == SIZE else "+"
                with a._changed:
                    a._open_tids[tid] += 1
                head = (f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(a, b))}\r\nFrom-Path: {a.uri}\r\n"
                        f"Message-ID: {mid}\r\nByte-Range: {at + 1}-{end}/{SIZE}\r\n"
                        f"Content-Type: application/octet-stream\r\n\r\n").encode()
                a.write(b"".join((head, view[begin:begin + size], f"\r\n-------{tid}{flag}\r\n".encode())), 60)
                at = end
            with a._changed:
                while a.frames:
                    frame = a.frames.popleft()
                    self.assertEqual(frame.code, 200)
                    answered["ok"] += 1
            with b._changed:
                if b.frames and b.frames[-1].flag != "$":
                    b.frames.clear()
        self.finish(b, state, mid)
        a.wait(lambda: answered["ok"] + len(a.frames) == SIZE // size, "a response for each chunk")

    def test_1_GiB_in_one_chunk(self):
        a, b = self.pair()
        state = self.receive(b)
        tid, mid = new_id(), new_id()
        a.raw(f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(a, b))}\r\nFrom-Path: {a.uri}\r\nMessage-ID: {mid}\r\n"
              f"Byte-Range: 1-*/{SIZE}\r\nContent-Type: application/octet-stream\r\n\r\n".encode())
        for block in self.blocks():
            a.write(block, 60)
        a.write(f"\r\n-------{tid}$\r\n".encode())
        self.assertEqual(a.take_response(tid, 60).code, 200)
        self.finish(b, state, mid)


if __name__ == "__main__":
    unittest.main()
