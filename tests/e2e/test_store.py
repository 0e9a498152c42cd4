"""test_store.py - what parleyd still knows after it was killed and started again (--store)."""
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

from server import Parleyd, binary
from sip_base import SipCase


def free_ports(count):
    """Ports that are free for TCP and UDP and that the kernel gives to nobody who asks for any, so that the second start can
    have the first one's."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = int(file.read().split()[0])
    ports = []
    while len(ports) < count:
        port = random.randrange(max(1024, first - 16384), first)
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class StoreCase(SipCase):
    """One server after the other, on the same ports and with the same store."""

    SHARDS = None

    @classmethod
    def setUpClass(cls):
        cls.server = None

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        super().setUp()
        self.store = tempfile.mkdtemp(prefix="parley-e2e-store-")
        self.addCleanup(shutil.rmtree, self.store, ignore_errors=True)
        self.udp, self.tcp = free_ports(2)
        self.begin()

    def tearDown(self):
        if not self.server.end_checked:
            self.server.stop()
        super().tearDown()

    def begin(self, *flags, store=None, **how):
        sip = (f"udp:127.0.0.1:{self.udp}", f"tcp:127.0.0.1:{self.tcp}")
        self.server = Parleyd("--store", f"sqlite:{store or self.store}", "--register-expires-min", "1s", *flags, sip=sip,
                              msrp=(), shards=self.SHARDS, **how).start()

    def again(self, *flags, orderly=False):
        """What was said is on the disk before the process is killed: the store is given its milliseconds."""
        self.server.wait_metric("parley_store_waiting", lambda v: v == 0)
        if orderly:
            self.server.stop()
        else:
            self.server.kill()
        self.begin(*flags)

    def rows(self):
        with sqlite3.connect(f"{self.store}/parley.db") as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            return db.execute("SELECT aor, contact FROM registration ORDER BY aor, contact").fetchall()

    def reached(self, sender, receiver, text):
        request = sender.ask("MESSAGE", f"sip:{receiver.user}@example.org", body=text, content_type="text/plain")
        got = receiver.take_request("MESSAGE")
        self.assertEqual(got.body, text)
        self.code(request.final(10), 200)


class Story:
    def test_who_is_registered_by_UDP_is_reached_after_a_kill(self):
        bob = self.user("bob")
        before = self.bindings(bob)
        self.again()
        alice = self.peer()
        self.reached(alice, bob, b"still there?")
        after = self.bindings(bob)
        self.assertEqual(list(after), list(before))
        self.assertLessEqual(max(after.values()), max(before.values()))
        # and he goes on in his own order: the same Call-ID, the next CSeq, one binding
        self.code(bob.register(600), 200)
        self.assertEqual(len(self.bindings(bob)), 1)
        self.again(orderly=True)
        self.reached(self.peer(), bob, b"and now?")
        self.assertEqual(self.rows(), [("sip:bob@example.org", bob.contact)])


class Restart(Story, StoreCase):
    def test_R3261_14_the_order_of_a_call_id_outlives_the_process(self):
        bob = self.user("bob")
        early = bob.register_seq - 1
        self.code(bob.register(600), 200)
        self.again()
        self.code(bob.register(0, cseq=early), 500)
        self.assertEqual(len(self.bindings(bob)), 1)

    def test_who_went_away_does_not_come_back(self):
        bob, carol = self.user("bob"), self.user("carol")
        self.code(bob.register(0), 200)
        self.again()
        self.assertEqual(self.bindings(bob), {})
        self.assertEqual(len(self.bindings(carol)), 1)

    def test_time_goes_on_while_nobody_runs(self):
        bob = self.user("bob", expires=1)
        self.server.wait_metric("parley_store_waiting", lambda v: v == 0)
        self.server.kill()
        time.sleep(1.1)
        self.begin()
        self.assertEqual(self.bindings(bob), {})

    def test_T_35_who_was_reached_by_his_connection_has_to_come_again(self):
        bob = self.user("bob", "tcp", outbound=True)
        self.again()
        self.assertEqual(self.bindings(self.peer(user="bob")), {})
        alice = self.peer()
        self.code(alice.message("sip:bob@example.org"), 480)
        back = self.user("bob", "tcp", outbound=True, name="bob again")
        self.reached(alice, back, b"welcome back")
        self.assertEqual(self.rows(), [])

    def test_a_reload_may_not_change_the_store(self):
        self.assertEqual(self.server.metric("parley_store_dropped_total"), 0)
        self.assertGreaterEqual(self.server.metric("parley_store_wal_bytes"), 0)
        self.user("bob")
        self.server.wait_metric("parley_store_operations_total", lambda v: v == 1)
        self.assertEqual(self.server.metric("parley_store_commits_total"), 1)


class TwoShards(Story, StoreCase):
    SHARDS = 2


class Refused(unittest.TestCase):
    """What is no store is said and left alone, before anything listens."""

    def start(self, value):
        return subprocess.run([binary(), "--sip", "udp:127.0.0.1:0", "--domain", "example.org", "--admin", "none", "--store",
                               value], capture_output=True, text=True, timeout=30, check=False)

    def test_bad_stores(self):
        with tempfile.TemporaryDirectory() as there:
            with open(os.path.join(there, "parley.db"), "w", encoding="utf-8") as file:
                file.write("this is no database" * 100)
            for value, why in ((f"sqlite:{there}", "not a database"), (f"sqlite:{there}/a/b", "No such file"),
                               ("sqlite:", "neither memory nor"), ("postgres:x", "neither memory nor")):
                with self.subTest(value):
                    ended = self.start(value)
                    self.assertNotEqual(ended.returncode, 0)
                    self.assertIn(why, ended.stderr + ended.stdout)


if __name__ == "__main__":
    unittest.main()
