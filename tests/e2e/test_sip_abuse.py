"""test_sip_abuse.py - peers that dawdle, flood, lie and break the rules; those who behave are served meanwhile."""
import os
import select
import socket
import time
import unittest

from server import MEMORY_CHECKS
from sip_base import SipCase, token
from sip_wire import Gone, WebSocket

MIB = 1 << 20


class AbuseCase(SipCase):
    """A bystander and Bob; each test ends with a message between them."""

    def setUp(self):
        super().setUp()
        self.bob = self.user("bob")
        self.alice = self.peer("udp")

    def tearDown(self):
        self.served()
        self.code(self.bob.register(0, contacts=["*"]), 200)
        super().tearDown()

    def served(self, text=b"meanwhile"):
        self.code(self.alice.message(self.bob.aor, text), 200)
        self.bob.take_request("MESSAGE", lambda m: m.body == text)

    def connect(self, kind="tcp"):
        sock = socket.create_connection(self.server.listeners(kind, "sip")[0])
        self.addCleanup(sock.close)
        sock.settimeout(10)
        return sock

    def rest(self, sock, seconds=10):
        """What comes until the server closes."""
        got, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not select.select([sock], [], [], 0.2)[0]:
                continue
            try:
                piece = sock.recv(65536)
            except ConnectionError:
                return got
            if not piece:
                return got
            got += piece
        self.fail(f"the connection is still open after {seconds} s; got {got[:300]!r}")

    def pour(self, sock, data, limit=30.0):
        """Sends until all is taken, the server closes or time is up; bytes taken."""
        sock.setblocking(False)
        view, deadline = memoryview(data), time.monotonic() + limit
        while view and time.monotonic() < deadline:
            try:
                view = view[sock.send(view[:262144]):]
            except BlockingIOError:
                readable, writable, _ = select.select([sock], [sock], [], 0.2)
                if readable and not writable:
                    try:
                        if not sock.recv(65536):
                            break
                    except OSError:
                        break
            except OSError:
                break
        sock.settimeout(10)
        return len(data) - len(view)

    def resident(self):
        return self.server.memory()["rss"]


class Slow(AbuseCase):
    FLAGS = ("--sip-first-message-timeout", "1s", "--sip-message-timeout", "1s")
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "ws:127.0.0.1:0")

    def test_X22_silent_connections_are_closed(self):
        for kind in ("tcp", "ws"):
            self.assertEqual(self.rest(self.connect(kind)), b"")

    def test_X22_slow_heads(self):
        for start in (b"OPTIONS sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1", b"O", b"\r\n\r\nOPT"):
            with self.subTest(start):
                sock = self.connect()
                sock.sendall(start)
                self.rest(sock)

    def test_X22_one_byte_now_and_then(self):
        """Bytes that trickle do not keep a message open."""
        sock = self.connect()
        began = time.monotonic()
        with self.assertRaises(OSError):
            for byte in b"OPTIONS sip:example.org SIP/2.0\r\n" + b"X-Y: z\r\n" * 100:
                sock.sendall(bytes([byte]))
                if select.select([sock], [], [], 0.1)[0] and not sock.recv(4096):
                    raise ConnectionResetError
        self.assertLess(time.monotonic() - began, 8)

    def test_X22_half_a_message(self):
        sock = self.connect()
        data = self.alice.compose("MESSAGE", self.bob.aor, body=b"x" * 1000, content_type="text/plain").raw
        sock.sendall(data[:-500])
        self.rest(sock)
        self.bob.quiet(0.1, lambda m: m.method)

    def test_X22_half_a_message_of_a_known_user(self):
        carol = self.peer("tcp", "carol", listen=False)
        self.code(carol.register(600), 200)
        carol.flow.tolerate_cut = True
        carol.raw(b"MESSAGE sip:bob@example.org SIP/2.0\r\nVia: ")
        carol.wait_closed()

    def test_X22_half_a_handshake(self):
        sock = self.connect("ws")
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: web")
        self.rest(sock)

    def test_X22_keep_alives_are_no_message(self):
        """Pings alone do not hold a stranger's connection for ever."""
        sock = self.connect()
        began = time.monotonic()
        try:
            while time.monotonic() - began < 8:
                sock.sendall(b"\r\n\r\n")
                if select.select([sock], [], [], 0.2)[0] and not sock.recv(4096):
                    return
        except OSError:
            return
        self.fail("a connection that only pings lives on")


class Sizes(AbuseCase):
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")

    def head(self, *lines, length=0):
        via = f"Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{token()}"
        return ("\r\n".join(["OPTIONS sip:example.org SIP/2.0", via, "Max-Forwards: 7",
                             f"From: <sip:a@example.org>;tag={token()}", "To: <sip:example.org>", f"Call-ID: {token()}",
                             "CSeq: 1 OPTIONS", *lines, f"Content-Length: {length}"]) + "\r\n\r\n").encode()

    def test_X22_huge_content_length(self):
        for length in (100 * MIB, 4294967295, 4294967296, 18446744073709551615, 10**30):
            with self.subTest(length):
                before = self.resident()
                sock = self.connect()
                sock.sendall(self.head(length=length) + b"x" * 5000)
                got = self.rest(sock)
                if got:
                    self.assertRegex(got, rb"\ASIP/2\.0 (?:400|413|513) ")
                if MEMORY_CHECKS:
                    self.assertLess(self.resident() - before, 8 * MIB)

    def test_X22_megabytes_without_a_line_end(self):
        for piece in (b"A", b"OPTIONS sip:", b"OPTIONS sip:example.org SIP/2.0\r\nX: y"):
            with self.subTest(piece):
                before = self.resident()
                sock = self.connect()
                taken = self.pour(sock, piece + b"a" * (64 * MIB))
                self.assertLess(taken, 32 * MIB)  # much of it is the kernel's buffers
                self.rest(sock)
                if MEMORY_CHECKS:
                    self.assertLess(self.resident() - before, 8 * MIB)

    def test_X22_header_floods(self):
        for lines in (["X: y"] * 20000, [f"X-{i}: y" for i in range(5000)], ["X: " + "y" * 500000], ["Via: SIP/2.0/TCP h"] * 5000,
                      ["Route: <sip:a;lr>"] * 5000, ["Contact: <sip:a@b>"] * 5000, [" folded" * 10] * 5000):
            with self.subTest(lines=lines[0][:30]):
                sock = self.connect()
                self.pour(sock, self.head(*lines))
                got = self.answer(sock)
                if got:
                    self.assertRegex(got, rb"\ASIP/2\.0 (?:400|413|431|513) ")
                sock.close()

    def answer(self, sock):
        """An answer, or nothing when the connection was closed without one."""
        try:
            got = sock.recv(65536)
        except ConnectionError:
            return b""
        return got

    def test_X22_header_floods_in_datagrams(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        for lines in (["X: y"] * 8000, ["X: " + "y" * 60000], ["Via: SIP/2.0/UDP h"] * 2000, ["Route: <sip:a;lr>"] * 2000):
            sock.sendto(self.head(*lines), self.server.listeners("udp", "sip")[0])
        self.served()

    def test_X22_body_in_small_pieces_costs_what_it_is(self):
        """200 strangers each with most of a 200 KiB message: memory for incomplete messages has a bound."""
        before = self.resident()
        socks = [self.connect() for _ in range(200)]
        for sock in socks:
            self.pour(sock, self.head(length=200 << 10) + b"x" * (190 << 10), 0.5)
        self.served()
        if MEMORY_CHECKS:
            self.assertLess(self.resident() - before, 96 * MIB)

    def test_X22_reader_that_does_not_read(self):
        """A registered user whose socket is full: his messages fail or wait within a bound, others' do not."""
        carol = self.peer("tcp", "carol", listen=False, outbound=True)
        self.code(carol.register(600), 200)
        carol.flow._run = False  # its reader stops
        time.sleep(0.2)
        before = self.resident()
        sender = self.peer("tcp", "alice")
        transactions = [sender.ask("MESSAGE", carol.aor, body=os.urandom(60000), content_type="application/octet-stream")
                        for _ in range(300)]
        self.served()
        if MEMORY_CHECKS:
            self.assertLess(self.resident() - before, 64 * MIB)
        self.assertEqual(len(transactions), 300)
        carol.flow.sock.close()


class Crowd(AbuseCase):
    def test_X22_two_thousand_silent_connections(self):
        before = self.resident()
        crowd = []
        for _ in range(2000):
            crowd.append(self.connect())
        self.server.wait_metric("parley_connections", lambda v: v >= 2000)
        self.served()
        grown = self.resident() - before
        if MEMORY_CHECKS:
            self.assertLess(grown, 2000 * 16 << 10)
        carol = self.user("carol", "tcp")
        self.code(carol.message(self.bob.aor, b"through the crowd"), 200)
        for sock in crowd:
            sock.close()
        self.server.wait_metric("parley_connections", lambda v: v <= 10)
        carol.register(0)

    def test_X22_churn_leaves_nothing(self):
        descriptors = self.server.descriptors()
        accepted = self.server.metric("parley_connections_accepted_total")
        for i in range(500):
            with socket.create_connection(self.server.listeners("tcp", "sip")[0]) as sock:
                sock.sendall(b"OPTIONS sip:"[:i % 12])
        self.server.wait_metric("parley_connections_accepted_total", lambda v: v >= accepted + 500)
        self.server.wait_metric("parley_connections", lambda v: v <= 5)
        self.assertLessEqual(self.server.descriptors(), descriptors + 5)


class Flood(AbuseCase):
    def flood(self, make, count, spread=1):
        socks = []
        for _ in range(spread):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            self.addCleanup(sock.close)
            socks.append(sock)
        server = self.server.listeners("udp", "sip")[0]
        sent = received = 0
        for i in range(count):
            sock = socks[i % spread]
            data = make(i, sock.getsockname()[1])
            try:
                sock.sendto(data, server)
                sent += len(data)
            except BlockingIOError:
                pass
            try:
                received += len(sock.recv(65536))
            except BlockingIOError:
                pass
        return sent, received

    def request(self, method, i, port, extra=""):
        return (f"{method} sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{i}x{token(4)};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=f{i}\r\nTo: <sip:bob@example.org>\r\n"
                f"Call-ID: f{i}{token(4)}\r\nCSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n").encode()

    def test_X22_requests_of_a_stranger(self):
        """30,000 requests without credentials from one source: answered within their size times three, nothing kept."""
        for method in ("MESSAGE", "INVITE", "REGISTER", "BYE", "ACK", "CANCEL"):
            with self.subTest(method):
                before = self.resident()
                extra = "Contact: <sip:a@127.0.0.1:9>\r\n" if method == "INVITE" else ""
                sent, received = self.flood(lambda i, port, m=method, e=extra: self.request(m, i, port, e), 5000)
                self.assertLessEqual(received, 3 * sent)
                self.served()
                if MEMORY_CHECKS:
                    self.assertLess(self.resident() - before, 24 * MIB)
        self.bob.quiet(0.1, lambda m: m.method and m.method != "MESSAGE")

    def test_X22_bad_credentials(self):
        bad = ('Proxy-Authorization: Digest username="alice", realm="example.org", nonce="0123456789abcdef", '
               'uri="sip:bob@example.org", response="00112233445566778899aabbccddeeff", algorithm=MD5, qop=auth, '
               'nc=00000001, cnonce="x"\r\n')
        self.flood(lambda i, port: self.request("MESSAGE", i, port, bad), 5000)
        self.served()

    def test_X22_forged_responses(self):
        answer = (b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"
                  b"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
        self.flood(lambda i, port: answer % i, 5000)
        self.served()

    def test_X22_garbage(self):
        self.flood(lambda i, port: os.urandom(i % 1400 + 1), 5000)
        self.served()

    def test_X22_stun_and_keep_alives(self):
        """RFC 5626 3.5.2: Binding requests are answered with the source; anything else that begins like STUN is dropped."""
        transaction = os.urandom(12)
        self.alice.raw(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + transaction)
        self.alice.wait(lambda: self.alice.stun, "a Binding response")
        answer = self.alice.stun[0]
        self.assertEqual(answer[:2], b"\x01\x01")
        self.assertEqual(answer[8:20], transaction)
        self.assertEqual(int.from_bytes(answer[2:4], "big"), len(answer) - 20)
        at, found = 20, {}
        while at < len(answer):
            kind, size = int.from_bytes(answer[at:at + 2], "big"), int.from_bytes(answer[at + 2:at + 4], "big")
            found[kind] = answer[at + 4:at + 4 + size]
            at += 4 + (size + 3) // 4 * 4
        mapped = found[0x20]
        port = int.from_bytes(mapped[2:4], "big") ^ 0x2112
        host = socket.inet_ntoa((int.from_bytes(mapped[4:8], "big") ^ 0x2112a442).to_bytes(4, "big"))
        self.assertEqual((host, port), self.alice.flow.local)
        self.flood(lambda i, p: b"\x00\x01" + os.urandom(i % 40), 2000)
        self.flood(lambda i, p: (b"\r\n\r\n", b"\r\n", b"\x00", b"\x00\x00\x00\x00")[i % 4], 2000)
        self.served()

    def test_X22_known_user_floods_another(self):
        """Transactions have a bound of their own; Bob hears what gets through, and others are served."""
        carol = self.peer("tcp", "carol", listen=False)
        transactions = [carol.ask("MESSAGE", self.bob.aor, body=b"%d" % i, content_type="text/plain") for i in range(500)]
        for tx in transactions:
            self.code(tx.final(60), 200, 480, 500, 503)

    def test_R5393_amplification_by_many_devices(self):
        """Max-Breadth bounds the branches of one request (RFC 5393 5)."""
        devices = [self.user("carol", name=f"carol {i}") for i in range(4)]
        for device in devices:
            device.auto["MESSAGE"] = None
        tx = self.alice.ask("MESSAGE", "sip:carol@example.org", headers=[("Max-Breadth", "1")], body=b"x",
                            content_type="text/plain")
        for _ in devices:
            self.alice.wait(lambda: any(d.requests for d in devices) or tx.all, "a branch or an answer")
            self.alice.quiet(0.2)
            asked = [d for d in devices if d.requests]
            self.assertLessEqual(len(asked), 1, "more branches at a time than Max-Breadth")
            if not asked:
                break
            asked[0].take_request("MESSAGE").tx.respond(480)
        self.code(tx.final(), 440, 480)
        for device in devices:
            self.code(device.register(0), 200)


class WebSockets(AbuseCase):
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "ws:127.0.0.1:0")
    FLAGS = ("--ws-origin", "https://app.example")

    def socket(self, **how):
        peer = self.peer("ws", origin="https://app.example", **how)
        peer.flow.tolerate_cut = True
        return peer

    def test_R7118_violations_close_the_connection(self):
        good = b"OPTIONS sip:example.org SIP/2.0\r\n"
        for what, code, act in (
                ("not masked", 1002, lambda f: f.frame(1, good, mask=False)),
                ("reserved bits", 1002, lambda f: f.frame(1, good, extra_bits=0x40)),
                ("reserved opcode", 1002, lambda f: f.frame(3, good)),
                ("reserved control opcode", 1002, lambda f: f.frame(11, b"")),
                ("continuation of nothing", 1002, lambda f: f.frame(0, good)),
                ("a message within a message", 1002, lambda f: (f.frame(1, good, fin=False), f.frame(1, good))),
                ("control frame cut", 1002, lambda f: f.frame(9, b"x", fin=False)),
                ("control frame too long", 1002, lambda f: f.frame(9, b"x" * 126)),
                ("close code of nobody", 1002, lambda f: f.frame(8, b"\x00\x01")),
                ("close with one byte", 1002, lambda f: f.frame(8, b"x")),
                ("text that is not UTF-8", 1007, lambda f: f.frame(1, b"\xff\xfe\xc3")),
                ("too big", 1009, lambda f: f.write(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"abcd")),
                ("too big by far", 1009, lambda f: f.write(b"\x82\xff" + b"\xff" * 8 + b"abcd"))):
            with self.subTest(what):
                peer = self.socket()
                act(peer.flow)
                peer.wait_closed()
                self.assertIn(peer.flow.close_code, (code, 1002, None), what)

    def test_R7118_one_message_in_pieces_and_pings_between(self):
        peer = self.socket(user="carol")
        request = peer.compose("OPTIONS", "sip:example.org")
        tx_data, original = request.raw, peer.flow.send
        pieces = [tx_data[:10], tx_data[10:200], tx_data[200:]]

        def send(data, to=None):
            peer.flow.frame(1, pieces[0], fin=False)
            peer.flow.frame(9, b"ping")
            peer.flow.frame(0, pieces[1], fin=False)
            peer.flow.frame(0, pieces[2])
        peer.flow.send = send
        tx = peer.start(request)
        peer.flow.send = original
        self.code(tx.final(), 200, 401, 407)
        peer.wait(lambda: peer.flow.ws_pongs == 1, "a pong")

    def test_R7118_half_a_sip_message_in_a_frame_is_no_message(self):
        """One frame, one message (RFC 7118 5): what is cut is bad, and the next one is read afresh."""
        peer = self.socket(user="carol")
        request = peer.compose("MESSAGE", self.bob.aor, body=b"x" * 100, content_type="text/plain").raw
        peer.flow._frame = lambda *a: None  # what is answered to half a message is not judged here
        peer.flow.frame(1, request[:150])
        peer.flow.frame(1, request[150:])
        time.sleep(0.3)
        self.bob.quiet(0.2, lambda m: m.method)

    def test_R7118_close_is_answered(self):
        peer = self.socket()
        peer.flow.frame(8, (1000).to_bytes(2, "big") + b"bye")
        peer.wait_closed()
        self.assertEqual(peer.flow.close_code, 1000)

    def test_R7118_bad_handshakes(self):
        address = self.server.listeners("ws", "sip")[0]
        good = ("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://app.example\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
        self.assertIn("101", self.shake(address, good))
        for what, text in (("version", good.replace("13", "8")), ("no key", good.replace("Sec-WebSocket-Key", "X-Key")),
                           ("bad key", good.replace("dGhlIHNhbXBsZSBub25jZQ==", "x")), ("method", good.replace("GET", "POST")),
                           ("protocol", good.replace("Protocol: sip", "Protocol: xmpp")), ("http", good.replace("/1.1", "/1.0")),
                           ("upgrade", good.replace("Upgrade: websocket", "Upgrade: h2c")), ("sip", "OPTIONS sip:a SIP/2.0\r\n\r\n"),
                           ("long", good.replace("Host: x", "Host: " + "x" * 100000)),
                           ("origin", good.replace("app.example", "evil.example"))):
            with self.subTest(what):
                start = self.shake(address, text)
                self.assertNotIn("101", start.split("\r\n")[0])

    def shake(self, address, text):
        with socket.create_connection(address) as sock:
            sock.settimeout(5)
            try:
                sock.sendall(text.encode())
                return sock.recv(4096).decode("latin-1")
            except (ConnectionError, TimeoutError):
                return ""

    def test_R7118_foreign_origin(self):
        with self.assertRaises(Gone):
            WebSocket(self.alice, self.server.listeners("ws", "sip")[0], origin="https://evil.example")

    def test_R7118_fragments_without_end(self):
        before = self.resident()
        peer = self.socket()
        try:
            peer.flow.frame(1, b"x" * 1000, fin=False)
            for _ in range(20000):
                peer.flow.frame(0, b"x" * 1000, fin=False)
        except (Gone, TimeoutError):
            pass
        peer.wait_closed()
        if MEMORY_CHECKS:
            self.assertLess(self.resident() - before, 8 * MIB)

    def test_R7118_pings_without_end(self):
        peer = self.socket()
        for _ in range(5000):
            peer.flow.frame(9, b"x" * 100)
        self.served()


if __name__ == "__main__":
    unittest.main()
