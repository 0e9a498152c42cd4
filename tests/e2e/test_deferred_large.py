"""test_deferred_large.py - large messages for users who can not be reached, with a real store and parties that know nothing of
it: taken by the server, on the disk when that is reported, sent when they are back, and neither lost nor there in part when
the process is killed (OMA-LRG-3, OMA-LRG-4, OMA-DEF-8, OMA-DEF-13, P-06, P-07).

PARLEY_E2E_BIG_MIB: how long the longest one is."""
import hashlib
import os
import random
import sqlite3
import sys
import time
import unittest
from contextlib import closing

from base import SECRETS
from im_peer import TAG, Participant, Session, attributes, recipients
from peer import Peer, new_id
from server import MEMORY_CHECKS
from store_base import StoreCase

SIZE = 6 * 1024 * 1024
CHUNK = 64 * 1024
BIG = int(os.environ.get("PARLEY_E2E_BIG_MIB", "256")) << 20
RSS_MAX = 128 << 20
DMF = "<sip:Deferred@example.org>"
LARGE = f"{TAG}.large-message"
SENDS, TAKES = "a=sendonly\r\n", "a=recvonly\r\n"
FACTORY = "sip:factory@example.org"


class Receiver(Participant):
    """One who says in his Contact that he takes large messages."""

    HEADERS = tuple((n, v if n != "Accept-Contact" else f"*;{LARGE}") for n, v in Participant.HEADERS)

    def __init__(self, case, user):
        super().__init__(case, case.server.listeners("tcp", "sip")[0], user, SECRETS[user], register=False)

    def here(self, seconds=3600):
        response = self.sip.register(seconds, contacts=[self.sip.contact_header(f";{TAG};{LARGE}")])
        self.case.assertEqual(response.code, 200, response.show())
        return self


class LargeCase(StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)
    MORE = ()

    def begin(self, *flags, **how):
        super().begin("--conference-factory", FACTORY, "--deferred-after", "2s", "--deferred-retry-first", "1s", *self.MORE, *flags, **how)

    def setUp(self):
        super().setUp()
        self.content, self.content_type = random.Random(7).randbytes(SIZE), "text/plain"

    def who(self, *names):
        return [Receiver(self, name) for name in names]

    def sql(self, text):
        with closing(sqlite3.connect(f"{self.store}/parley.db")) as db:
            return db.execute(text).fetchone()

    def waiting(self):
        return self.sql("SELECT count(*) FROM deferred")[0]

    def files(self):
        return sorted(os.listdir(f"{self.store}/bodies"))

    def until(self, ready, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def killed(self):
        """The process is gone; everybody has to come anew."""
        self.server.kill()
        for peer in self.peers:
            try:
                peer.close()
            except Exception:  # its connection was cut
                pass
        self.peers = []

    def sends(self, session, mid, begin=0, end=None):
        """That part of it, chunk after chunk, each answered 200."""
        end = len(self.content) if end is None else end
        for start in range(begin, end, CHUNK):
            piece = self.content[start:min(start + CHUNK, end)]
            tid, _ = session.msrp.send(session.path, piece, mid=mid, sr="yes", content_type=self.content_type,
                                       byte_range=f"{start + 1}-{start + len(piece)}/{len(self.content)}",
                                       flag="$" if start + len(piece) == len(self.content) else "+")
            self.assertEqual(session.msrp.take_response(tid, 30).code, 200)

    def stores(self, sender, target="sip:bob@example.org", mid=None):
        """All of it; its Message-ID, once it is reported."""
        session = sender.answered(sender.call(target, more=SENDS))
        self.assertEqual(attributes(session.answer, "recvonly"), [""])
        mid = mid or new_id()
        self.sends(session, mid)
        report = session.msrp.take_request("REPORT", mid, 30)
        self.assertEqual(report.get("Status"), "000 200 OK")
        session.leave()
        return mid

    def takes(self, who):
        """Accepts what is pushed; the session, its media connected."""
        request = who.invited()
        own = who.own_path()
        dialog = request.tx.accept(body=who.description(own, types="*", more=TAKES), headers=[("Server", "IM-client/OMA1.0 test/1")])
        request.tx.wait_ack()
        session = Session(who, dialog, own, request.body)
        session.invite = request
        return session.connect()

    def has_all(self, session, mid):
        message = session.msrp.take_message(mid, 60)
        self.assertEqual(hashlib.sha256(bytes(message.body)).digest(), hashlib.sha256(self.content).digest())


class Large(LargeCase):
    def test_OMA_LRG_4_stored_and_sent(self):
        alice, bob = self.who("alice", "bob")
        alice.here()
        mid = self.stores(alice)
        self.assertEqual(self.waiting(), 1)
        self.assertEqual(len(self.files()), 1)
        bob.here()
        session = self.takes(bob)
        self.assertEqual(session.invite.get("p-asserted-identity"), DMF)
        self.assertEqual(session.invite.from_.uri, "sip:alice@example.org")
        self.assertTrue(session.invite.get("date"))
        self.assertEqual(attributes(session.answer, "sendonly"), [""])
        self.has_all(session, mid)
        session.bye_came()
        self.until(lambda: self.waiting() == 0 and self.files() == [], "what was brought is still there")

    def test_OMA_LRG_4_a_device_that_does_not_answer(self):
        alice, bob = self.who("alice", "bob")
        alice.here()
        bob.here()
        tx = alice.call("sip:bob@example.org", more=SENDS)
        ringing = bob.invited()
        ringing.tx.respond(180)
        session = alice.answered(tx)
        ringing.tx.wait_cancel()
        mid = new_id()
        self.sends(session, mid)
        self.assertEqual(session.msrp.take_request("REPORT", mid, 30).get("Status"), "000 200 OK")
        session.leave()
        theirs = self.takes(bob)
        self.has_all(theirs, mid)
        theirs.bye_came()

    def test_OMA_LRG_3_of_a_list_some_are_there(self):
        alice, bob, carol = self.who("alice", "bob", "carol")
        alice.here()
        carol.here()
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor, carol.aor]), more=SENDS)
        theirs = self.takes(carol)
        session = alice.answered(tx)
        mid = new_id()
        self.sends(session, mid)
        self.has_all(theirs, mid)
        self.assertEqual(session.msrp.take_request("REPORT", mid, 30).get("Status"), "000 200 OK")
        session.leave()
        theirs.bye_came()
        bob.here()
        late = self.takes(bob)
        self.has_all(late, mid)
        late.bye_came()

    def test_OMA_DEF_13_fetched(self):
        alice, bob, carol = self.who("alice", "bob", "carol")
        alice.here()
        carol.here()
        mid = self.stores(alice)
        number = self.sql("SELECT id FROM deferred")[0]
        parts = number.to_bytes(8, "little")
        letters = "".join(chr(97 + (b >> 4)) for b in parts) + "".join(chr(97 + (b & 15)) for b in parts)
        reference = f"sip:deferred-{letters}@example.org"
        self.assertEqual(carol.call(reference, more=TAKES).final().code, 403)
        self.assertEqual(carol.call(f"sip:deferred-{'a' * 16}@example.org", more=TAKES).final().code, 404)
        session = bob.answered(bob.call(reference, more=TAKES))
        self.has_all(session, mid)
        session.bye_came()
        self.until(lambda: self.waiting() == 0 and self.files() == [], "what he has is still there")

    def test_P_06_killed_at_every_stage(self):
        # What says in each session that it is the same.
        self.content = (b"From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
                        b"imdn.Message-ID: once\r\n\r\nContent-Type: text/plain\r\n\r\n" + self.content)
        self.content_type = "message/cpim"
        alice, bob = self.who("alice", "bob")
        alice.here()
        session = alice.answered(alice.call("sip:bob@example.org", more=SENDS))
        mid = new_id()
        self.sends(session, mid, 0, SIZE // 2)
        self.until(lambda: len(self.files()) == 1, "nothing is written")
        self.killed()
        self.assertEqual(self.waiting(), 0)
        self.begin()
        self.assertEqual(self.files(), [], "what was not whole is gone")
        # Sent again, reported, sent once more.
        alice, bob = self.who("alice", "bob")
        alice.here()
        self.stores(alice, mid=mid)
        self.killed()
        self.assertEqual(self.waiting(), 1)
        self.begin()
        alice, bob = self.who("alice", "bob")
        alice.here()
        self.stores(alice, mid=mid)
        self.until(lambda: (self.waiting(), len(self.files())) == (1, 1), "it is there twice")
        # Killed while it is sent.
        bob.here()
        half = self.takes(bob)
        half.msrp.pause()
        self.killed()
        self.begin()
        self.assertEqual((self.waiting(), len(self.files())), (1, 1))
        bob, = self.who("bob")
        bob.here()
        theirs = self.takes(bob)
        self.has_all(theirs, mid)
        theirs.bye_came()
        self.until(lambda: self.waiting() == 0 and self.files() == [], "what was brought is still there")


class TwoShards(Large):
    SHARDS = 2


class Big(LargeCase):
    MORE = ("--deferred-large-max", "4GiB", "--deferred-bytes-max", "8GiB")

    def test_OMA_LRG_4_memory_does_not_grow_with_it(self):
        alice, = self.who("alice")
        alice.here()
        session = alice.answered(alice.call("sip:bob@example.org", more=SENDS))
        mid, at, sent = new_id(), 0, hashlib.sha256()
        block = bytearray(os.urandom(1 << 20))
        began = time.monotonic()
        unanswered = []
        for i in range(BIG >> 20):
            block[0:8] = i.to_bytes(8, "big")
            sent.update(block)
            tid, _ = session.msrp.send(session.path, bytes(block), mid=mid, sr="yes", content_type="application/octet-stream",
                                       byte_range=f"{at + 1}-{at + len(block)}/{BIG}", flag="$" if at + len(block) == BIG else "+")
            at += len(block)
            unanswered.append(tid)
            if len(unanswered) > 4:
                self.assertEqual(session.msrp.take_response(unanswered.pop(0), 120).code, 200)
        for tid in unanswered:
            self.assertEqual(session.msrp.take_response(tid, 120).code, 200)
        self.assertEqual(session.msrp.take_request("REPORT", mid, 300).get("Status"), "000 200 OK")
        stored = time.monotonic() - began
        session.leave()
        memory = self.server.memory()["rss_max"]
        bob, = self.who("bob")
        request = bob.here().invited()
        own = bob.own_path()
        dialog = request.tx.accept(body=bob.description(own, types="*", more=TAKES), headers=[("Server", "IM-client/OMA1.0 test/1")])
        request.tx.wait_ack()
        theirs = Session(bob, dialog, own, request.body)
        got = {"hash": hashlib.sha256(), "bytes": 0, "frame": None}

        def sink(frame, piece):
            if frame is not got["frame"]:
                got["frame"] = frame
                assert frame.byte_range[0] == got["bytes"] + 1, (frame.byte_range, got["bytes"])
            got["hash"].update(piece)
            got["bytes"] += len(piece)

        began = time.monotonic()
        host, _, port = theirs.path.partition("://")[2].partition("/")[0].rpartition(":")
        reader = Peer((host, int(port)), name="bob msrp")
        self.addCleanup(reader.close)
        reader.tolerate_cut = True
        reader.uri, reader.sink, reader.keep_messages = own, sink, False
        reader.request("SEND", theirs.path, [("Message-ID", new_id()), ("Byte-Range", "1-0/0")])
        theirs.bye_came(600)
        reader.check()
        self.assertEqual(got["bytes"], BIG)
        self.assertEqual(got["hash"].hexdigest(), sent.hexdigest())
        both = self.server.memory()["rss_max"]
        print(f"{self.id()}: {BIG >> 20} MiB; stored in {stored:.1f} s, highest resident size {memory >> 10} KiB; sent in "
              f"{time.monotonic() - began:.1f} s, {both >> 10} KiB", file=sys.stderr)
        if MEMORY_CHECKS:
            self.assertLess(both, RSS_MAX)


del LargeCase, StoreCase  # they are no tests

if __name__ == "__main__":
    unittest.main()
