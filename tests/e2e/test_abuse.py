"""test_abuse.py - broken and hostile clients: a defined answer and a counter for each, and nobody else is harmed."""
import socket
import time
import unittest

from base import RelayCase, at_rest, path
from peer import Gone, Peer, make_request, new_id
from server import MEMORY_CHECKS, Parleyd


class Abuse(RelayCase):
    FLAGS = ("--head-bytes-max", "16KiB", "--skip-bytes-max", "1MiB")

    def counted(self, name, **labels):
        """Asserts at the end that the counter has gone up."""
        before = self.server.metric(name, **labels) or 0
        return lambda: self.server.wait_metric(name, lambda v: v > before, **labels)

    # --- clients that go ---------------------------------------------------------------------------------------

    def test_reset_in_every_state(self):
        b = self.user("bob")
        for prepare in (lambda p: None, lambda p: p.write(b"MSRP ab"), lambda p: p.auth_once(self.server.uri()),
                        lambda p: p.auth(self.server.uri()),
                        lambda p: p.raw(make_request(new_id(), "SEND", path(p, b), p.uri, [], b"x" * 50000)[:20000])):
            for end in ("rst", "close"):
                peer = self.peer()
                prepare(peer)
                getattr(peer, end)()
        self.server.wait_metric("parley_connections", lambda v: v == 1)

    def test_receiver_killed_while_it_is_sent_to(self):
        a, b, c = self.user("alice"), self.user("bob", rcvbuf=4096), self.user("carol")
        b.pause()
        data = make_request(new_id(), "SEND", path(a, b), a.uri, [("Byte-Range", "1-*/*")], b"x" * (8 << 20))[:-30]
        a.note(data[:100])
        a.write_until_blocked(data, 0.5)
        b.rst()
        a.rst()
        self.fence_between(c)

    def fence_between(self, c):
        d = self.user("carol")
        self.fence(c, d)
        self.fence(d, c)

    def test_half_close_still_delivers_and_answers(self):
        a, b = self.pair()
        tid, mid = a.send(path(a, b), b"my last words", sr="yes")
        a.half_close()
        self.assertEqual(b.take_message(mid).body, b"my last words")
        self.assertEqual(a.take_response(tid).code, 200)
        a.wait_closed()
        self.server.wait_metric("parley_connections", lambda v: v == 1)

    def test_half_close_in_a_head_or_a_body(self):
        b = self.user("bob")
        for size in (5, 100, 400, 20000):
            a = self.user("alice")
            mid = new_id()
            a.raw(make_request(new_id(), "SEND", path(a, b), a.uri, [("Message-ID", mid), ("Byte-Range", "1-*/*")],
                               b"y" * 50000)[:size])
            a.half_close()
            a.wait_closed()
        self.assertEqual([m for m in b.messages.values() if m.complete], [])

    # --- clients that talk nonsense ----------------------------------------------------------------------------

    def test_R4975_1_garbage_closes_the_connection(self):
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,  # a TLS hello
                     b"\x00" * 1000, b"MSRP\r\n", b"MSRP  abcd SEND\r\n", b"MSRP abcd send\r\n\r\n",
                     b"msrp abcd SEND\r\n",
                     b"MSRP ab SEND\r\n", b"MSRP -bcd SEND\r\nTo-Path: a\r\n", b"MSRP abcd SEND\n", b"MSRP abcd 99\r\n",
                     b"MSRP " + b"t" * 33 + b" SEND\r\n", b"A" * 100000):
            with self.subTest(data=data[:40]):
                up = self.counted("parley_msrp_bad_frames_total")
                peer = self.peer()
                peer.note(b"MSRP abcd SEND\r\n" * 2)
                try:
                    peer.write(data)
                except Gone:
                    pass
                peer.wait_closed()
                up()

    def test_R4975_1_tid_longer_than_32_closes_the_connection(self):
        b, a = self.user("bob"), self.user("alice")
        up = self.counted("parley_msrp_bad_frames_total")
        a.raw(make_request("t" * 33, "SEND", path(a, b), a.uri, [("Message-ID", new_id())], b"x"))
        a.wait_closed()
        up()
        a = self.user("alice")
        tid = "t" * 32  # the longest legal one
        a.send(path(a, b), b"x", tid=tid)
        self.assertEqual(a.take_response(tid).code, 200)

    def test_R4975_2_a_bad_head_harms_only_its_own_frame(self):
        """Behind a good start line the end of the frame is known: it is read over, and the connection goes on."""
        a, b = self.pair()
        up = self.counted("parley_msrp_bad_frames_total")
        to, own = " ".join(path(a, b)), a.uri
        paths = f"To-Path: {to}\r\nFrom-Path: {own}\r\n"
        for answered, head in ((False, ""), (False, "To-Path: x\r\n"), (False, f"From-Path: {own}\r\nTo-Path: {to}\r\n"),
                               (False, f"To-Path: {to}\r\n folded\r\n"), (True, paths + " folded\r\n"),
                               (True, paths + "no colon\r\n"), (True, paths + "Byte-Range: 1-x/2\r\n"),
                               (True, paths + "Message-ID: a\r\nMessage-ID: b\r\n")):
            for rest in ("", "Content-Type: a/b\r\n\r\nlost\r\n", "Content-Type: a/b\r\n\r\n" + "lost " * 20000 + "\r\n"):
                with self.subTest(head=head, rest=rest[:30]):
                    tid = new_id()
                    a.raw(f"MSRP {tid} SEND\r\n{head}{rest}-------{tid}$\r\n".encode())
                    if answered:
                        self.assertEqual(a.take_response(tid).code, 400)
                    self.fence(a, b)
        tid = new_id()
        a.raw(f"MSRP {tid} 200 OK\r\nnonsense\r\n-------{tid}$\r\n".encode())
        self.fence(a, b)
        up()

    def test_R4975_16_head_too_long_is_answered_and_harms_only_its_own_frame(self):
        up = self.counted("parley_msrp_limit_hits_total", limit="head_bytes")
        a, b = self.pair()
        tid, mid = a.send(path(a, b), b"x", headers=[("X-Long", "y" * 20000)])
        self.assertEqual(a.take_response(tid).code, 400)
        self.fence(a, b)
        up()
        self.assertNotIn(mid, b.messages)

    def test_R4975_16_frame_without_an_end_is_cut_off(self):
        up = self.counted("parley_msrp_limit_hits_total", limit="skip_bytes")
        peer = self.peer()
        peer.note(b"MSRP abcd SEND\r\n")
        try:
            peer.write(f"MSRP abcd SEND\r\nTo-Path: {self.server.uri()}\r\nFrom-Path: {peer.uri}\r\nX: ".encode() +
                       b"y" * 3000000, 5)
        except (Gone, TimeoutError):
            pass
        peer.wait_closed()
        up()

    def test_R4975_16_too_many_headers(self):
        up = self.counted("parley_msrp_limit_hits_total", limit="headers")
        a, b = self.pair()
        tid, mid = a.send(path(a, b), b"x", headers=[("X", "y")] * 400)
        self.assertEqual(a.take_response(tid).code, 400)
        self.fence(a, b)
        up()
        self.assertNotIn(mid, b.messages)

    def test_R4975_6_body_of_another_method_above_10240_bytes(self):
        up = self.counted("parley_msrp_limit_hits_total", limit="nonsend_body")
        a, b = self.pair()
        tid = a.request("WHATEVER", path(a, b), [], b"x" * 10240, "a/b")
        frame = b.take_request("WHATEVER")
        self.assertEqual(frame.body_len, 10240)
        b.respond(frame)
        a.take_response(tid)
        tid = a.request("WHATEVER", path(a, b), [], b"x" * 20000, "a/b")
        self.assertEqual(a.take_response(tid).code, 400)
        self.fence(a, b)
        up()

    def test_header_injection_is_not_possible(self):
        a, b = self.pair()
        for value in (b"x\ry", b"x\ny", b"x\x00y", b"x\x7fy"):
            a = self.user("alice")
            tid, mid = new_id(), new_id()
            a.raw(f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(a, b))}\r\nFrom-Path: {a.uri}\r\nMessage-ID: {mid}\r\n"
                  f"X-Evil: ".encode() + value + f"\r\nContent-Type: a/b\r\n\r\nx\r\n-------{tid}$\r\n".encode())
            self.assertEqual(a.take_response(tid).code, 400)
            self.fence(a, b)
            a.close()
        c = self.user("carol")
        self.fence(c, b)  # b's strict parser has seen nothing odd

    # --- floods ------------------------------------------------------------------------------------------------

    def test_auth_flood_is_answered_and_costs_nothing_lasting(self):
        a, b = self.pair()
        before = self.server.memory()["rss"]
        up = self.counted("parley_auth_total", result="challenged")
        flood = []
        for _ in range(50):
            peer = self.peer()
            flood.append(peer)
            peer.tolerate_cut = True
            data = b"".join(make_request(new_id(), "AUTH", self.server.uri(), peer.uri) for _ in range(200))
            peer.note(data)
            try:
                peer.write(data)
            except Gone:
                pass
        self.fence(a, b)
        for peer in flood:
            try:
                peer.wait(lambda p=peer: len(p.frames) == 200, "200 challenges")
            except Gone:
                pass
            self.assertLessEqual({f.code for f in peer.frames}, {401, 403, 400})
            peer.close()
        up()
        if MEMORY_CHECKS:
            self.assertLess(self.server.memory()["rss"] - before, 16 << 20)
        self.fence(b, a)

    def test_connection_churn_leaves_nothing(self):
        descriptors = self.server.descriptors()
        accepted = self.server.metric("parley_connections_accepted_total")
        for _ in range(300):
            peer = Peer(self.server.tcp)
            peer.write(b"MSRP ")
            peer.rst()
        self.server.wait_metric("parley_connections_accepted_total", lambda v: v >= accepted + 300)
        at_rest(self.server)
        self.assertLessEqual(self.server.descriptors(), descriptors + 2)


class Probation(RelayCase):
    FLAGS = ("--probation", "1s")

    def closed_in_probation(self, prepare):
        before = self.server.metric("parley_probation_closed_total")
        peer = self.peer()
        prepare(peer)
        peer.wait_closed(8)
        self.server.wait_metric("parley_probation_closed_total", lambda v: v == before + 1)

    def test_R4976_13_no_request_at_all(self):
        self.closed_in_probation(lambda p: None)

    def test_R4976_13_slow_head(self):
        self.closed_in_probation(lambda p: p.write(b"MSRP abcd SEND\r\nTo-Path: "))

    def test_R4976_13_no_successful_request(self):
        self.closed_in_probation(self.ask)

    def test_R4976_13_a_successful_request_ends_probation(self):
        b, c = self.user("bob"), self.peer()
        tid, mid = c.send(path(c, b))
        self.assertEqual(c.take_response(tid).code, 200)
        idle = self.peer()
        idle.wait_closed(8)  # the same time passes for all three
        self.fence_to(c, b)

    def fence_to(self, c, b):
        tid, mid = c.send(path(c, b), b"still here")
        self.assertEqual(c.take_response(tid).code, 200)
        b.take_message(mid)


class Misses(RelayCase):
    FLAGS = ("--misses-max", "3")

    def test_R4976_13_a_new_connection_that_sends_only_bad_frames_is_closed(self):
        a, b = self.pair()
        stranger = self.peer()
        for i in range(3):
            self.assertFalse(stranger.closed)
            tid = new_id()
            stranger.raw(f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(a, b))}\r\nFrom-Path: {stranger.uri}\r\n"
                         f"no colon\r\n-------{tid}$\r\n".encode())
            self.assertEqual(stranger.take_response(tid).code, 400)
        stranger.wait_closed()
        self.server.wait_metric("parley_misses_closed_total", lambda v: v == 1)
        self.fence(a, b)


class SlowHead(RelayCase):
    FLAGS = ("--head-timeout", "1s")

    def test_X22_slow_head_of_a_proven_client_closes_it(self):
        a, b = self.pair()
        self.fence(a, b)
        a.write(b"MSRP abcd SEND\r\nTo-Pa")
        a.wait_closed(8)


class Caps(RelayCase):
    FLAGS = ("--sessions-per-connection-max", "2", "--transactions-per-connection-max", "10")

    def test_R4976_5_session_cap_of_a_connection(self):
        before = self.server.metric("parley_relay_limit_hits_total", limit="sessions")
        a, b = self.pair()
        owned = a.use_path
        second = a.auth(self.server.uri(), from_path=f"msrp://127.0.0.1:{a.local[1]}/{new_id()};tcp")
        self.assertEqual(second.code, 200)
        first = a.auth_once(self.server.uri(), from_path=f"msrp://127.0.0.1:{a.local[1]}/{new_id()};tcp")
        if first.code == 401:
            offer = a.challenges(first)[0]
            first = a.auth_once(self.server.uri(), a.authorization(offer, "alice", "secret", self.server.uri()),
                                from_path=f"msrp://127.0.0.1:{a.local[1]}/{new_id()};tcp")
        self.assertGreaterEqual(first.code, 400)
        self.assertNotEqual(first.code, 401)
        self.assertEqual(self.server.metric("parley_relay_limit_hits_total", limit="sessions"), before + 1)
        a.use_path = owned
        self.fence(b, a)

    def test_R4976_10_transactions_without_an_answer_are_capped(self):
        """At the cap the sender is held back or refused; the buffer in which the cap falls may still go out."""
        a, b = self.pair()
        b.auto = False
        count = 5000
        data = b"".join(make_request(f"t{i:07d}", "SEND", path(a, b), a.uri, [("Message-ID", f"m{i:07d}")], b"%d" % i)
                        for i in range(count))
        a.note(data)
        sent = a.write_until_blocked(data, 1.0)
        self.assertLess(self.server.metric("parley_relay_transactions"), 1000)
        b.auto = True
        for frame in list(b.frames):
            if frame.tid in b._theirs:
                b.respond(frame)
        a.write(memoryview(data)[sent:])
        refused = lambda: len([f for f in a.frames if f.code not in (None, 200) or f.method == "REPORT"])
        b.wait(lambda: len(b.messages) + refused() == count, "every message delivered or refused")
        self.assertEqual(list(b.messages), sorted(b.messages))
        self.server.wait_metric("parley_relay_transactions", lambda v: v == 0)
        self.fence(a, b)


class Connections(RelayCase):
    FLAGS = ("--connections-max", "20")

    def test_connections_above_the_cap_are_closed_at_once(self):
        a, b = self.pair()
        self.server.wait_metric("parley_connections", lambda v: v == 2)  # whoever asked whether the server is up has gone

        def another():
            peer = self.peer(name="another")
            try:
                peer.auth_once(self.server.uri())
            except Gone:
                pass
            return peer

        # One that has gone has its place until its loop has noticed; then all 20 are to be had, and not one more.
        extra = []
        deadline = time.monotonic() + 5
        while len(extra) < 18:
            peer = another()
            if not peer.closed:
                extra.append(peer)
            self.assertLess(time.monotonic(), deadline, f"{len(extra)} of 18 have found room")
        self.assertEqual(self.server.metric("parley_connections"), 20)
        over = [another() for _ in range(12)]
        self.assertEqual(len([p for p in over if p.closed]), 12)
        self.assertEqual([p for p in extra if p.closed], [])
        self.assertGreaterEqual(self.server.metric("parley_accept_refused_total", reason="connections_max"), 12)
        self.fence(a, b)
        for peer in extra:
            peer.close()
        self.server.wait_metric("parley_connections", lambda v: v == 2)
        c = self.user("carol")
        self.fence(c, b)


class Descriptors(unittest.TestCase):
    def served_again(self, server, tries=100):
        """A new client; closed ones of the crowd may still stand in the listeners' queues and take a place for a moment."""
        for left in reversed(range(tries)):
            server.wait_metric("parley_connections", lambda v: v == 2)
            peer = Peer(server.tcp, name="carol")
            try:
                peer.auth(server.uri(), "carol", "quiet")
                return peer
            except Gone:
                peer.close()
                if left == 0:
                    raise

    def test_descriptor_limit_reached(self):
        """With descriptors for some 100 connections 300 come: the served go on, and service returns."""
        server = Parleyd()
        server.command = ["/bin/sh", "-c", 'ulimit -n 160; exec "$@"', "sh"] + server.command
        with server:
            a, b = Peer(server.tcp), Peer(server.tcp)
            a.auth(server.uri())
            b.auth(server.uri(), "bob", "hush")
            crowd = []
            for _ in range(300):
                sock = socket.create_connection(server.tcp)
                crowd.append(sock)
            tid, mid = a.send(path(a, b), b"in the crowd")
            self.assertEqual(a.take_response(tid).code, 200)
            b.take_message(mid)
            for sock in crowd:
                sock.close()
            c = self.served_again(server)
            for peer in (a, b, c):
                peer.close()


if __name__ == "__main__":
    unittest.main()
