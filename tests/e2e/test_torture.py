"""test_torture.py - frames that have broken relays before: sizes, cuts, look-alikes, bursts, lies."""
import os
import threading
import time
import unittest

from base import RelayCase, path
from peer import Gone, make_request, new_id


class Torture(RelayCase):
    def through(self, a, b, body, **how):
        """The body as one chunk from a to b; it must come out the same."""
        tid, mid = a.send(path(a, b), body, **how)
        message = b.take_message(mid)
        self.assertTrue(message.body == body, f"{len(body)} bytes went in, {len(message.body)} others came out")
        self.assertEqual(a.take_response(tid).code, 200)
        return message

    def frame(self, a, b, body, tid=None, mid=None, byte_range=None, flag="$", **how):
        """The bytes of one SEND from a to b."""
        headers = [("Message-ID", mid or new_id()), ("Byte-Range", byte_range or f"1-{len(body)}/{len(body)}")]
        return make_request(tid or new_id(), "SEND", path(a, b), a.uri, headers, body, flag=flag, **how)

    # --- sizes -------------------------------------------------------------------------------------------------

    def test_R4975_5_one_chunk_of_any_size(self):
        a, b = self.pair()
        for size in (0, 1, 2, 2047, 2048, 2049, 4095, 4096, 4097, 9 << 10, 12 << 10, 15 << 10, 20 << 10, 65535, 65536,
                     65537, 100 << 10, 1 << 20, 4 << 20, 16 << 20):
            with self.subTest(size):
                self.through(a, b, os.urandom(size))

    def test_R4975_6_many_chunks_both_ways_at_once(self):
        a, b = self.pair()
        body = os.urandom(2 << 20)
        mids = {}

        def talk(x, y):
            mid = mids[x.name] = new_id()
            for at in range(0, len(body), 32768):
                piece = body[at:at + 32768]
                last = at + len(piece) == len(body)
                x.send(path(x, y), piece, mid, fr="no", byte_range=f"{at + 1}-{at + len(piece)}/{len(body)}",
                       flag="$" if last else "+")

        threads = [threading.Thread(target=talk, args=p) for p in ((a, b), (b, a))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(b.take_message(mids["alice"]).body == body)
        self.assertTrue(a.take_message(mids["bob"]).body == body)

    # --- cuts --------------------------------------------------------------------------------------------------

    def test_eight_segments_50_ms_apart(self):
        a, b = self.pair()
        body = os.urandom(1024)
        tid, mid = new_id(), new_id()
        data = self.frame(a, b, body, tid, mid)
        a.note(data)
        step = len(data) // 8 + 1
        for at in range(0, len(data), step):
            a.write(data[at:at + step])
            time.sleep(0.05)  # the case itself
        self.assertEqual(b.take_message(mid).body, body)
        self.assertEqual(a.take_response(tid).code, 200)

    def test_one_byte_at_a_time(self):
        a, b = self.pair()
        for body in (b"short", b"\r\n-------" * 3 + "ä€😀".encode()):
            tid, mid = new_id(), new_id()
            data = self.frame(a, b, body, tid, mid)
            a.note(data)
            for i in range(len(data)):
                a.write(data[i:i + 1])
            self.assertEqual(b.take_message(mid).body, body)
            self.assertEqual(a.take_response(tid).code, 200)

    def test_every_cut_in_two(self):
        a, b = self.pair()
        body = b"x\r\n-------y\r\n-------"
        size = len(self.frame(a, b, body))
        for cut in range(1, size):
            mid = new_id()
            data = self.frame(a, b, body, mid=mid)
            a.note(data)
            a.write(data[:cut])
            a.write(data[cut:])
            self.assertEqual(b.take_message(mid).body, body, cut)

    def test_split_utf8(self):
        a, b = self.pair()
        body = "ä€😀".encode() * 50
        tid, mid = new_id(), new_id()
        data = self.frame(a, b, body, tid, mid, content_type="text/plain;charset=utf-8")
        a.note(data)
        at = data.index("😀".encode())
        for piece in (data[:at + 1], data[at + 1:at + 3], data[at + 3:]):
            a.write(piece)
        self.assertEqual(b.take_message(mid).body, body)

    # --- bodies ------------------------------------------------------------------------------------------------

    def test_R4975_3_end_line_look_alikes(self):
        a, b = self.pair()
        for text in (b"\r\n-------", b"-------%s$\r\n", b"\r\n-------other123$\r\n", b"\r\n-------%s",
                     b"\r\n-------%s!\r\n", b"\r\n--------%s$\r\n", b"\r\n-------%sx$\r\n", b"\r\n-------%s$x",
                     b"\r\n-------%s$\r", b"\n-------%s$\r\n", b"\r\n------%s$\r\n", b"\r\n-------%s$\n",
                     b"\r\r\n-------\r\n-------", b"\r\n\r\n", b"\r", b"\r\n-",
                     b"MSRP %s SEND\r\nTo-Path: msrp://a:1/b;tcp\r\n", b"\r\n-------%s+$\r\n"):
            for place in (b"%s", b"before %s", b"%s after", b"a%sb%sc"):
                tid, mid = new_id(), new_id()
                look = text.replace(b"%s", tid.encode())
                body = place.replace(b"%s", look)
                with self.subTest(body=body):
                    data = self.frame(a, b, body, tid, mid, byte_range="1-*/*")
                    a.note(data[:12 + len(tid)])
                    a.write(data)
                    self.assertEqual(b.take_message(mid).body, body)
                    self.assertEqual(a.take_response(tid).code, 200)

    def test_R4975_3_tid_that_is_the_beginning_of_another(self):
        a, b = self.pair()
        tid, mid = new_id(), new_id()
        body = f"\r\n-------{tid}x$\r\n-------{tid[:-1]}$\r\n".encode()
        data = self.frame(a, b, body, tid, mid) + self.frame(a, b, b"next", tid + "x", "next" + mid)
        a.raw(data)
        self.assertEqual(b.take_message(mid).body, body)
        self.assertEqual(b.take_message("next" + mid).body, b"next")

    def test_binary_body(self):
        a, b = self.pair()
        self.through(a, b, bytes(range(256)) * 257, content_type="application/octet-stream")
        self.through(a, b, b"\x00" * 70000)
        self.through(a, b, b"\r\n" * 40000)
        self.through(a, b, b"-" * 70000)

    # --- many frames -------------------------------------------------------------------------------------------

    def test_pipelined_frames_in_one_write(self):
        a, b = self.pair()
        tids = [new_id() for _ in range(10)]
        mids = [new_id() for _ in tids]
        a.raw(b"".join(self.frame(a, b, b"body %d" % i, tids[i], mids[i]) for i in range(10)))
        for i, mid in enumerate(mids):
            self.assertEqual(b.take_message(mid).body, b"body %d" % i)
        self.assertEqual([a.take(lambda f: f.method is None).tid for _ in tids], tids)

    def burst(self, count, pause):
        a, b = self.pair()
        tids = [f"t{i:07d}" for i in range(count)]
        frames = [self.frame(a, b, b"%d" % i, tids[i], f"m{i:07d}") for i in range(count)]
        if pause:
            for frame in frames:
                a.raw(frame)
                time.sleep(pause)
        else:
            data = b"".join(frames)
            a.note(data)
            writer = threading.Thread(target=a.write, args=(data,))
            writer.start()
            writer.join()
        b.wait(lambda: len(b.messages) == count, f"{count} messages")
        a.wait(lambda: len(a.frames) == count, f"{count} responses")
        self.assertEqual([f.body for f in b.frames], [b"%d" % i for i in range(count)])
        self.assertEqual([f.tid for f in a.frames], tids)
        self.assertEqual({f.code for f in a.frames}, {200})

    def test_burst_of_2000_frames_in_order(self):
        self.burst(2000, 0)

    def test_300_paced_frames_in_order(self):
        self.burst(300, 0.001)

    def test_R4975_11_many_senders_to_one_receiver_keep_their_order(self):
        b = self.user("bob")
        senders = [self.peer(name=f"caller {i}") for i in range(5)]

        def talk(who, x):
            x.raw(b"".join(self.frame(x, b, b"%d" % i, mid=f"w{who}m{i:05d}") for i in range(200)))

        threads = [threading.Thread(target=talk, args=p) for p in enumerate(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        b.wait(lambda: len(b.messages) == 1000, "1000 messages")
        for who in range(5):
            seen = [m for m in b.messages if m.startswith(f"w{who}m")]
            self.assertEqual(seen, sorted(seen))

    # --- lies --------------------------------------------------------------------------------------------------

    def lie(self, byte_range, body, flag="$"):
        """One SEND; 'refused' with what the sender was told, or the message as it came out."""
        a, b = self.user("alice"), self.user("bob")
        mid = new_id()
        tid, _ = a.send(path(a, b), body, mid, byte_range=byte_range, flag=flag)
        try:
            codes = {a.take(lambda f: f.tid == tid or f.method == "REPORT").code}
            done = self.user("carol")
            self.fence(done, b)
            self.fence(a, b)
            codes |= {int(f.get("Status").split()[1]) for f in a.frames if f.method == "REPORT"}
        except Gone:
            codes = {400}
        arrived = b.messages.get(mid)
        for peer in list(self.peers):
            peer.close()
        self.peers = []
        return codes - {200, None}, arrived

    def test_R4975_5_impossible_byte_ranges_are_refused(self):
        for byte_range in ("0-9/10", "0-*/*", "5-3/10", "9-1/10", "11-20/10", "11-*/10", "1-20/10",
                           "9223372036854775808-*/*", "1-9223372036854775808/*", "1-*/9223372036854775808",
                           "18446744073709551617-18446744073709551626/*", "1-18446744073709551626/*",
                           "99999999999999999999999999999-*/*", "9223372036854775807-*/*", "-1-10/10", "1-10/-1",
                           "1--1/10", "+1-10/10", "1 - 10/10", "0x1-0xa/10", "1-10", "1/10", "*-10/10", "",
                           "1-10/10/10", "1.0-10/10"):
            with self.subTest(byte_range):
                codes, arrived = self.lie(byte_range, b"0123456789")
                self.assertTrue(codes, "nobody was told")
                if arrived is not None:  # begun before the lie was seen: it must not look complete
                    self.assertFalse(arrived.complete and byte_range[:1] != "1", arrived.chunks)

    def test_R4975_5_wrong_ends_are_put_right_or_refused(self):
        for byte_range in ("1-100/100", "1-5/10", "1-5/5", "1-3/*", "1-*/5", "1-*/100", "1-*/*", "1-*/10",
                           "1-1000000/*", "1-9223372036854775806/9223372036854775807"):
            with self.subTest(byte_range):
                codes, arrived = self.lie(byte_range, b"0123456789")
                if arrived is None or not arrived.complete:
                    self.assertTrue(codes, "neither delivered nor refused")
                else:  # the strict parser has compared each range with its body
                    self.assertEqual(arrived.body, b"0123456789")

    def test_R4975_5_far_away_byte_range_costs_no_memory(self):
        before = self.server.memory()["rss"]
        a, b = self.pair()
        b.keep_messages = False
        for start in (2**31, 2**32, 2**40, 2**62):
            _, mid = a.send(path(a, b), b"x" * 10, byte_range=f"{start}-{start + 9}/*", flag="+")
            self.assertEqual(b.take_request("SEND", mid).byte_range[0], start)
        self.assertLess(self.server.memory()["rss"] - before, 4 << 20)


if __name__ == "__main__":
    unittest.main()
