"""store_base.py - one parleyd after the other, on the same ports and with the same store."""
import random
import shutil
import socket
import sqlite3
import tempfile

from server import Parleyd
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
    MSRP = ()

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

    def begin(self, *flags, **how):
        sip = (f"udp:127.0.0.1:{self.udp}", f"tcp:127.0.0.1:{self.tcp}")
        how.setdefault("store", f"sqlite:{self.store}")
        self.server = Parleyd("--register-expires-min", "1s", *flags, sip=sip, msrp=self.MSRP, shards=self.SHARDS, **how).start()

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
