"""test_interrupt.py - a long chunk under way does not hold up anything else (RFC 4975 section 7.1, RFC 4976 6.4.1)."""
import os
import threading
import unittest

from base import RelayCase, path
from peer import make_request, new_id

PROMPT = 3.0  # seconds; "at once" on a loaded test machine


class Interrupt(RelayCase):
    def begin(self, a, b, body, part, mid=None, fr=None, total=None):
        """Starts one long chunk: its head and the first bytes. Returns (mid, function that sends a part)."""
        tid, mid = new_id(), mid or new_id()
        head = f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(a, b))}\r\nFrom-Path: {a.uri}\r\nMessage-ID: {mid}\r\n"
        head += f"Failure-Report: {fr}\r\n" if fr else ""
        head += f"Byte-Range: 1-*/{total or len(body)}\r\nContent-Type: application/octet-stream\r\n\r\n"
        a.raw(head.encode() + body[:part])
        b.wait(lambda: (b.arriving and b.arriving[1]) or mid in b.messages, "the beginning of the long chunk")

        def more(begin, end=None, last=False):
            a.write(body[begin:end] + (f"\r\n-------{tid}$\r\n".encode() if last else b""))
        return tid, mid, more

    def check(self, b, mid, body):
        message = b.take_message(mid)
        if message.body != body:
            at = next((i for i, (x, y) in enumerate(zip(message.body, body)) if x != y), -1)
            self.fail(f"{len(message.body)} bytes came out wrong from {at}: {message.body[max(at, 0):at + 200]!r} in "
                      f"{[(f.byte_range, f.body_len, f.flag) for f in message.chunks]}")
        ranges = [(f.byte_range[0], f.body_len) for f in message.chunks]
        at = 1
        for start, size in ranges:  # in order, without gap or overlap
            self.assertEqual(start, at)
            at += size
        self.assertEqual([f.flag for f in message.chunks], ["+"] * (len(ranges) - 1) + ["$"])
        self.assertEqual({f.byte_range[2] for f in message.chunks} - {None}, {len(body)})
        return message

    def test_R4975_6_response_to_the_receiver_gets_through(self):
        a, b = self.pair()
        body = os.urandom(300000)
        interrupted = self.server.metric("parley_relay_chunks_interrupted_total")
        a.auto = False  # it cannot answer inside its own chunk
        tid, mid, more = self.begin(a, b, body, 100000)
        for i in range(5):
            other_tid, other = b.send(path(b, a), b"against the stream", fr="yes")
            self.assertEqual(b.take_response(other_tid, PROMPT).code, 200)
            self.assertEqual(a.take_request("SEND", other, PROMPT).body, b"against the stream")
            more(100000 + i * 10000, 110000 + i * 10000)
        more(150000, None, last=True)
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertGreaterEqual(len(self.check(b, mid, body).chunks), 2)
        self.assertGreater(self.server.metric("parley_relay_chunks_interrupted_total"), interrupted)

    def test_R4975_6_another_senders_messages_get_through(self):
        a, b, c = self.user("alice"), self.user("bob"), self.user("carol")
        body = os.urandom(200000)
        tid, mid, more = self.begin(a, b, body, 50000)
        for i in range(10):
            other_tid, other = c.send(path(c, b), b"short %d" % i)
            self.assertEqual(b.take_message(other, PROMPT).body, b"short %d" % i)
            self.assertEqual(c.take_response(other_tid, PROMPT).code, 200)
            more(50000 + i * 10000, 60000 + i * 10000)
        more(150000, None, last=True)
        self.assertEqual(a.take_response(tid).code, 200)
        self.check(b, mid, body)

    def test_R4975_6_a_second_session_of_the_receivers_connection_gets_through(self):
        a, b, c = self.user("alice"), self.user("bob"), self.peer(name="caller")
        first = b.use_path
        second = f"msrp://127.0.0.1:{b.local[1]}/{new_id()};tcp"
        b.auth(self.server.uri(), "bob", "hush", from_path=second)
        other_path = b.use_path + [second]
        b.use_path = first
        body = os.urandom(100000)
        _, mid, more = self.begin(a, b, body, 20000)
        tid, other = c.send(other_path, b"for the second session")
        self.assertEqual(b.take_request("SEND", other, PROMPT).to_path, [second])
        self.assertEqual(c.take_response(tid, PROMPT).code, 200)
        more(20000, None, last=True)
        self.check(b, mid, body)

    def test_R4975_6_reports_and_other_methods_get_through(self):
        a, b, c = self.user("alice"), self.user("bob"), self.user("carol")
        _, wanted = b.send(path(b, c), b"confirm", sr="yes")
        frame = c.take_request("SEND", wanted)
        body = os.urandom(100000)
        _, mid, more = self.begin(a, b, body, 20000)
        c.report(frame)
        b.take_request("REPORT", wanted, PROMPT)
        tid = c.request("NICKNAME", path(c, b), [("Use-Nickname", '"x"')])
        nick = b.take_request("NICKNAME", timeout=PROMPT)
        b.respond(nick)
        self.assertEqual(c.take_response(tid, PROMPT).code, 200)
        more(20000, None, last=True)
        self.check(b, mid, body)

    def test_R4975_6_two_long_chunks_share_a_receiver(self):
        a, b, c = self.user("alice"), self.user("bob"), self.user("carol")
        bodies = [os.urandom(400000), os.urandom(400000)]
        _, mid_a, more_a = self.begin(a, b, bodies[0], 50000)
        tid, mid_c = new_id(), new_id()
        c.raw(f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(c, b))}\r\nFrom-Path: {c.uri}\r\nMessage-ID: {mid_c}\r\n"
              f"Byte-Range: 1-*/400000\r\nContent-Type: a/b\r\n\r\n".encode() + bodies[1][:50000])
        b.wait(lambda: mid_c in b.messages or b.arriving and b.arriving[0].get("Message-ID") == mid_c,
               "the second long chunk while the first is open", PROMPT)
        for at in range(50000, 350000, 50000):
            more_a(at, at + 50000)
            c.write(bodies[1][at:at + 50000])
        more_a(350000, None, last=True)
        c.write(bodies[1][350000:] + f"\r\n-------{tid}$\r\n".encode())
        self.check(b, mid_a, bodies[0])
        self.check(b, mid_c, bodies[1])

    def test_R4976_10_every_piece_is_answered_and_failures_name_the_piece(self):
        a, b = self.pair()
        body = os.urandom(100000)
        seen = []

        def auto(frame):
            seen.append(frame)
            return 200 if len(seen) == 1 else 413
        b.auto = auto
        a.auto = False
        _, mid, more = self.begin(a, b, body, 30000)
        other_tid, _ = b.send(path(b, a), b"cut it", fr="yes")
        b.take_response(other_tid, PROMPT)
        more(30000, None, last=True)
        report = a.take_request("REPORT", mid)
        self.assertTrue(report.get("Status").startswith("000 413"), report)
        failed = seen[1]
        self.assertEqual(report.byte_range[0], failed.byte_range[0])
        self.assertEqual(report.byte_range[1], failed.byte_range[0] + failed.body_len - 1)

    def test_end_line_cut_apart_by_an_interruption_stays_whole(self):
        a, b = self.pair()
        a.auto = False
        for cut in (1, 2, 5, 9, 12, 15):
            tid, mid = new_id(), new_id()
            body = os.urandom(20000)
            data = make_request(tid, "SEND", path(a, b), a.uri, [("Message-ID", mid), ("Byte-Range", "1-*/20000")],
                                body)
            end = len(data) - len(tid) - 12
            a.note(data[:40])
            a.write(data[:end + cut])
            b.wait(lambda: (b.arriving and b.arriving[1]) or mid in b.messages, "the beginning")
            other_tid, _ = b.send(path(b, a), b"now", fr="yes")
            self.assertEqual(b.take_response(other_tid, PROMPT).code, 200)
            a.write(data[end + cut:])
            self.check(b, mid, body)


if __name__ == "__main__":
    unittest.main()
