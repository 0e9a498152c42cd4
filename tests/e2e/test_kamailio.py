"""test_kamailio.py - Kamailio as the other relay: Alice - parleyd - Kamailio - Bob (RFC 4976 section 6.4)."""
import collections
import os
import unittest

import foreign
from base import path
from peer import NoAnswer, Peer, new_id
from server import Parleyd


@unittest.skipIf(foreign.kamailio_missing(), foreign.kamailio_missing())
class TwoRelays(unittest.TestCase):
    def setUp(self):
        self.other = foreign.Kamailio()
        self.addCleanup(self.other.stop)
        self.server = Parleyd("--relay-peer", f"127.0.0.1:{self.other.port}", "--dial-allow", "127.0.0.0/8")
        self.addCleanup(self.server.kill)
        self.server.start()
        self.a = Peer(self.server.tcp, name="alice")
        self.a.auth(self.server.uri(), "alice", "secret")
        self.b = Peer(self.other.address, name="bob")
        self.b.auth(self.other.uri, self.other.user, self.other.secret, with_uri=True)

    def tearDown(self):
        self.a.close()
        self.b.close()
        self.server.stop()

    def test_R4976_8_messages_and_reports_both_ways(self):
        for x, y in ((self.a, self.b), (self.b, self.a)):
            for body in (b"short", os.urandom(9000)):
                tid, mid = x.send(path(x, y), body, sr="yes")
                self.assertEqual(x.take_response(tid).code, 200)
                frame = y.take_request("SEND", mid)
                self.assertEqual(frame.body, body)
                self.assertEqual(frame.from_path, list(reversed(path(x, y)[:-1])) + [x.uri])
                y.report(frame)
                report = x.take_request("REPORT", mid)
                self.assertEqual(report.get("Status"), "000 200 OK")
                self.assertEqual(report.from_path, path(x, y)[:-1] + [y.uri])
        self.server.wait_metric("parley_relay_transactions", lambda v: v == 0)

    def test_R4976_12_message_of_many_chunks(self):
        body = os.urandom(200000)
        for x, y in ((self.a, self.b), (self.b, self.a)):
            tid, mid = x.send(path(x, y), b"first")  # Kamailio dials anew for each frame until a connection stands
            x.take_response(tid)
            y.take_message(mid)
            mid = new_id()
            waiting = collections.deque()
            for at in range(0, len(body), 4000):
                piece = body[at:at + 4000]
                tid, _ = x.send(path(x, y), piece, mid, byte_range=f"{at + 1}-{at + len(piece)}/{len(body)}",
                                flag="$" if at + 4000 >= len(body) else "+")
                waiting.append(tid)
                # Kamailio drops a connection whose queue is full: what it was given ahead stays small.
                if len(waiting) > 8:
                    self.assertEqual(x.take_response(waiting.popleft()).code, 200)
            try:
                self.assertTrue(y.take_message(mid).body == body)
            except NoAnswer as silence:
                self.other.stop()
                there = [frame.byte_range for frame in y.messages[mid].chunks] if mid in y.messages else []
                self.fail(f"{silence}\nranges there: {there}\n"
                          f"parleyd counts {self.server.metrics()}\nKamailio says:\n{self.other.text[-4000:]}")

    def test_R4976_10_unknown_session_at_the_other_relay(self):
        dead = [f"msrp://127.0.0.1:{self.other.port}/s.0.0.0;tcp", self.b.uri]
        _, mid = self.a.send(self.a.use_path + dead, b"x")
        report = self.a.take_request("REPORT", mid)
        self.assertTrue(report.get("Status").startswith("000 481"), report)

    def test_R4976_10_other_relay_gone(self):
        tid, mid = self.a.send(path(self.a, self.b), b"x")
        self.a.take_response(tid)
        self.b.take_message(mid)
        self.b.tolerate_cut = True
        self.other.stop()
        _, mid = self.a.send(path(self.a, self.b), b"x")
        self.assertRegex(self.a.take_request("REPORT", mid).get("Status"), "000 (408|481)")

    def test_R4976_11_method_the_other_relay_does_not_know(self):
        tid = self.a.request("NICKNAME", path(self.a, self.b), [("Use-Nickname", '"x"')])
        self.assertEqual(self.a.take_response(tid).code, 501)


if __name__ == "__main__":
    unittest.main()
