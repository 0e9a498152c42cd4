"""test_sip_strangers.py - what somebody gets over UDP who has not shown who he is: little, once, and not too often."""
import os
import select
import socket
import threading
import time
import unittest

from sip_base import SECRETS, Parleyd, SipCase, token
from sip_peer import SipPeer

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "PRACK",
           "UPDATE", "REFER", "INFO", "FROBNICATE")
BAD_CREDENTIALS = ('Digest username="alice", realm="example.org", nonce="0123456789abcdef", uri="sip:bob@example.org", '
                   'response="00112233445566778899aabbccddeeff", algorithm=MD5, qop=auth, nc=00000001, cnonce="x"')
QUIET = 1.0  # seconds without a datagram after which none is expected: twenty times T1 as it is set here


def form(method, host, port, uri="sip:bob@example.org", version="SIP/2.0", via="", top="", lines=(), body=b"", drop=(),
         to="<sip:bob@example.org>", length=None, compact=False, max_forwards=70, cseq=None, call_id=None):
    """One request; what is to be wrong or odd with it is said."""
    name = dict(Via="v", From="f", To="t", **{"Call-ID": "i", "Content-Length": "l"}) if compact else {}
    head = [("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{token(4)}{top}")]
    head += [("Via", via)] if via else []
    head += [] if max_forwards is None else [("Max-Forwards", max_forwards)]
    head += [("From", f"<sip:a@example.org>;tag={token(2)}"), ("To", to), ("Call-ID", call_id or token(4)),
             ("CSeq", cseq or f"1 {method}")]
    head += list(lines) + ([("Content-Length", len(body) if length is None else length)] if length != "" else [])
    between = ":" if compact else ": "
    text = "".join(f"{name.get(n, n)}{between}{v}\r\n" for n, v in head if n not in drop)
    return f"{method} {uri} {version}\r\n{text}\r\n".encode() + body


def forms():
    """[(name, function of host and port)]: more than 300."""
    shapes = {
        "plain": {},
        "rport": dict(top=";rport"),
        "shortest": dict(uri="sip:b@example.org", to="<sip:b@a>", max_forwards=None, length="", compact=True),
        "to the server": dict(uri="sip:example.org", to="<sip:example.org>"),
        "to the server, short": dict(uri="sip:example.org", to="<sip:b@a>", max_forwards=None, length="", compact=True),
        "in a dialog": dict(to="<sip:bob@example.org>;tag=theirs"),
        "through others": dict(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa, SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKb"),
        "a body": dict(body=b"x" * 900, lines=[("Content-Type", "text/plain")]),
        "less than its length": dict(length=999),
        "no length": dict(length="", body=b"surplus"),
        "no Max-Forwards left": dict(max_forwards=0),
        "what we do not know": dict(lines=[("Proxy-Require", "a, b, c"), ("Require", "d, e, f")]),
        "much we do not know": dict(lines=[("Proxy-Require", ",".join(f"x{i}" for i in range(200))),
                                           ("Require", ",".join(f"x{i}" for i in range(200)))]),
        "bad credentials": dict(lines=[("Authorization", BAD_CREDENTIALS), ("Proxy-Authorization", BAD_CREDENTIALS)]),
        "routed": dict(lines=[("Route", "<sip:192.0.2.1;lr>"), ("Route", "<sip:192.0.2.2;lr>")]),
        "elsewhere": dict(uri="sip:bob@elsewhere.example"),
        "by telephone": dict(uri="tel:+4930123456"),
        "an urn": dict(uri="urn:service:sos"),
        "no From": dict(drop=("From",)),
        "another CSeq": dict(cseq="1 OTHER"),
        "another version": dict(version="SIP/7.0"),
        "for events": dict(lines=[("Event", "reg"), ("Accept", "application/reginfo+xml"), ("Expires", 60)]),
        "of many words": dict(lines=[("Contact", "<sip:a@192.0.2.1>"), ("Record-Route", "<sip:192.0.2.3;lr>"),
                                     ("Supported", "100rel, timer, path, outbound"), ("Timestamp", "54"),
                                     ("Session-Expires", "90"), ("Subject", "x" * 200)]),
        "a long Call-ID": dict(call_id="c" * 400),
    }
    made = [(f"{method}, {name}", lambda host, port, m=method, s=shape: form(m, host, port, **s))
            for method in METHODS for name, shape in shapes.items()]
    stun = b"\x00\x01%s\x21\x12\xa4\x42" + b"t" * 12
    made += [("STUN", lambda *_: stun % b"\x00\x00"), ("STUN with software", lambda *_: stun % b"\x00\x08" + b"\x80\x22\x00\x04abcd"),
             ("STUN cut", lambda *_: stun[:10]), ("CRLF", lambda *_: b"\r\n\r\n"), ("nothing", lambda *_: b""),
             ("a response", lambda host, port: form("x", host, port).replace(b"x sip:bob@example.org SIP/2.0", b"SIP/2.0 200 OK")),
             ("garbage", lambda *_: os.urandom(300)), ("text", lambda *_: b"hello\r\n\r\n")]
    return made


class Sources:
    """UDP sockets at loopback addresses of their own, and every datagram that comes to them."""

    def __init__(self, case):
        self.case = case
        self.socks, self.got = {}, {}

    def open(self, host):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.case.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # nothing that comes is lost here
        sock.bind((host, 0))
        sock.setblocking(False)
        self.socks[sock.fileno()], self.got[sock] = sock, []
        return sock

    def gather(self, quiet=QUIET):
        """Until nothing has come for so long."""
        poll = select.poll()
        for fd in self.socks:
            poll.register(fd, select.POLLIN)
        while ready := poll.poll(quiet * 1000):
            for fd, _ in ready:
                self.got[self.socks[fd]].append(self.socks[fd].recv(65536))


class Amplification(SipCase):
    """Everything as it comes, but for T1: what is ever sent again comes soon."""
    FLAGS = ("--sip-source-exempt", "none", "--sip-t1", "50ms")

    def test_X11_one_reply_of_at_most_three_times_the_bytes(self):
        server = self.server.listeners("udp", "sip")[0]
        sent = self.server.metric("parley_datagrams_sent_total")
        sources, asked = Sources(self), {}
        for number, (name, make) in enumerate(forms()):
            sock = sources.open(f"127.{20 + number // 200}.{os.getpid() % 250}.{1 + number % 200}")
            asked[sock] = (name, make(*sock.getsockname()))
            sock.sendto(asked[sock][1], server)
        sources.gather()
        self.assertGreater(len(asked), 300)
        replies, worst = 0, 0
        for sock, (name, data) in asked.items():
            got = sources.got[sock]
            with self.subTest(name):
                self.assertLessEqual(len(got), 1, f"{name}: {got}")
                self.assertLessEqual(sum(map(len, got)), 3 * len(data), f"{data}\n{got}")
                if name.startswith("ACK") or name in ("CRLF", "nothing", "a response", "garbage", "text"):
                    self.assertEqual(got, [], name)
            replies += len(got)
            worst = max(worst, sum(map(len, got)) / max(len(data), 1))
        self.assertGreater(replies, 300)
        self.assertGreater(worst, 1.5, "something came near the bound")
        self.assertEqual(self.server.metric("parley_sip_repetitions_sent_total"), 0)
        self.assertEqual(self.server.metric("parley_sip_source_dropped_total"), 0, "one from each address is nobody's flood")
        self.assertEqual(self.server.metric("parley_datagrams_sent_total") - sent, replies, "all that left came to who asked")
        self.assertGreater(self.server.metric("parley_sip_replies_bounded_total"), 0)

    def test_X11_a_repetition_gets_the_same_again_and_nothing_more(self):
        server = self.server.listeners("udp", "sip")[0]
        sources, asked = Sources(self), {}
        for number, method in enumerate(METHODS):
            sock = sources.open(f"127.30.{os.getpid() % 250}.{1 + number}")
            asked[sock] = form(method, *sock.getsockname())
            for _ in range(3):
                sock.sendto(asked[sock], server)
        sources.gather()
        for sock, data in asked.items():
            got = sources.got[sock]
            self.assertLessEqual(len(got), 3)
            self.assertLessEqual(sum(map(len, got)), 9 * len(data))
            self.assertLessEqual(len(set(got)), 1, "without a transaction the answers must be equal (8.2.7)")


class Budget(SipCase):
    SILENCE = 2.0
    REQUESTS = 20

    @classmethod
    def setUpClass(cls):
        # One shard: the kernel spreads one address's ports over the shards, and each of them counts for itself.
        cls.server = Parleyd("--sip-source-exempt", "none", "--sip-source-budget", str(cls.REQUESTS), "--sip-source-silence", f"{int(cls.SILENCE * 1000)}ms",
                             "--sip-source-budget-proven", "1000", sip=cls.SIP, msrp=(), shards=1).start()

    def setUp(self):
        super().setUp()
        self.where = self.server.listeners("udp", "sip")[0]
        self.sources = Sources(self)

    def host(self, number):
        return f"127.31.{os.getpid() % 250}.{number}"

    def answered(self, sock, count):
        """How many of so many requests, sent as fast as can be."""
        self.sources.got[sock].clear()
        for _ in range(count):
            sock.sendto(form("MESSAGE", *sock.getsockname()), self.where)
        self.sources.gather(0.5)
        return len(self.sources.got[sock])

    def test_X11_thirty_and_then_silence_for_a_while(self):
        sock = self.sources.open(self.host(1))
        dropped = self.server.metric("parley_sip_source_dropped_total", reason="budget")
        silenced = self.server.metric("parley_sip_sources_silenced_total")
        began = time.monotonic()
        self.assertEqual(self.answered(sock, 60), self.REQUESTS)
        self.assertEqual(self.server.metric("parley_sip_source_dropped_total", reason="budget") - dropped, 60 - self.REQUESTS)
        self.assertEqual(self.server.metric("parley_sip_sources_silenced_total") - silenced, 1)
        other = self.sources.open(self.host(2))
        self.assertEqual(self.answered(other, 5), 5, "another address")
        while not self.answered(sock, 1):
            self.assertLess(time.monotonic() - began, 15)
        self.assertGreaterEqual(time.monotonic() - began, self.SILENCE)

    def test_X11_who_is_known_there_speaks_for_all(self):
        host = self.host(3)
        alice = SipPeer(self.where, "udp", "alice", SECRETS["alice"], bind=(host, 0))
        self.peers.append(alice)
        self.code(alice.register(600), 200)
        sock = self.sources.open(host)
        self.assertEqual(self.answered(sock, 300), 300)
        dropped = self.server.metric("parley_sip_source_dropped_total", reason="proven_budget")
        self.answered(sock, 1200)
        self.assertGreater(self.server.metric("parley_sip_source_dropped_total", reason="proven_budget"), dropped)
        self.code(alice.register(0), 200)

    def test_X31_many_devices_behind_one_address_come_back_together(self):
        """More than the budget at one time: their repetitions get through, and the first password shown opens the way."""
        host = self.host(4)
        devices = [SipPeer(self.where, "udp", user, SECRETS[user], bind=(host, 0), name=f"{user} {n}")
                   for n in range(10) for user in ("alice", "bob", "carol")]
        self.peers.extend(devices)
        codes = []
        threads = [threading.Thread(target=lambda d=d: codes.append(d.register(600).code)) for d in devices]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)
        self.assertEqual(codes, [200] * len(devices))
        for device in devices:
            self.code(device.register(0), 200)


if __name__ == "__main__":
    unittest.main()
