"""test_ws.py - MSRP over WebSocket (RFC 7977): a client of our own against parleyd, in clear and over TLS, with TCP clients."""
import hashlib
import os
import socket
import unittest

import certificates
from base import RelayCase, SECRETS, path
from peer import new_id
from server import MEMORY_CHECKS
from ws_peer import WsPeer
from ws_wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame, handshake, new_key, read_head

BIG_MIB = min(64, int(os.environ.get("PARLEY_E2E_BIG_MIB", "64")))
RSS_MAX = 64 << 20


def one_byte_fragments(data):
    return b"".join(frame(BINARY if i == 0 else CONTINUATION, data[i:i + 1], i == len(data) - 1) for i in range(len(data)))


def halves(data):
    """Two messages for one frame, with a ping between them."""
    middle = len(data) // 2
    return frame(TEXT, data[:middle]) + frame(PING, b"half") + frame(BINARY, data[middle:])


class WsCase(RelayCase):
    MSRP = ("tcp:127.0.0.1:0", "ws:127.0.0.1:0", "tls:127.0.0.1:0", "wss:127.0.0.1:0")
    MORE = ()

    @classmethod
    def setUpClass(cls):
        cls.material = certificates.make(cls, "localhost", "example.org")
        cls.FLAGS = ("--tls-cert", cls.material["cert"], "--tls-key", cls.material["key"], *cls.MORE)
        super().setUpClass()

    def ws_peer(self, kind="ws", **how):
        if kind == "wss":
            how.update(tls=certificates.client_context(self.material["ca"]), server_name="localhost")
        peer = WsPeer(self.server.listeners(kind)[0], **how)
        self.peers.append(peer)
        return peer

    def ws_user(self, name="alice", kind="ws", **how):
        peer = self.ws_peer(kind, name=name, **how)
        peer.auth(self.server.uri(kind), name, SECRETS[name], algorithm="SHA-256")
        return peer

    def both_ways(self, a, b, body):
        for here, there in ((a, b), (b, a)):
            tid, mid = here.send(path(here, there), body, sr="yes")
            self.assertEqual(here.take_response(tid).code, 200)
            message = there.take_message(mid)
            self.assertEqual(message.body, body)
            there.report(message.chunks[0])
            self.assertEqual(here.take_request("REPORT", mid).get("Status"), "000 200 OK")


class Ws(WsCase):
    def test_R7977_1_auth_and_use_path(self):
        for kind, reached in (("ws", "tcp"), ("wss", "tls")):
            with self.subTest(kind):
                alice = self.ws_user("alice", kind)
                host, port = self.server.listeners(reached)[0]
                scheme = "msrps" if kind == "wss" else "msrp"
                self.assertRegex(alice.use_path[0], rf"^{scheme}://{host}:{port}/[^;]+;tcp$")
                status, sessions = self.server.http("GET", "/api/v1/sessions")
                self.assertEqual((status, f'"transport":"{kind}"' in sessions.replace(" ", "")), (200, True), sessions)
                wrong = self.ws_peer(kind)
                self.assertEqual(wrong.auth_once(self.server.uri(kind)).code, 401)

    def test_R7977_1_T_77_messages_and_reports_both_ways(self):
        bodies = (b"hello", "ä € 😀".encode() * 100, bytes(range(256)) * 8, os.urandom(30000), b"")
        for kind in ("ws", "wss"):
            for opcode in (TEXT, BINARY, one_byte_fragments, halves):
                alice, bob = self.ws_user("alice", kind, opcode=opcode), self.user("bob")
                for body in bodies:
                    if opcode is one_byte_fragments and len(body) > 4000:
                        continue
                    with self.subTest(kind=kind, opcode=opcode, size=len(body)):
                        self.both_ways(alice, bob, body)
                self.assertIn(TEXT, [m[0] for m in alice.ws.messages])
                self.assertIn(BINARY, [m[0] for m in alice.ws.messages])

    def test_R7977_1_web_to_web_and_a_caller_without_auth(self):
        alice, carol = self.ws_user("alice", "wss"), self.ws_user("carol", "wss")
        for body in (b"x", os.urandom(200_000)):
            self.both_ways(alice, carol, body)
        caller = self.peer()
        bob = self.ws_user("bob")
        tid, mid = caller.send(bob.use_path + [bob.uri], b"who is there")
        self.assertEqual(caller.take_response(tid).code, 200)
        frame_in = bob.take_request("SEND", mid)
        reply, _ = bob.send(frame_in.from_path, b"a browser")
        self.assertEqual(bob.take_response(reply).code, 200)
        self.assertEqual(caller.take_request("SEND").body, b"a browser")

    def test_R7977_1_a_web_caller_of_a_session_on_any_shard(self):
        """The caller's connection cannot move to the session's shard any more: it has a handshake behind it."""
        bob = self.user("bob")
        for i in range(8):
            caller = self.ws_peer()
            tid, mid = caller.send(bob.use_path + [bob.uri], b"from wherever")
            self.assertEqual(caller.take_response(tid).code, 200)
            got = bob.take_request("SEND", mid)
            back, mid = bob.send(got.from_path, os.urandom(5000))
            self.assertEqual(bob.take_response(back).code, 200)
            caller.take_message(mid)

    def test_T_77_one_huge_message_streams(self):
        alice, bob = self.ws_user("alice"), self.user("bob")
        state = {"hash": hashlib.sha256(), "bytes": 0}

        def sink(_, piece):
            state["hash"].update(piece)
            state["bytes"] += len(piece)

        bob.keep_messages, bob.sink = False, sink
        size, digest = BIG_MIB << 20, hashlib.sha256()
        tid, mid = new_id(), new_id()
        head = (f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(alice, bob))}\r\nFrom-Path: {alice.uri}\r\nMessage-ID: {mid}\r\n"
                f"Byte-Range: 1-*/{size}\r\nContent-Type: application/octet-stream\r\n\r\n").encode()
        tail = f"\r\n-------{tid}$\r\n".encode()
        alice.note(head)
        # One frame of the whole size; its mask of zeros changes nothing, so that the pieces are cheap to make.
        raw = bytes([0x80 | BINARY, 0x80 | 127]) + (len(head) + size + len(tail)).to_bytes(8, "big") + bytes(4) + head
        write = super(WsPeer, alice).write
        write(raw)
        for i in range(BIG_MIB):
            block = os.urandom(1 << 20)
            digest.update(block)
            write(block, 60)
            if i == BIG_MIB // 2:
                bob.wait(lambda: state["bytes"] > size // 4, "bytes while the rest is still to come")
        write(tail)
        self.assertEqual(alice.take_response(tid, 60).code, 200)
        bob.take(lambda f: f.get("Message-ID") == mid and f.flag == "$", "the last chunk", 60)
        self.assertEqual((state["bytes"], state["hash"].digest()), (size, digest.digest()))
        if MEMORY_CHECKS:
            self.assertLess(self.server.memory()["rss_max"], RSS_MAX)

    def test_R7977_1_a_large_chunk_reaches_the_web_in_bounded_messages(self):
        alice, bob = self.ws_user("alice"), self.user("bob")
        body = os.urandom(4 << 20)
        tid, mid = bob.send(path(bob, alice), body)
        self.assertEqual(bob.take_response(tid).code, 200)
        message = alice.take_message(mid)
        self.assertEqual(message.body, body)
        self.assertGreater(len(message.chunks), 20)
        self.assertLess(max(size for _, size, _ in alice.ws.messages), 140_000)

    def test_R4975_6_a_chunk_is_interrupted_for_others(self):
        alice, bob, carol = self.ws_user("alice"), self.user("bob"), self.user("carol")
        tid, mid = new_id(), new_id()
        first = (f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(bob, alice))}\r\nFrom-Path: {bob.uri}\r\nMessage-ID: {mid}\r\n"
                 f"Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n").encode() + b"x" * 10000
        bob.raw(first)
        alice.wait(lambda: alice.arriving and alice.arriving[1] > 5000, "the chunk's beginning")
        alice.frame(PING, b"within a message")
        alice.take_pong(b"within a message")
        self.fence(carol, alice)
        bob.raw(b"y" * 10000 + f"\r\n-------{tid}$\r\n".encode())
        message = alice.take_message(mid)
        self.assertEqual(message.body, b"x" * 10000 + b"y" * 10000)
        self.assertGreater(len(message.chunks), 1)
        self.assertGreater(max(fragments for *_, fragments in alice.ws.messages), 1)

    def test_R7977_1_failures_are_reported_to_the_web(self):
        alice, bob = self.ws_user("alice"), self.user("bob", auto=lambda _: 413)
        tid, mid = alice.send(path(alice, bob), b"unwanted")
        self.assertEqual(alice.take_response(tid).code, 200)
        self.assertEqual(alice.take_request("REPORT", mid).get("Status").split()[1], "413")

    def test_R7977_1_keep_alives(self):
        alice = self.ws_user("alice")
        alice.frame(PING, b"are you there")
        alice.take_pong(b"are you there")
        tid = alice.request("SEND", alice.use_path)  # bodiless (RFC 4975 section 7.1)
        self.assertEqual(alice.take_response(tid).code, 200)

    def test_R7977_1_an_end_by_close_frame(self):
        alice, bob = self.ws_user("alice"), self.user("bob")
        before = self.server.metric("parley_msrp_websockets_closed_total", reason="peer")
        alice.frame(CLOSE, (1000).to_bytes(2, "big") + b"done")
        alice.wait_closed()
        self.assertEqual(alice.close_code, 1000)
        self.assertEqual(self.server.metric("parley_msrp_websockets_closed_total", reason="peer"), before + 1)
        tid, mid = bob.send(path(bob, alice), b"too late")
        self.assertEqual(bob.take_response(tid).code, 481)

    def test_X_26_what_breaks_the_protocol_is_told_and_closed(self):
        for bad, code in ((frame(TEXT, b"x", mask=False), 1002), (frame(CONTINUATION, b"x"), 1002),
                          (bytes([0x82, 0xff]) + b"\xff" * 8 + bytes(4), 1002), (frame(PING, b"", fin=False), 1002)):
            alice = self.ws_user("alice")
            super(WsPeer, alice).write(bad)
            alice.wait_closed()
            self.assertEqual(alice.close_code, code)

    def answer(self, **how):
        address = self.server.listeners("ws")[0]
        with socket.create_connection(address, timeout=10) as sock:
            sock.sendall(handshake(f"{address[0]}:{address[1]}", new_key(), **how))
            return read_head(sock)[:2]

    def test_R7977_1_handshakes_that_are_refused(self):
        for how, status, reason in ((dict(subprotocol="sip"), 400, "subprotocol"), (dict(subprotocol=None), 400, "subprotocol"),
                                    (dict(version="8"), 426, "version"), (dict(method="POST"), 405, "request")):
            before = self.server.metric("parley_msrp_websockets_refused_total", reason=reason)
            got, fields = self.answer(**how)
            self.assertEqual(got, status, how)
            if status == 426:
                self.assertEqual(fields["sec-websocket-version"], "13")
            self.assertEqual(self.server.metric("parley_msrp_websockets_refused_total", reason=reason), before + 1)
        self.assertEqual(self.answer(origin="https://anywhere.example", path="/any")[0], 101)

    def test_plain_msrp_on_the_websocket_port(self):
        with socket.create_connection(self.server.listeners("ws")[0], timeout=10) as sock:
            sock.sendall(b"MSRP a786hjs2 AUTH\r\nTo-Path: msrp://127.0.0.1:1;tcp\r\n\r\n")
            self.assertEqual(read_head(sock)[0], 400)


class Doors(WsCase):
    MSRP = ("ws:127.0.0.1:0",)
    MORE = ("--ws-origin", "https://chat.example.org", "--ws-path", "/msrp", "--msrp-ws-ping", "1s", "--plain-auth", "never")

    def test_R7977_1_X_26_origin_and_path(self):
        address = self.server.listeners("ws")[0]
        for path_, origin, status in (("/msrp", "https://chat.example.org", 101), ("/msrp?x=1", None, 101),
                                      ("/msrp", "https://chat.example.org.evil.example", 403), ("/", None, 404)):
            with socket.create_connection(address, timeout=10) as sock:
                sock.sendall(handshake("relay", new_key(), path_, origin))
                got, fields, _ = read_head(sock)
                self.assertEqual(got, status)
                self.assertEqual(fields.get("access-control-allow-origin"), origin if status == 101 else None)
        for reason in ("origin", "path"):
            self.assertEqual(self.server.metric("parley_msrp_websockets_refused_total", reason=reason), 1)

    def test_R4976_1_plain_auth_never_holds_for_ws(self):
        peer = self.ws_peer(path="/msrp")
        self.assertEqual(peer.auth_once(self.server.uri("ws")).code, 403)
        peer.wait_closed()
        self.assertEqual(peer.close_code, 1008)

    def test_R7977_1_pings_find_who_is_gone(self):
        peer = self.ws_peer(path="/msrp")
        peer.wait(lambda: peer.pings >= 2, "two pings")
        peer.pause()  # reads nothing any more, so answers nothing
        self.server.wait_metric("parley_msrp_websockets_closed_total", lambda v: v >= 1, reason="silent")
        peer.resume()
        peer.wait_closed()
        self.assertEqual(peer.close_code, 1001)


class OnlyWebSocket(WsCase):
    MSRP = ("wss:127.0.0.1:0",)

    def test_R7977_1_use_path_says_ws(self):
        alice, bob = self.ws_user("alice", "wss"), self.ws_user("bob", "wss")
        host, port = self.server.listeners("wss")[0]
        self.assertRegex(alice.use_path[0], rf"^msrps://{host}:{port}/[^;]+;ws$")
        self.both_ways(alice, bob, b"among ourselves")


if __name__ == "__main__":
    unittest.main()
