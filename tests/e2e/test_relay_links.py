"""test_relay_links.py - a relay with connections on both shards of this one (R4976-5): what holds on one holds on all."""
import unittest

import certificates
from base import RelayCase
from peer import Peer
from server import Parleyd

NAME = "r1.test"
LINKS_MAX = 64  # the kernel spreads them; that many on one shard do not happen


class RelayLinks(RelayCase):
    """Alice is behind the relay r1, which this test plays; bob is a client."""

    @classmethod
    def setUpClass(cls):
        cls.material = certificates.make(cls)
        flags = ("--tls-cert", cls.material["cert"], "--tls-key", cls.material["key"], "--tls-ca", cls.material["ca"])
        cls.server = Parleyd(*flags, msrp=("tls:127.0.0.1:0", "tcp:127.0.0.1:0"), shards=2).start()
        cert, key = cls.material["authority"].issue(NAME)
        cls.context = certificates.client_context(cls.material["ca"], cert=cert, key=key)

    def setUp(self):
        super().setUp()
        self.alice = [f"msrps://{NAME}:2855/r1session;tcp", "msrp://alice.test:7777/alice;tcp"]
        self.links = self.one_link_per_shard()
        self.first, self.second = self.links
        self.bob = self.user("bob")
        self.first.auth(self.server.uri("tls"), "alice", "secret", from_path=" ".join(self.alice))
        self.use_alice = self.first.use_path[-1]
        self.to_bob = [self.bob.use_path[0], self.bob.uri]

    def link(self):
        link = Peer(self.server.tls, tls=self.context, server_name="localhost", name=NAME)
        self.peers.append(link)
        return link

    def one_link_per_shard(self):
        found = {}
        for _ in range(LINKS_MAX):
            before = [self.server.metric("parley_tls_handshakes_total", shard=str(n)) for n in (0, 1)]
            link = self.link()
            self.server.wait_metric("parley_tls_handshakes_total", lambda v: v > sum(before))
            for n in (0, 1):
                if self.server.metric("parley_tls_handshakes_total", shard=str(n)) > before[n]:
                    found.setdefault(n, link)
            if len(found) == 2:
                break
        self.assertEqual(len(found), 2, "all links came to one shard")
        for spare in [peer for peer in self.peers if peer not in found.values()]:
            self.end(spare)
        return [found[0], found[1]]

    def end(self, peer):
        peer.close()
        self.peers.remove(peer)
        self.server.wait_metric("parley_connections", lambda v: v == len(self.peers))

    def send_over(self, link, to_path, body):
        tid, mid = link.send(to_path, body, from_path=" ".join(self.alice))
        self.assertEqual(link.take_response(tid).code, 200)
        return mid

    def test_R4976_5_a_session_is_used_over_links_on_both_shards(self):
        for n in range(10):
            for link in self.links:
                mid = self.send_over(link, [self.use_alice] + self.to_bob, b"over any link %d" % n)
                message = self.bob.take_message(mid)
                self.assertEqual(message.body, b"over any link %d" % n)
                self.assertEqual(message.chunks[0].from_path[1:], [self.use_alice] + self.alice)

    def test_R4976_7_sends_over_both_links_are_no_506(self):
        for n in range(10):
            for link in self.links:
                mid = self.send_over(link, self.to_bob, b"%d" % n)
                self.assertEqual(self.bob.take_message(mid).body, b"%d" % n)
        self.assertEqual(self.server.metric("parley_relay_refused_total", reason="bound_elsewhere") or 0, 0)

    def answer_path(self):
        return [self.bob.use_path[0], self.use_alice] + self.alice

    def test_R4976_5_messages_and_reports_go_on_when_a_link_dies(self):
        tid, mid = self.bob.send(self.answer_path(), b"over the first")
        self.assertEqual(self.bob.take_response(tid).code, 200)
        self.assertEqual(self.first.take_message(mid).body, b"over the first")
        # The refusal of a message that came over the first link is told over the second.
        self.bob.auto = False
        mid = self.send_over(self.first, self.to_bob, b"refused")
        frame = self.bob.take_request("SEND", mid)
        self.end(self.first)
        self.bob.respond(frame, 415, "No")
        self.assertTrue(self.second.take_request("REPORT", mid).get("Status").startswith("000 415"))
        self.bob.auto = True
        # So are messages to the session that was made over the first one, and its own.
        for n in range(10):
            tid, mid = self.bob.send(self.answer_path(), b"after %d" % n)
            self.assertEqual(self.bob.take_response(tid).code, 200)
            self.assertEqual(self.second.take_message(mid).body, b"after %d" % n)
        mid = self.send_over(self.second, [self.use_alice] + self.to_bob, b"still alive")
        self.assertEqual(self.bob.take_message(mid).body, b"still alive")

    def test_R4976_4_a_session_is_refreshed_over_the_other_link(self):
        self.second.auth([self.use_alice], "alice", "secret", from_path=" ".join(self.alice))
        self.assertEqual(self.second.use_path[-1], self.use_alice)
        self.assertEqual(self.server.metric("parley_relay_sessions"), 2)


del RelayCase

if __name__ == "__main__":
    unittest.main()
