"""test_tls.py - TLS towards clients, mutual TLS between relays, AUTH through a second relay (R4976-1, -6, -14)."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import certificates
from base import RelayCase, SECRETS, path
from peer import Gone, Peer, new_id
from server import Parleyd
from strict_msrp import Violation


class TlsCase(RelayCase):
    @classmethod
    def setUpClass(cls):
        cls.material = certificates.make(cls)
        flags = ("--tls-cert", cls.material["cert"], "--tls-key", cls.material["key"], "--tls-ca", cls.material["ca"])
        cls.server = Parleyd(*flags, msrp=("tls:127.0.0.1:0", "tcp:127.0.0.1:0"), domain="example.org").start()

    def tls_peer(self, server=None, context=None, server_name="localhost", **how):
        peer = Peer((server or self.server).tls, tls=context or certificates.client_context(self.material["ca"]),
                    server_name=server_name, **how)
        self.peers.append(peer)
        return peer

    def tls_user(self, name="alice", server=None, **how):
        peer = self.tls_peer(server, name=name, **how)
        peer.auth((server or self.server).uri("tls"), name, SECRETS[name], algorithm="SHA-256")
        return peer


class Tls(TlsCase):
    def test_R4976_1_service_over_tls_1_2_and_1_3(self):
        before = self.server.metric("parley_tls_handshakes_total")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = certificates.client_context(self.material["ca"], version, version)
            a, b = self.tls_user("alice", context=context), self.tls_user("bob", context=context)
            self.assertEqual(a.sock.version(), "TLSv1.2" if version == ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
            host, port = self.server.tls
            self.assertTrue(a.use_path[0].startswith(f"msrps://{host}:{port}/"), a.use_path)
            self.fence(a, b)
            self.fence(b, a)
        self.assertGreaterEqual(self.server.metric("parley_tls_handshakes_total"), before + 4)

    def test_R4975_16_tls_1_1_is_refused(self):
        before = self.server.metric("parley_tls_failures_total")
        context = certificates.client_context(self.material["ca"])
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(self.server.tls, timeout=10) as sock:
            with self.assertRaises(ssl.SSLError) as caught:
                context.wrap_socket(sock, server_hostname="localhost")
        self.assertIn("PROTOCOL_VERSION", caught.exception.reason)  # the server's alert, not our own refusal
        self.server.wait_metric("parley_tls_failures_total", lambda v: v > before)

    def test_R4976_1_certificate_names_the_host(self):
        for name in ("localhost", "example.org"):
            peer = self.tls_peer(server_name=name)
            self.ask_tls(peer)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.tls_peer(server_name="other.example")

    def ask_tls(self, peer):
        self.assertEqual(peer.auth_once(self.server.uri("tls")).code, 401)

    def test_T_76_client_without_sni(self):
        context = certificates.client_context(self.material["ca"])
        context.check_hostname = False
        self.ask_tls(self.tls_peer(context=context, server_name=None))

    def test_R4976_14_client_certificate_is_asked_for_and_may_be_missing(self):
        for version in ("-tls1_2", "-tls1_3"):
            done = subprocess.run(
                ["openssl", "s_client", version, "-msg", "-connect", f"127.0.0.1:{self.server.tls[1]}"], timeout=20,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.assertIn(b"CertificateRequest", done.stdout)
        self.ask_tls(self.tls_peer())

    def test_R4976_14_certificate_of_another_authority_is_refused(self):
        other = certificates.Authority("Other CA")
        self.addCleanup(other.remove)
        cert, key = other.issue("localhost")
        context = certificates.client_context(self.material["ca"], cert=cert, key=key)
        try:
            peer = self.tls_peer(context=context)
            peer.request("AUTH", self.server.uri("tls"))
            peer.wait_closed()
            self.assertEqual(list(peer.frames), [])
        except (ssl.SSLError, ConnectionError, Gone):
            pass

    def test_R4976_8_between_tls_and_plain_clients(self):
        a, b = self.tls_user("alice"), self.user("bob")
        self.fence(a, b)
        self.fence(b, a)

    def test_large_chunks_over_tls(self):
        a, b = self.tls_user("alice"), self.tls_user("bob")
        body = os.urandom(3 << 20)
        tid, mid = a.send(path(a, b), body)
        self.assertTrue(b.take_message(mid).body == body)
        self.assertEqual(a.take_response(tid).code, 200)
        for size in range(16380, 16390):  # around a TLS record
            tid, mid = a.send(path(a, b), body[:size])
            self.assertTrue(b.take_message(mid).body == body[:size])

    def test_session_resumption(self):
        before = self.server.metric("parley_tls_resumptions_total")
        context = certificates.client_context(self.material["ca"], maximum=ssl.TLSVersion.TLSv1_2)
        first = self.tls_user("alice", context=context)
        session = first.sock.session
        first.close()
        raw = socket.create_connection(self.server.tls, timeout=10)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
            self.assertTrue(again.session_reused)
        self.server.wait_metric("parley_tls_resumptions_total", lambda v: v > before)

    def test_plain_bytes_on_the_tls_port_and_tls_on_the_plain_port(self):
        before = self.server.metric("parley_tls_failures_total")
        peer = Peer(self.server.tls)
        peer.tolerate_cut = True
        peer.write(b"MSRP abcd AUTH\r\nTo-Path: " + self.server.uri("tls").encode() + b"\r\n")
        try:
            peer.wait_closed()
        except Violation:
            pass  # a TLS alert is no MSRP frame
        self.server.wait_metric("parley_tls_failures_total", lambda v: v > before)
        with socket.create_connection(self.server.tcp, timeout=10) as sock:
            with self.assertRaises((ssl.SSLError, OSError)):
                certificates.client_context(self.material["ca"]).wrap_socket(sock, server_hostname="localhost")

    def test_idle_handshake_holds_nothing_up(self):
        idle = [socket.create_connection(self.server.tls) for _ in range(20)]
        a, b = self.tls_user("alice"), self.tls_user("bob")
        self.fence(a, b)
        for sock in idle:
            sock.close()

    def test_sighup_reloads_the_certificate(self):
        directory = tempfile.mkdtemp(prefix="parley-reload-")
        self.addCleanup(shutil.rmtree, directory, True)
        cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")

        def install(pair):
            for source, target in zip(pair, (cert, key)):
                shutil.copy(source, target + ".new")
                os.rename(target + ".new", target)

        def shown(server):
            with socket.create_connection(server.tls, timeout=10) as raw:
                context = certificates.client_context(self.material["ca"])
                with context.wrap_socket(raw, server_hostname="localhost") as sock:
                    return sock.getpeercert(binary_form=True)

        install(self.material["authority"].issue("localhost"))
        with Parleyd("--tls-cert", cert, "--tls-key", key, msrp=("tls:127.0.0.1:0",)) as server:
            first = shown(server)
            a, b = self.tls_user("alice", server), self.tls_user("bob", server)
            self.assertEqual(shown(server), first)
            install(self.material["authority"].issue("localhost"))
            server.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 10
            while shown(server) == first:
                self.assertLess(time.monotonic(), deadline, "the old certificate is still shown")
            self.fence(a, b)  # open connections live on

            with open(cert, "w", encoding="ascii") as file:  # a broken file changes nothing
                file.write("no certificate\n")
            second = shown(server)
            server.process.send_signal(signal.SIGHUP)
            for _ in range(20):
                self.assertEqual(shown(server), second)
            self.fence(b, a)
            a.close()
            b.close()


class TwoRelays(unittest.TestCase):
    """Alice - R1 - R2 - Bob; the relays know each other by mutual TLS. Both are called localhost, on two ports."""

    def setUp(self):
        self.material = certificates.make(self)
        self.authority = self.material["authority"]
        self.peers, self.servers = [], []

    def tearDown(self):
        for peer in self.peers:
            peer.close()
        for server in reversed(self.servers):  # the one that dialled first
            server.stop()

    def relay(self, *flags, cert=None):
        cert, key = cert or self.authority.issue("localhost")
        server = Parleyd("--tls-cert", cert, "--tls-key", key, "--tls-ca", self.material["ca"], "--advertise",
                         "localhost", *flags, msrp=("tls:127.0.0.1:0",), domain="localhost")
        self.addCleanup(server.kill)
        self.servers.append(server.start())
        return server

    def client(self, server, name):
        peer = Peer(server.tls, tls=certificates.client_context(self.material["ca"]), server_name="localhost",
                    name=name)
        self.peers.append(peer)
        return peer

    @staticmethod
    def uri(server):
        return f"msrps://localhost:{server.tls[1]};tcp"

    def two(self, **second):
        r2 = self.relay("--relay-peer", "localhost", **second)
        r1 = self.relay("--relay-peer", f"localhost:{r2.tls[1]}")
        return r1, r2

    def chain(self):
        """(r1, r2, a, b): a with a session on both relays, b on the second."""
        r1, r2 = self.two()
        a, b = self.client(r1, "alice"), self.client(r2, "bob")
        a.auth(self.uri(r1), "alice", "secret")
        self.first = a.use_path
        a.auth(a.use_path + [self.uri(r2)], "alice", "secret")
        b.auth(self.uri(r2), "bob", "hush")
        return r1, r2, a, b

    def test_R4976_6_auth_through_a_second_relay(self):
        r1, r2 = self.two()
        a = self.client(r1, "alice")
        a.auth(self.uri(r1), "alice", "secret")
        first = a.use_path
        to_path = first + [self.uri(r2)]
        challenge = a.auth_once(to_path)
        self.assertEqual(challenge.code, 401)
        self.assertEqual(challenge.to_path, [a.uri])
        self.assertEqual(challenge.from_path, to_path)
        self.assertEqual([c["algorithm"] for c in a.challenges(challenge)], ["SHA-256", "MD5"])
        answer = a.auth(to_path, "alice", "secret")
        self.assertEqual(len(a.use_path), 2)
        self.assertEqual(a.use_path[0], first[0])
        self.assertTrue(a.use_path[1].startswith(f"msrps://localhost:{r2.tls[1]}/"), a.use_path)
        self.assertEqual(answer.from_path, to_path)
        self.assertTrue(answer.get("Expires").isdigit())
        self.assertTrue(answer.get("Authentication-Info"))

    def test_R4976_8_messages_and_reports_over_two_relays(self):
        _, r2, a, b = self.chain()
        for x, y in ((a, b), (b, a)):
            for body in (b"over two relays", os.urandom(500000)):
                tid, mid = x.send(path(x, y), body, sr="yes")
                self.assertEqual(x.take_response(tid).code, 200)
                message = y.take_message(mid)
                self.assertTrue(message.body == body)
                self.assertEqual(message.chunks[0].to_path, [y.uri])
                self.assertEqual(message.chunks[0].from_path, list(reversed(path(x, y)[:-1])) + [x.uri])
                y.report(message.chunks[0], 200, f"1-{len(body)}/{len(body)}")
                report = x.take_request("REPORT", mid)
                self.assertEqual(report.get("Status"), "000 200 OK")
                self.assertEqual(report.from_path, path(x, y)[:-1] + [y.uri])
        c = self.client(r2, "caller")  # no AUTH, from outside
        tid, mid = c.send(path(c, a), b"hello inside")
        self.assertEqual(c.take_response(tid).code, 200)
        frame = a.take_request("SEND", mid)
        self.assertEqual(frame.from_path, list(a.use_path) + [c.uri])
        tid, mid = a.send(a.use_path + [c.uri], b"hello outside")
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(c.take_message(mid).body, b"hello outside")

    def test_R4976_10_failure_beyond_the_second_relay_is_reported(self):
        _, _, a, b = self.chain()
        b.auto = lambda frame: 415
        _, mid = a.send(path(a, b), b"x")
        report = a.take_request("REPORT", mid)
        self.assertTrue(report.get("Status").startswith("000 415"), report)
        self.assertEqual(report.to_path, [a.uri])
        b.close()
        self.peers.remove(b)
        _, mid = a.send(path(a, b), b"x")
        self.assertRegex(a.take_request("REPORT", mid).get("Status"), "000 (481|408)")

    def test_R4976_10_second_relay_that_vanishes_is_reported(self):
        _, r2, a, b = self.chain()
        tid, mid = a.send(path(a, b), b"x")
        a.take_response(tid)
        b.take_message(mid)
        b.tolerate_cut = True
        self.servers.remove(r2)
        r2.kill()
        _, mid = a.send(path(a, b), b"x")
        self.assertRegex(a.take_request("REPORT", mid).get("Status"), "000 (408|481|403)")

    def test_R4976_6_failed_auth_at_the_second_relay_counts_against_the_client(self):
        r1, r2 = self.two()
        a, c = self.client(r1, "alice"), self.client(r1, "carol")
        for peer in (a, c):
            peer.auth(self.uri(r1), peer.name, SECRETS[peer.name])
        to_path = a.use_path + [self.uri(r2)]
        offer = a.challenges(a.auth_once(to_path))[0]
        try:
            for _ in range(4):
                answer = a.auth_once(to_path, a.authorization(offer, "alice", "wrong", self.uri(r2)))
                self.assertEqual(answer.code, 401)
                offer = a.challenges(answer)[0]
            self.fail("four failures and the client is still connected")
        except Gone:
            pass
        c.auth(c.use_path + [self.uri(r2)], "carol", "quiet")  # the relays' connection lives on

    def refused(self, r1, r2):
        a = self.client(r1, "alice")
        a.auth(self.uri(r1), "alice", "secret")
        tid = a.request("AUTH", a.use_path + [self.uri(r2)])
        try:
            answer = a.take_response(tid)
            self.assertGreaterEqual(answer.code, 400)
            self.assertNotEqual(answer.code, 401)
        except Gone:
            pass
        self.assertEqual(r2.metric("parley_msrp_requests_total", method="AUTH"), 0)

    def test_R4976_14_second_relay_with_an_expired_certificate(self):
        r1, r2 = self.two(cert=self.authority.issue("localhost", expired=True))
        self.refused(r1, r2)
        self.assertGreater(r1.metric("parley_tls_failures_total"), 0)

    def test_R4976_14_second_relay_with_a_certificate_of_another_name(self):
        for names in (("other.example",), ()):  # and one with a common name only
            r1, r2 = self.two(cert=self.authority.issue(*names, cn="localhost"))
            self.refused(r1, r2)
            self.assertGreater(r1.metric("parley_tls_failures_total") + r1.metric("parley_connect_failures_total"), 0)

    def test_R4976_14_relay_whose_certificate_does_not_match_is_a_client_at_most(self):
        """Neither another name nor no certificate at all makes a relay of one that calls itself localhost."""
        r2 = self.relay("--relay-peer", "localhost")
        for names in (("other.example",), (), None):
            cert, key = self.authority.issue(*names, cn="localhost") if names is not None else (None, None)
            peer = Peer(r2.tls, tls=certificates.client_context(self.material["ca"], cert=cert, key=key),
                        server_name="localhost", name="false relay")
            self.peers.append(peer)
            from_path = [f"msrps://localhost:9999/{new_id(16)};tcp", "msrps://client.example:1/x;tcp"]
            try:
                answer = peer.auth_once(self.uri(r2), from_path=from_path)
                self.assertGreaterEqual(answer.code, 400)  # a challenge: it passes for a client at most
            except Gone:
                continue
            if answer.code == 401:
                offer = peer.challenges(answer)[0]
                answer = peer.auth_once(self.uri(r2), peer.authorization(offer, "alice", "secret", self.uri(r2)),
                                        from_path=from_path)
                peer.close()
                r2.wait_metric("parley_relay_sessions", lambda v: v == 0)  # and what it got ends with its connection

    def test_R4976_7_relay_not_on_the_list_is_not_dialled(self):
        r2 = self.relay()
        r1 = self.relay()
        self.refused(r1, r2)
        self.assertEqual(r1.metric("parley_connections_dialled_total"), 0)
        self.assertGreater(r1.metric("parley_relay_refused_total", reason="dial_policy"), 0)


if __name__ == "__main__":
    unittest.main()
