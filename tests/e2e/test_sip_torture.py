"""test_sip_torture.py - the messages of RFC 4475 and RFC 5118 and thousands of broken ones against the real server.

tests/sip/torture/expected.tsv says what each message is; here it is sent over UDP and TCP, IPv4 and IPv6, and the
answer must fit. Generated messages come from a seed: PARLEY_SIP_SEED=7 repeats the run of seed 7.
"""
import os
import random
import re
import select
import socket
import time
import unittest

import strict_sip
from sip_base import SipCase, counters, grown

TORTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sip", "torture")
SILENCE = 0.15  # seconds without an answer that count as none, after another request has been answered
SEED = int(os.environ.get("PARLEY_SIP_SEED", "20261128"))
GENERATED = int(os.environ.get("PARLEY_SIP_GENERATED", "5000"))

# What the element behind the parser owes to good messages, where the RFC leaves it no choice (RFC 4475 section 3).
# 407 may always come first: strangers are asked who they are before anything else is looked at (R3261-4).
OWED = {"rfc4475/bext01.dat": (420,), "rfc4475/zeromf.dat": (200, 483), "rfc4475/regaut01.dat": (401, 403, 404),
        "rfc4475/esc02.dat": (403, 404, 405, 501), "rfc4475/intmeth.dat": (403, 404, 405, 501)}
BAD = {400, 500, 503, 505, 513}  # no answer to a message that is good


def cases():
    """[(file, verdict of a datagram, [verdicts on a stream])]"""
    found = []
    with open(os.path.join(TORTURE, "expected.tsv"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#") and line.strip():
                name, _, datagram, stream = line.rstrip("\n").split("\t")
                found.append((name, datagram, [v.strip() for v in (datagram if stream == "same" else stream).split(";")]))
    return found


def load(name):
    with open(os.path.join(TORTURE, name), "rb") as file:
        return file.read()


def reply_port(data):
    """Where an answer on UDP goes when the source's address is its host: the port of the top Via."""
    m = re.search(rb"(?im)^(?:via|v)[ \t]*:[ \t]*(?:\r?\n[ \t]+)?sip[ \t\r\n]*/[ \t\r\n]*2\.0[ \t\r\n]*/[ \t\r\n]*(\w+)\s+"
                  rb"(?:[^\s;,:\[\]]+|\[[^\]]*\])[ \t\r\n]*(?::[ \t\r\n]*(\d+))?", data)
    if m is None:
        return 5060
    port = int(m.group(2)) if m.group(2) else 5061 if m.group(1).upper() == b"TLS" else 5060
    return port if 1024 < port < 65536 else 5060


class Book(SipCase):
    """One server per transport and family, for a branch that is seen twice is a retransmission."""

    FAMILY, HOST = socket.AF_INET, "127.0.0.1"
    TRANSPORT = "udp"

    @classmethod
    def setUpClass(cls):
        if cls is Book:
            raise unittest.SkipTest("the cases are below")
        host = f"[{cls.HOST}]" if ":" in cls.HOST else cls.HOST
        cls.SIP = (f"udp:{host}:0", f"tcp:{host}:0")
        super().setUpClass()

    def serves(self, peer):
        self.code(peer.options(auth=False), 200, 401, 407)

    def fits(self, name, verdict, data, answers):
        """Each answer is one the verdict allows."""
        shown = f"{name} ({verdict}) got {answers}"
        if data.startswith(b"SIP/2.0") or verdict.startswith("drop") or verdict == "incomplete":
            self.assertEqual(answers, [], shown)
            return
        self.assertGreaterEqual(len(answers), 1, shown)
        finals = [a for a in answers if int(a[8:11]) >= 200]
        self.assertEqual(len({a[8:11] for a in finals}), 1, shown)
        answer = finals[0]
        self.well_formed(answer, strict=verdict == "accept" and name != "rfc4475/inv2543.dat")  # no tag there
        code = int(answer[8:11])
        if verdict == "accept":
            self.assertNotIn(code, BAD, shown)
            if name in OWED:
                self.assertIn(code, OWED[name] + (407,), shown)
        else:
            self.assertEqual(code, int(verdict.split()[0]), shown)

    def well_formed(self, answer, strict):
        """Strictly where nothing odd is echoed; a line-wise look otherwise."""
        self.assertRegex(answer, rb"\ASIP/2\.0 [1-6][0-9]{2} [^\r\n]*\r\n")
        head, blank, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(blank, answer)
        self.assertNotRegex(head, rb"(?<!\r)\n|\r(?!\n)")
        length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head)
        if length:
            self.assertEqual(int(length.group(1)), len(body), answer)
        if strict:
            strict_sip.parse_datagram(answer)


class BookUdp(Book):
    def test_R3261_16_every_message(self):
        fence = self.peer("udp")
        server = self.server.listeners("udp", "sip")[0]
        for number, (name, verdict, _) in enumerate(cases()):
            with self.subTest(name):
                data = load(name)
                self.fits(name, verdict, data, self.exchange(server, data, number, fence))
                self.serves(fence)

    def source(self, number):
        """A loopback address for each message, so that late repetitions for one reach nobody else."""
        return f"127.0.{8 + os.getpid() % 200}.{1 + number}"

    def exchange(self, server, data, number, fence):
        port = reply_port(data)
        sock = self.bound(self.source(number), port)
        try:
            sock.sendto(data, server)
            deadline = time.monotonic() + 5
            answers = []
            fenced = False
            while time.monotonic() < deadline:
                if select.select([sock], [], [], SILENCE)[0]:
                    answer = sock.recv(65536)
                    if self.belongs(data, answer):
                        answers.append(answer)
                elif answers or fenced:
                    break
                else:
                    self.serves(fence)
                    fenced = True
            return answers
        finally:
            sock.close()

    def bound(self, host, port):
        """On IPv6 there is only one loopback address: another run may hold the port for a moment."""
        deadline = time.monotonic() + 60
        while True:
            sock = socket.socket(self.FAMILY, socket.SOCK_DGRAM)
            try:
                sock.bind((host, port))
                return sock
            except OSError:
                sock.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    @staticmethod
    def belongs(data, answer):
        """Not the repetition of an answer to an earlier message."""
        call = re.search(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*(?:\r?\n[ \t]+)?(\S+)", data)
        return call is None or call.group(1) in answer


class BookUdp6(BookUdp):
    FAMILY, HOST = socket.AF_INET6, "::1"

    def source(self, number):
        return "::1"


class BookTcp(Book):
    TRANSPORT = "tcp"

    def test_R3261_16_every_message(self):
        fence = self.peer("tcp", listen=False)
        for name, _, verdicts in cases():
            with self.subTest(name):
                self.exchange(name, verdicts, fence)
                self.serves(fence)

    def exchange(self, name, verdicts, fence):
        data = load(name)
        sock = socket.create_connection(self.server.listeners("tcp", "sip")[0])
        sock.settimeout(5)
        closes = verdicts[-1].endswith(" and close")
        try:
            sock.sendall(data)
            got, closed = b"", False
            if not closes and verdicts != ["incomplete"]:
                sock.sendall(b"\r\n\r\n")  # the pong says that all before it has been read
            wanted = len([v for v in verdicts if v.split()[0] in ("accept",) or v[:1].isdigit()])
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                if not select.select([sock], [], [], SILENCE)[0]:
                    if closes or len(self.split(got)) < wanted and not data.startswith(b"SIP/2.0"):
                        continue
                    break
                try:
                    piece = sock.recv(65536)
                except ConnectionError:
                    piece = b""
                if not piece:
                    closed = True
                    break
                got += piece
            self.assertEqual(closed, closes, f"{name} {verdicts}: closed is {closed}; got {got}")
            answers = self.split(got)
            groups = {}
            for answer in answers:
                call = re.search(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*(\S+)", answer)
                groups.setdefault(call.group(1) if call else b"", []).append(answer)
            answered = [v for v in verdicts if not v.startswith("drop") and v != "incomplete"]
            if data.startswith(b"SIP/2.0"):
                self.assertEqual(answers, [], name)
            elif len(answered) == 1:
                self.fits(name, answered[0].removesuffix(" and close"), data, answers)
            else:
                self.assertEqual(len(groups), len(answered), f"{name}: {answers}")
                for verdict, group in zip(answered, groups.values()):
                    self.fits(name, verdict, data, group)
        finally:
            sock.close()

    def split(self, data):
        """The messages of a stream, pongs left out."""
        found = []
        while data:
            if data.startswith(b"\r\n"):
                data = data[2:]
                continue
            end = data.find(b"\r\n\r\n")
            if end < 0:
                break
            length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", data[:end])
            self.assertTrue(length, f"no Content-Length on a stream: {data[:end]}")
            whole = end + 4 + int(length.group(1))
            found.append(data[:whole])
            data = data[whole:]
        return found


class BookTcp6(BookTcp):
    FAMILY, HOST = socket.AF_INET6, "::1"


class Generator:
    """Broken messages made from good ones; the same seed makes the same messages."""

    def __init__(self, seed, user, server):
        self.random = random.Random(seed)
        self.user, self.server = user, server

    def good(self):
        r = self.random
        method = r.choice(("REGISTER", "MESSAGE", "INVITE", "OPTIONS", "SUBSCRIBE", "ACK", "BYE", "CANCEL", "PUBLISH", "FOO"))
        uri = r.choice(("sip:example.org", "sip:bob@example.org", "sip:bob@[::1]:5062;transport=tcp", "tel:+4930123"))
        number = r.randrange(1 << 31)
        lines = [f"Via: SIP/2.0/UDP {self.user};branch=z9hG4bK{r.getrandbits(64):x};rport",
                 f"Max-Forwards: {r.choice((70, 0, 1, 255))}", f"From: \"A\" <sip:alice@example.org>;tag={number:x}",
                 f"To: <{uri}>", f"Call-ID: {r.getrandbits(64):x}@here", f"CSeq: {number} {method}",
                 f"Contact: <sip:alice@{self.user}>;expires=60;q=0.5"]
        extra = ["Expires: 60", "Supported: path, 100rel", "Event: reg;id=1", "Require: pref", "Accept: text/plain, */*",
                 'Authorization: Digest username="alice", realm="example.org", nonce="abc", uri="sip:example.org", '
                 'response="00112233445566778899aabbccddeeff", algorithm=MD5, qop=auth, nc=00000001, cnonce="x"',
                 "Route: <sip:127.0.0.1:5060;lr>, <sip:p.example;lr>", "Record-Route: <sip:q.example;lr>",
                 "P-Asserted-Identity: <sip:carol@example.org>, <tel:+4930>", "Session-Expires: 1800;refresher=uac",
                 "Date: Sat, 13 Nov 2010 23:29:00 GMT", "Subject: x", "Accept-Contact: *;+g.oma.sip-im;require",
                 "Path: <sip:edge.example;lr>", "RAck: 1 1 INVITE", "Warning: 399 x \"y\"", "Privacy: id;critical",
                 "Content-Type: multipart/mixed;boundary=\"b\""]
        lines += r.sample(extra, r.randrange(6))
        body = r.choice((b"", b"x", b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n", bytes(range(256))))
        start = f"{method} {uri} SIP/2.0" if r.random() < 0.8 else f"SIP/2.0 {r.choice((100, 180, 200, 401, 603))} Any"
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join([start, *lines]) + "\r\n\r\n").encode() + body

    def bad(self):
        data = self.good()
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            data = self.random.choice((self.flip, self.cut, self.drop, self.double, self.swap, self.length, self.insert,
                                       self.number, self.long, self.eol))(data)
        return data or b"x"

    def at(self, data):
        return self.random.randrange(max(1, len(data)))

    def flip(self, data):
        changed = bytearray(data)
        for _ in range(self.random.choice((1, 2, 8))):
            if changed:
                changed[self.at(changed)] = self.random.randrange(256)
        return bytes(changed)

    def cut(self, data):
        return data[:self.at(data)]

    def _lines(self, data, change):
        head, blank, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        change(lines)
        return b"\r\n".join(lines) + blank + body

    def drop(self, data):
        return self._lines(data, lambda lines: lines.pop(self.at(lines)))

    def double(self, data):
        def change(lines):
            at = self.at(lines)
            lines.insert(at, lines[at])
        return self._lines(data, change)

    def swap(self, data):
        return self._lines(data, self.random.shuffle)

    def length(self, data):
        value = self.random.choice((b"-1", b"1000000", b"99999999999999999999", b"x", b"", b"0", b"1", b"+5", b"0x10"))
        return re.sub(rb"Content-Length: \d+", b"Content-Length: " + value, data)

    def insert(self, data):
        at = self.at(data)
        piece = self.random.choice((b"\x00", b"\xff\xfe", b"\r\n", b"\n", b"\r", b"<", b">", b'"', b"\\", b"%", b"%0", b",", b";",
                                    b"\r\n ", b"\r\n\t", b":", b"=", b"@", b"[", b"]", b"\xc3", b"{", b"~" * 50))
        return data[:at] + piece + data[at:]

    def number(self, data):
        found = list(re.finditer(rb"\d+", data))
        if not found:
            return data
        m = self.random.choice(found)
        value = self.random.choice((b"0", b"-1", b"4294967295", b"4294967296", b"18446744073709551616", b"00000000001", b"1e9"))
        return data[:m.start()] + value + data[m.end():]

    def long(self, data):
        return self._lines(data, lambda lines: lines.insert(self.at(lines), b"X-Long: " + b"y" * self.random.choice(
            (100, 5000, 30000))))

    def eol(self, data):
        return data.replace(b"\r\n", self.random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r")), self.random.choice((1, 3, 100)))


class Generated(SipCase):
    def setUp(self):
        super().setUp()
        self.bob = self.user("bob")
        self.alice = self.peer("udp")

    def tearDown(self):
        if self.bob:
            self.bob.register(0, contacts=["*"])
        super().tearDown()

    def serves(self):
        self.code(self.alice.message(self.bob.aor, b"still here"), 200)
        self.bob.take_request("MESSAGE", lambda m: m.body == b"still here")

    def test_R3261_16_generated_datagrams(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind(("127.0.0.1", 0))
        self.addCleanup(sock.close)
        server = self.server.listeners("udp", "sip")[0]
        generator = Generator(SEED, f"127.0.0.1:{sock.getsockname()[1]}", server)
        before, known = counters(self.server), self.alice.flow.sent + self.bob.flow.sent
        sent = 0
        for i in range(GENERATED):
            data = generator.bad()
            if len(data) < 60000:
                sock.sendto(data, server)
                sent += 1
            if i % 100 == 99:
                self.serves()
                self.drain(sock)
        self.serves()
        self.accounted(before, sent + self.alice.flow.sent + self.bob.flow.sent - known)

    def drain(self, sock):
        while select.select([sock], [], [], 0)[0]:
            answer = sock.recv(65536)
            self.assertRegex(answer, rb"\A(?:SIP/2\.0 [1-6][0-9]{2} |\x01|\r\n)", f"seed {SEED}")

    def test_R3261_16_generated_streams(self):
        generator = Generator(SEED + 1, "127.0.0.1:5099", None)
        before = counters(self.server)
        address = self.server.listeners("tcp", "sip")[0]
        for i in range(GENERATED // 5):
            with socket.create_connection(address) as sock:
                data = b"".join(generator.bad() for _ in range(generator.random.choice((1, 1, 2, 5))))
                try:
                    sock.sendall(data)
                except ConnectionError:
                    pass
            if i % 100 == 99:
                self.serves()
        self.serves()
        self.assertTrue(grown(before, counters(self.server)))

    def accounted(self, before, sent):
        """Every datagram shows in a counter: as a message, as a keep-alive, or as something else that was dropped."""
        arrived = ("parley_sip_messages_received_total", "parley_sip_keep_alives_total")
        deadline = time.monotonic() + 5
        while True:
            found = grown(before, counters(self.server))
            count = sum(v for k, v in found.items() if k.startswith(arrived))
            if count == sent or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self.assertEqual(count, sent, f"seed {SEED}: {sent} datagrams went out; counters: {found}")
        for start, least in (('parley_sip_refused_total{status="400"', 100), ("parley_sip_not_sip_total", 10)):
            self.assertGreater(sum(v for k, v in found.items() if k.startswith(start)), least, found)


class GeneratorCase(unittest.TestCase):
    def test_the_generator_repeats_itself(self):
        one, two = (Generator(1, "127.0.0.1:1", None) for _ in range(2))
        self.assertEqual([one.bad() for _ in range(50)], [two.bad() for _ in range(50)])


if __name__ == "__main__":
    unittest.main()
