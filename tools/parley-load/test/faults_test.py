#!/usr/bin/python3
# tools/parley-load/test/faults_test.py - a byte relay with planted faults stands between the generator's two ends: each
# fault must be found and named, and without a fault the run must be clean.
import json
import os
import re
import select
import socket
import subprocess
import threading
import unittest

PARLEY_LOAD = os.environ["PARLEY_LOAD"]
# The bodies hold end-lines of a foreign transaction, whose id has a dash in it.
END_LINE = re.compile(rb"\r\n-------[A-Za-z0-9]{4,32}[$+#]\r\n")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class FaultyRelay:
    """Sender -> here -> receiver. `fault` gets each SEND with its count and returns the bytes to pass on (None: breaks the
    connection); `fault_back` the same for answers and REPORTs. Frame 0 is the binding; message n is 3n+1 to 3n+3."""

    def __init__(self, backend_port, fault=None, fault_back=None):
        self.backend_port = backend_port
        self.faults = (fault or (lambda frame, count: frame), fault_back or (lambda frame, count: frame))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.wake, self.wake_end = socket.socketpair()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def stop(self):
        self.wake_end.send(b"x")
        self.thread.join()
        for end in (self.listener, self.wake, self.wake_end):
            end.close()

    def run(self):
        links = {}  # socket -> [other end, fault, bytes not yet a frame, frames seen]
        while True:
            readable, _, _ = select.select([self.listener, self.wake, *links], [], [])
            if self.wake in readable:
                break
            for end in readable:
                if end is self.listener:
                    client, _ = self.listener.accept()
                    server = socket.create_connection(("127.0.0.1", self.backend_port))
                    links[client] = [server, self.faults[0], b"", 0]
                    links[server] = [client, self.faults[1], b"", 0]
                elif end in links:
                    self.forward(links, end)
        for end in links:
            end.close()

    @staticmethod
    def forward(links, end):
        link = links[end]
        try:
            data = end.recv(65536)
        except OSError:
            data = b""
        link[2] += data
        out = b""
        closed = not data
        while (match := END_LINE.search(link[2])) is not None:
            frame, link[2] = link[2][:match.end()], link[2][match.end():]
            result = link[1](frame, link[3])
            link[3] += 1
            if result is None:
                closed = True
                break
            out += result
        try:
            link[0].sendall(out)
        except OSError:
            closed = True
        if closed:
            other = link[0]
            for gone in (end, other):
                links.pop(gone, None)
                gone.close()


class Faults(unittest.TestCase):
    def load(self, fault=None, fault_back=None, *flags):
        backend = free_port()
        relay = FaultyRelay(backend, fault, fault_back)
        try:
            done = subprocess.run(
                [PARLEY_LOAD, "relay", "--direct", f"127.0.0.1:{backend}", "--server", f"127.0.0.1:{relay.port}",
                 "--pairs", "1", "--window", "4", "--size", "3000", "--chunk", "1000", "--content", "lines", "--duration",
                 "0.3", "--warmup", "0", "--drain", "0.5", "--setup-timeout", "10", "--no-progress", "--json", "-", *flags],
                capture_output=True, text=True, timeout=60)
        finally:
            relay.stop()
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def found(self, counter, fault=None, fault_back=None, *flags):
        status, result = self.load(fault, fault_back, *flags)
        self.assertEqual(status, 1, result)
        self.assertGreater(result["total"][counter], 0, result)
        return result

    def test_without_a_fault_the_run_is_clean(self):
        status, result = self.load()
        self.assertEqual((status, result["failures"]), (0, []))
        self.assertGreater(result["messages"], 0)
        self.assertEqual(result["total"]["begun"], result["total"]["delivered"])
        self.assertEqual(result["total"]["chunks_sent"], 3 * result["total"]["begun"])

    def test_success_reports_are_awaited(self):
        status, result = self.load(None, None, "--success-reports")
        self.assertEqual((status, result["failures"]), (0, []))
        self.assertEqual(result["total"]["success_reports"], result["total"]["begun"])

    def test_a_missing_report_is_told(self):
        dropped = []

        def drop_one(frame, count):
            if count < 20 or b" REPORT\r\n" not in frame or dropped:
                return frame
            dropped.append(frame)
            return b""
        self.found("unanswered", None, drop_one, "--success-reports")

    def test_a_changed_byte_is_corruption(self):
        def flip(frame, count):
            if count != 20:
                return frame
            at = frame.index(b"\r\n\r\n") + 700
            return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1:]
        result = self.found("corrupted", flip)
        self.assertIn("differs at byte", result["notes"][0])

    def test_a_byte_too_few_is_corruption(self):
        def shorten(frame, count):
            if count != 20:
                return frame
            at = frame.index(b"\r\n\r\n") + 700
            return frame[:at] + frame[at + 1:]
        self.found("corrupted", shorten)

    def test_a_dropped_message_is_loss(self):
        self.found("lost", lambda frame, count: b"" if 19 <= count < 22 else frame)

    def test_a_dropped_chunk_is_corruption_and_loss(self):
        result = self.found("lost", lambda frame, count: b"" if count == 19 else frame)
        self.assertGreater(result["total"]["corrupted"], 0)

    def test_a_repeated_chunk_is_duplication(self):
        self.found("duplicated", lambda frame, count: frame * 2 if count == 20 else frame)

    def test_messages_out_of_order_are_told(self):
        held = []

        def swap(frame, count):
            if 19 <= count < 22:
                held.append(frame)
                return b""
            return frame + b"".join(held) if count == 24 else frame
        self.found("reordered", swap)

    def test_a_missing_answer_is_told(self):
        self.found("unanswered", None, lambda frame, count: b"" if count == 20 else frame)

    def test_an_error_answer_is_counted_by_code(self):
        result = self.found("refused", None,
                            lambda frame, count: frame.replace(b"200 OK", b"413 No") if count == 20 else frame)
        self.assertEqual(result["answer_errors"], {"413": 1})

    def test_a_broken_connection_is_told(self):
        self.found("connections_lost", lambda frame, count: None if count == 20 else frame)

    def test_garbage_is_a_malformed_frame(self):
        self.found("bad_frames", None, lambda frame, count: b"HTTP/1.1 200 OK\r\n" if count == 20 else frame)


if __name__ == "__main__":
    unittest.main()
