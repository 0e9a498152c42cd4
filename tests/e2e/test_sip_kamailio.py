"""test_sip_kamailio.py - Kamailio as the edge in front of parleyd, by packaging/examples/kamailio-edge.cfg."""
import unittest

import foreign
from sip_base import SipCase, token

EDGE, PARLEYD = "127.0.0.3", "127.0.0.4"  # clients have 127.0.0.1


@unittest.skipIf(foreign.kamailio_missing(), foreign.kamailio_missing())
class Edge(SipCase):
    """Clients know the edge alone; parleyd trusts it."""

    FLAGS = ("--trusted-peer", f"{EDGE}/32")
    SIP = (f"udp:{PARLEYD}:0", f"tcp:{PARLEYD}:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.edge = foreign.KamailioExample("kamailio-edge.cfg", EDGE, {"192.0.2.10": cls.server.listeners("udp", "sip")[0]})
        except BaseException:
            cls.server.kill()
            raise
        cls.addClassCleanup(cls.edge.stop)

    def run(self, result=None):
        failed = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > failed:
            print(self.edge.said())

    def behind(self, user, transport="udp", **how):
        peer = self.peer(transport, user, address=self.edge.address, **how)
        self.code(peer.register(600), 200)
        self.addCleanup(lambda: self.code(self.again(peer), 200))
        return peer

    def again(self, peer):
        """Removes the bindings, from a peer of its own: the other one may be closed by now."""
        other = self.peer("udp", peer.user, address=self.edge.address)
        response = other.register(0, contacts=["*"])
        other.close()
        return response

    def test_R3327_1_registration_by_way_of_the_edge(self):
        a = self.peer("udp", "alice", address=self.edge.address)
        response = self.code(a.register(600, headers=[("Supported", "path")]), 200)
        self.assertEqual(list(self.uris(response)), [a.contact])
        self.assertIn(f"{EDGE}:{self.edge.address[1]}", response.get("path"))
        self.code(a.register(0, contacts=["*"]), 200)

    def uris(self, response):
        return {address.uri: address for address in response.addresses("contact")}

    def test_R3325_1_messages_both_ways(self):
        for transports in (("udp", "udp"), ("udp", "tcp"), ("tcp", "udp"), ("tcp", "tcp")):
            a, b = self.behind("alice", transports[0]), self.behind("bob", transports[1])
            for x, y in ((a, b), (b, a)):
                body = bytes(range(256))
                tx = x.ask("MESSAGE", y.aor, body=body, content_type="application/octet-stream",
                           headers=[("P-Asserted-Identity", "<sip:carol@example.org>")])
                self.code(tx.final(), 200)
                got = y.take_request("MESSAGE")
                self.assertEqual((got.body, got.uri), (body, y.contact))
                self.assertEqual([i.uri for i in got.addresses("p-asserted-identity")], [x.aor], got.show())
                self.assertEqual(got.items("route"), [])
            for peer in (a, b):
                self.code(peer.register(0, contacts=["*"]), 200)

    def test_R3325_1_privacy(self):
        a, b = self.behind("alice"), self.behind("bob")
        tx = a.ask("MESSAGE", b.aor, body=b"x", content_type="text/plain", headers=[("Privacy", "id")],
                   from_=f'"Anonymous" <sip:anonymous@anonymous.invalid>;tag={token()}')
        self.code(tx.final(), 200)
        self.assertEqual(b.take_request("MESSAGE").all("p-asserted-identity"), [])

    def test_R3261_10_calls_both_ways(self):
        a, b = self.behind("alice"), self.behind("bob", "tcp")
        for x, y in ((a, b), (b, a)):
            for hanger in (0, 1):
                tx = x.invite(y.aor)
                invite = y.take_request("INVITE")
                invite.tx.respond(180)
                tx.provisional(180)
                theirs = invite.tx.accept()
                ours = tx.dialog(self.code(tx.final(), 200))
                ours.ack()
                invite.tx.wait_ack()
                self.code(ours.request("INFO").final(), 200)
                self.code(theirs.request("INFO").final(), 200)
                (ours, theirs)[hanger].bye()
                (y, x)[hanger].take_request("BYE")

    def test_R3261_7_cancel_and_refusal(self):
        a, b = self.behind("alice"), self.behind("bob")
        tx = a.invite(b.aor)
        invite = b.take_request("INVITE")
        invite.tx.respond(180)
        tx.provisional(180)
        self.code(tx.cancel().final(), 200)
        self.code(tx.final(), 487)
        invite.tx.wait_cancel()
        tx = a.invite(b.aor)
        b.take_request("INVITE").tx.respond(486)
        self.code(tx.final(), 486)

    def test_R3261_4_answers_of_parleyd_pass(self):
        a = self.behind("alice")
        self.code(a.message("sip:carol@example.org"), 480)
        self.code(a.message("sip:nobody@example.org"), 404)

    def test_R3325_1_stranger_beside_the_edge_is_asked(self):
        """The same request straight to parleyd, from an address it does not trust."""
        self.behind("bob")
        mallory = self.peer("udp", "mallory", secret=None)
        tx = mallory.ask("MESSAGE", "sip:bob@example.org", body=b"x", content_type="text/plain",
                         headers=[("P-Asserted-Identity", "<sip:alice@example.org>")])
        self.code(tx.final(), 407)


class Unreachable(SipCase):
    """The edge goes away: what is for its clients fails in time, and the others go on."""

    FLAGS = ("--trusted-peer", f"{EDGE}/32")
    SIP = (f"udp:{PARLEYD}:0",)

    @unittest.skipIf(foreign.kamailio_missing(), foreign.kamailio_missing())
    def test_edge_is_gone(self):
        edge = foreign.KamailioExample("kamailio-edge.cfg", EDGE, {"192.0.2.10": self.server.listeners("udp", "sip")[0]})
        try:
            bob = self.peer("udp", "bob", address=edge.address)
            self.code(bob.register(600), 200)
        finally:
            edge.stop()
        a, c = self.user("alice"), self.user("carol")
        tx = a.ask("MESSAGE", bob.aor, body=b"x", content_type="text/plain")
        self.code(a.message(c.aor), 200)
        with self.assertRaises(AssertionError):  # RFC 4320: a MESSAGE that times out is not answered
            tx.final(2)


if __name__ == "__main__":
    unittest.main()
