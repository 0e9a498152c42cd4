"""sip_base.py - what the SIP test modules share: one parleyd per class, peers that are closed and judged at the end."""
import ipaddress
import unittest

import strict_sip
from base import SECRETS
from server import Parleyd
from sip_peer import SipPeer, read, sdp, token

BOB = "sip:bob@example.org"


class SipCase(unittest.TestCase):
    """One server for all tests of a class."""

    FLAGS = ()
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*cls.FLAGS, sip=cls.SIP, msrp=()).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.peers = []

    def tearDown(self):
        troubles = []
        for peer in self.peers:
            try:
                peer.close()
            except Exception as bad:
                troubles.append(f"{peer.name}: {type(bad).__name__} {bad}")
        self.assertEqual(troubles, [])
        if self.server.process and not self.server.end_checked and self.server.process.poll() is not None:
            self.fail(f"parleyd has ended:\n{self.server.tail()}")

    def peer(self, transport="udp", user="alice", server=None, address=None, **how):
        """A user agent that is not registered."""
        server = server or self.server
        if transport in ("tls", "wss") and "tls" not in how:
            how["tls"] = self.client_tls
        how.setdefault("secret", SECRETS.get(user))
        peer = SipPeer(address or server.listeners(transport, "sip")[0], transport, user, **how)
        self.peers.append(peer)
        return peer

    def user(self, user="alice", transport="udp", expires=3600, **how):
        """A registered user agent."""
        peer = self.peer(transport, user, **how)
        response = peer.register(expires)
        self.assertEqual(response.code, 200, response.show())
        return peer

    def clear(self, *users):
        """These users have no bindings any more; for cleaning up, when peers of the test may be closed."""
        for user in users:
            peer = self.peer(user=user)
            peer.register(0, contacts=["*"])
            peer.close()

    def code(self, response, *codes):
        self.assertIn(response.code, codes, response.show())
        return response

    def bindings(self, peer, aor=None):
        """{URI: seconds left} as the registrar lists them."""
        response = self.code(peer.register(None, contacts=[], aor=aor), 200)
        return {a.uri: int(a.params["expires"]) for a in response.addresses("contact")}

    def assert_forwarded(self, sent, got, contact=None, skip=()):
        """got is what a proxy makes of sent (16.6): the same but Request-URI, Via, Max-Forwards and routes."""
        self.assertTrue(got.body == sent.body, f"body changed: {sent.body!r}\n{got.body!r}")
        if contact:
            self.assertEqual(got.uri, contact, got.show())
        self.assertEqual(int(got.get("max-forwards")), int(sent.get("max-forwards") or 71) - 1, got.show())
        ours, theirs = sent.vias, got.vias
        self.assertGreater(len(theirs), len(ours), got.show())
        for a, b in zip(ours, theirs[len(theirs) - len(ours):]):
            self.assertEqual((a.transport, a.sent_by, a.branch), (b.transport, b.sent_by, b.branch), got.show())
        own = {"via", "max-forwards", "route", "record-route", "content-length", "authorization", "proxy-authorization",
               "p-asserted-identity", "p-preferred-identity", "max-breadth", *skip}
        keep = lambda m: [(strict_sip.canonical(n), v) for n, v in m.headers if strict_sip.canonical(n) not in own]
        self.assertEqual(keep(sent), keep(got), got.show())


class PairCase(SipCase):
    """Alice and Bob, who are forgotten when a test ends."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")

    def pair(self, **how):
        return self.user("alice", **how), self.user("bob", **how)

    def devices(self, count=2, transport="udp"):
        """Bob on several devices."""
        return [self.user("bob", transport, name=f"bob {i}") for i in range(count)]


def counters(server, prefix="parley_sip_"):
    return {k: v for k, v in server.metrics().items() if k.startswith(prefix)}


def grown(before, after):
    """{name: growth} of what has changed between two looks."""
    return {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}


__all__ = ["BOB", "PairCase", "SipCase", "SECRETS", "counters", "grown", "ipaddress", "read", "sdp", "token", "Parleyd"]
