"""base.py - what the test modules share: one parleyd per class, peers that are closed and judged at the end."""
import os
import unittest

from peer import Peer
from server import Parleyd

BLOCKS_AT_REST = 4  # per shard: arena blocks that are begun but not full, plain and TLS
SECRETS = {"alice": "secret", "bob": "hush", "carol": "quiet"}


def path(a, b):
    """To-Path from a to b, each behind its own relays (RFC 4976 5.1)."""
    return a.use_path + list(reversed(b.use_path)) + [b.uri]


class RelayCase(unittest.TestCase):
    """One relay for all tests of a class; nothing of a test may be left in it when the class ends."""

    FLAGS = ()
    MSRP = ("tcp:127.0.0.1:0",)
    CHECK_REST = True
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*cls.FLAGS, msrp=cls.MSRP).start()

    @classmethod
    def tearDownClass(cls):
        try:
            if cls.CHECK_REST:
                at_rest(cls.server)
        except BaseException:
            cls.server.kill()
            raise
        cls.server.stop()

    def setUp(self):
        self.peers = []

    def tearDown(self):
        troubles = []
        for peer in self.peers:
            try:
                peer.close()
            except Exception as bad:
                troubles.append(f"{peer.name}: {bad}")
        self.assertEqual(troubles, [])
        if self.server.process and not self.server.end_checked and self.server.process.poll() is not None:
            self.fail(f"parleyd has ended:\n{self.server.tail()}")

    def peer(self, server=None, **how):
        """A connection without AUTH."""
        peer = Peer((server or self.server).tcp, **how)
        self.peers.append(peer)
        return peer

    def user(self, name="alice", server=None, expires=None, algorithm="MD5", **how):
        """A connection with a session of its own."""
        server = server or self.server
        peer = self.peer(server, name=name, **how)
        peer.auth(server.uri(), name, SECRETS[name], algorithm=algorithm, expires=expires)
        return peer

    def pair(self, **how):
        return self.user("alice", **how), self.user("bob", **how)

    def fence(self, a, b):
        """A message from a to b and its answer: everything a sent before has been dealt with, in both directions."""
        tid, mid = a.send(path(a, b), b"fence")
        a.take_response(tid)
        self.assertEqual(b.take_message(mid).body, b"fence")

    def ask(self, peer):
        """An AUTH without credentials and its 401: everything peer sent before has been dealt with."""
        self.assertEqual(peer.auth_once(self.server.uri()).code, 401)


def at_rest(server, seconds=10.0):
    """No connection, session, transaction or buffer is left when all peers have gone."""
    for gauge in ("parley_connections", "parley_relay_sessions", "parley_relay_transactions", "parley_heap_bytes"):
        server.wait_metric(gauge, lambda v: v == 0, seconds)
    blocks = BLOCKS_AT_REST * (server.shards or os.cpu_count())
    server.wait_metric("parley_pool_live_blocks", lambda v: v <= blocks, seconds)
