"""test_deferred.py - messages for users who can not be reached, and messages to groups, with a real store: kept, brought in
their order, and not lost when the process ends or its disk is full (OMA-DEF-4, OMA-DEF-8, OMA-PAG-1, P-06, P-07).
test_deferred_kills.py kills it at any moment."""
import errno
import os
import random
import re
import sqlite3
import subprocess
import tempfile
import time
import unittest
from contextlib import closing

from store_base import StoreCase

DMF = "<sip:Deferred@example.org>"
IM = ("Accept-Contact", "*;+g.oma.sip-im")


def cpim(who, mid, wanted=""):
    return (f"From: <sip:{who}@example.org>\r\nTo: <sip:x@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
            f"imdn.Message-ID: {mid}\r\nDateTime: 2026-01-01T00:00:00Z\r\n{wanted}\r\nContent-Type: text/plain\r\n\r\n"
            f"{mid}").encode()


def mid_of(message):
    return re.search(rb"imdn\.Message-ID: (\S+)", message.body)[1].decode()


class DeferredCase(StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)

    def begin(self, *flags, **how):
        super().begin("--group", "sip:team@example.org=alice,bob,carol", *flags, **how)

    def sql(self, text):
        with closing(sqlite3.connect(f"{self.store}/parley.db")) as db:
            return db.execute(text).fetchone()

    def waiting(self):
        return self.sql("SELECT (SELECT count(*) FROM deferred), (SELECT count(*) FROM sending)")

    def until(self, ready, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)


class Deferred(DeferredCase):
    def test_OMA_DEF_4_kept_brought_in_order_and_gone(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.code(bob.register(0), 200)
        for text in (b"one", b"two", b"three"):
            self.code(alice.message("sip:bob@example.org", text), 202)
        self.assertEqual(self.waiting(), (3, 0))
        self.code(bob.register(600), 200)
        for text in (b"one", b"two", b"three"):
            got = bob.take_request("MESSAGE")
            self.assertEqual(got.body, text)
            self.assertEqual(got.get("p-asserted-identity"), DMF)
            self.assertEqual(got.from_.uri, "sip:alice@example.org")
            self.assertTrue(got.get("date"), got.show())
        self.until(lambda: self.waiting() == (0, 0), "what was brought is still there")
        self.reached(alice, bob, b"four")
        self.assertEqual(self.server.metric("parley_im_deferred_delivered_total"), 3)

    def test_P_06_what_was_202_outlives_the_process(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.code(bob.register(0), 200)
        self.code(alice.message("sip:bob@example.org", b"one"), 202)
        self.server.kill()
        self.begin()
        self.code(bob.register(600), 200)
        self.assertEqual(bob.take_request("MESSAGE").body, b"one")

    def test_OMA_DEF_5_a_full_box_is_said(self):
        self.server.stop()
        self.begin("--deferred-count-max", "1")
        alice = self.user("alice")
        self.code(alice.message("sip:bob@example.org", b"one"), 202)
        refused = self.code(alice.message("sip:bob@example.org", b"two"), 480)
        self.assertIn("no more is kept", refused.get("warning"))

    def test_OMA_DEF_6_what_is_over_is_told(self):
        alice = self.user("alice")
        wanted = "imdn.Disposition-Notification: negative-delivery\r\n"
        self.code(alice.message("sip:bob@example.org", cpim("alice", "m-1", wanted), "message/cpim",
                                headers=[IM, ("Expires", "1")]), 202)
        told = alice.take_request("MESSAGE", timeout=20)
        self.assertEqual(told.from_.uri, "sip:Deferred@example.org")
        self.assertIn(b"<message-id>m-1</message-id>", told.body)
        self.assertIn(b"<failed/>", told.body)
        self.until(lambda: self.waiting() == (0, 0), "it is still there")

    def test_roles_say_who_keeps(self):
        self.server.stop()
        self.begin("--roles", "registrar,participating,controlling")
        self.code(self.user("alice").message("sip:bob@example.org", b"one"), 480)


class TwoShards(Deferred):
    SHARDS = 2


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small file system")
class DiskFull(DeferredCase):
    """A disk that fills up in mid-load and has room again some time later."""

    def setUp(self):
        self.small = tempfile.mkdtemp(prefix="parley-e2e-disk-")
        self.addCleanup(os.rmdir, self.small)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", self.small], check=False)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.small], check=True)
        self.filler = os.path.join(self.small, "filler")
        with open(self.filler, "wb") as file:
            file.write(bytes(10 << 20))
        super().setUp()

    def begin(self, *flags, **how):
        # The log has room beside the rows, once there is room again: without that no store recovers.
        super().begin("--deferred-count-max", "100000", "--store-wal-max", "4MiB", *flags, store=f"sqlite:{self.small}/store", **how)

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError as full:
                self.assertEqual(full.errno, errno.ENOSPC)

    def test_P_06_a_full_disk_is_said_and_loses_nothing(self):
        alice, carol = self.user("alice", "tcp"), self.user("carol")
        bob = self.peer(user="bob")
        promised, number = [], 0
        while True:
            number += 1
            self.assertLess(number, 5000, "the disk does not fill up")
            body = f"number {number} ".encode() + bytes(random.Random(number).choices(range(97, 122), k=1000))
            response = alice.message("sip:bob@example.org", body)
            if response.code != 202:
                break
            promised.append(body)
        self.code(response, 480)
        self.assertIn("stored", response.get("warning"))
        self.assertGreater(len(promised), 20)
        self.fill()  # what was left for something smaller
        began = time.monotonic()
        refused = [alice.message("sip:bob@example.org", b"x" * 1000).code for _ in range(20)]
        self.assertEqual(set(refused), {480})
        self.assertLess(time.monotonic() - began, 20, "each waits for its time-out")
        # More than the log may still have of what was taken back.
        self.code(alice.message("sip:team@example.org", b"to all " + b"x" * 50_000), 503)
        # Who is there is reached, and registers, as if nothing had happened.
        self.reached(alice, carol, b"online")
        self.code(carol.register(600), 200)
        os.unlink(self.filler)
        self.until(lambda: alice.message("sip:carol@example.org", b"ping").code == 200, "nothing passes any more")
        after = b"there is room again"
        self.until(lambda: alice.message("sip:bob@example.org", after).code == 202, "it does not recover")
        self.code(bob.register(600), 200)
        for body in [*promised, after]:
            self.assertEqual(bob.take_request("MESSAGE").body, body)
        self.server.wait_metric("parley_im_deferred_delivered_total", lambda v: v == len(promised) + 1)
        self.until(lambda: self.server.metric("parley_store_waiting") == 0, "something still waits")
        self.server.kill()
        store = os.path.join(self.small, "store", "parley.db")
        with closing(sqlite3.connect(store)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            self.assertEqual(db.execute("SELECT count(*) FROM deferred").fetchone(), (0,))
        self.begin()


del StoreCase  # it is no test

if __name__ == "__main__":
    unittest.main()
