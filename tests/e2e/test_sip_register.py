"""test_sip_register.py - registration seen from outside: digest, bindings and their end, Path, flows (RFC 3261 10, 3327, 5626)."""
import time
import unittest

import certificates
from sip_base import SipCase, token
from sip_wire import Gone, WebSocket
from strict_sip import challenge, uri_parts

SHORT = ("--register-expires-min", "1s")  # lets a binding end within a test


class Digest(SipCase):
    """RFC 3261 22 with RFC 8760."""

    def challenged(self, peer, headers=(), **how):
        """The 401 to a REGISTER without credentials."""
        peer.secret, secret = None, peer.secret
        try:
            return self.code(peer.register(headers=headers, **how), 401)
        finally:
            peer.secret = secret

    def test_R3261_17_one_challenge_for_each_algorithm_the_strongest_first(self):
        peer = self.peer()
        response = self.challenged(peer)
        found = [challenge(v) for v in response.all("www-authenticate")]
        self.assertEqual([c.get("algorithm", "MD5") for c in found], ["SHA-256", "MD5"], response.show())
        for c in found:
            self.assertEqual(c["realm"], "example.org")
            self.assertIn("auth", c["qop"])
            self.assertNotEqual(c.get("stale", "false").lower(), "true")
        other = [challenge(v)["nonce"] for v in self.challenged(peer).all("www-authenticate")]
        self.assertFalse({c["nonce"] for c in found} & set(other), "a nonce handed out twice")

    def test_R3261_17_both_algorithms(self):
        for algorithm in ("SHA-256", "MD5"):
            with self.subTest(algorithm):
                peer = self.peer(algorithm=algorithm)
                response = self.code(peer.register(300), 200)
                self.assertEqual([a.uri for a in response.addresses("contact")], [peer.contact])
                self.code(peer.register(0), 200)

    def test_R3261_17_wrong_password_and_unknown_user_look_the_same(self):
        wrong, nobody = self.peer(secret="guess"), self.peer(user="nobody", secret="guess")
        answers = []
        for peer in (wrong, nobody):
            response = self.code(peer.register(), 401, 403)
            self.assertEqual(response.items("contact"), [])
            answers.append((response.code, sorted({n.lower() for n, _ in response.headers})))
        self.assertEqual(*answers)
        self.assertEqual(self.bindings(self.peer()), {})

    def test_R3261_17_credentials_of_another_user(self):
        """Alice's credentials do not move Bob's bindings (10.3 item 4)."""
        alice = self.peer()
        response = alice.register(aor="sip:bob@example.org")
        self.code(response, 403)
        self.assertEqual(self.bindings(self.peer(user="bob")), {})

    def test_R3261_17_broken_credentials(self):
        peer = self.peer()
        found = challenge(self.challenged(peer).all("www-authenticate")[0])
        uri = "sip:example.org"
        _, good = peer.answer(found, "REGISTER", uri)
        for what, value in (("response", good.replace('response="', 'response="0')), ("empty", "Digest realm=\"x\""),
                            ("realm", good.replace('realm="example.org"', 'realm="example.com"')),
                            ("nonce", good.replace(found["nonce"], token(16))),
                            ("method", peer.answer(found, "INVITE", uri)[1]),
                            ("user", good.replace('username="alice"', 'username="bob"')),
                            ("uri", good.replace(f'uri="{uri}"', 'uri="sip:elsewhere.example"')),
                            ("scheme", "Basic YWxpY2U6c2VjcmV0")):
            with self.subTest(what):
                response = self.challenged(peer, [("Authorization", value)])
                self.assertEqual(response.items("contact"), [])
        self.assertEqual(self.bindings(peer), {})

    def test_R3261_17_nonce_count_must_rise(self):
        peer = self.peer()
        found = challenge(self.challenged(peer).all("www-authenticate")[0])

        def go(nc):
            return peer.register(60, headers=[peer.answer(found, "REGISTER", "sip:example.org", nc=nc)], auth=False)

        self.code(go(1), 200)
        self.code(go(2), 200)
        for replayed in (2, 1):
            response = self.code(go(replayed), 401)
            self.assertNotIn(found["nonce"], [challenge(v)["nonce"] for v in response.all("www-authenticate")])
        self.code(peer.register(0), 200)

    def test_R3261_17_whole_request_replayed_by_somebody_else(self):
        """Old credentials in a new transaction from another place register nothing."""
        peer, thief = self.peer(), self.peer()
        self.code(peer.register(60), 200)
        seen = peer.seen[-1].tx.request
        stolen = [(n, v) for n, v in seen.headers if n == "Authorization"]
        response = thief.register(60, headers=stolen, auth=False, call_id=token())
        self.code(response, 401, 403)
        self.assertEqual(set(self.bindings(peer)), {peer.contact})
        self.code(peer.register(0), 200)


class StaleNonce(SipCase):
    FLAGS = ("--sip-nonce-life", "1s")

    def test_R3261_17_stale(self):
        peer = self.peer()
        self.code(peer.register(60), 200)
        first = dict(peer.challenges[0])
        time.sleep(2.1)  # the case itself
        response = peer.register(60, headers=[peer.answer(first, "REGISTER", "sip:example.org", nc=2)], auth=False)
        found = [challenge(v) for v in self.code(response, 401).all("www-authenticate")]
        self.assertEqual({c.get("stale", "").lower() for c in found}, {"true"}, response.show())
        self.assertNotIn(first["nonce"], [c["nonce"] for c in found])
        self.code(peer.register(0), 200)
        wrong = peer.answer(first, "REGISTER", "sip:example.org", secret="guess", nc=3)
        response = self.code(peer.register(60, headers=[wrong], auth=False), 401)
        self.assertNotIn("true", {challenge(v).get("stale", "").lower() for v in response.all("www-authenticate")},
                         "stale although the password is wrong")


class OnlyMd5(SipCase):
    FLAGS = ("--auth-algorithms", "MD5", "--realm", "realm.example")

    def test_R3261_17_algorithms_and_realm_are_settings(self):
        peer = self.peer()
        self.code(peer.register(60), 200)
        self.assertEqual([c.get("algorithm", "MD5") for c in peer.challenges], ["MD5"])
        self.assertEqual({c["realm"] for c in peer.challenges}, {"realm.example"})
        self.code(peer.register(0), 200)


class Bindings(SipCase):
    FLAGS = SHORT

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")

    def test_R3261_14_no_bindings_at_first(self):
        self.assertEqual(self.bindings(self.peer()), {})

    def test_R3261_14_expires(self):
        """Contact parameter before header before the default of an hour; 423 below the minimum is another test's."""
        for contact, header, granted in ((";expires=300", 600, 300), ("", 600, 600), ("", None, 3600),
                                         (";expires=100000000", None, None)):
            with self.subTest(contact=contact, header=header):
                peer = self.peer()
                response = self.code(peer.register(header, contacts=[peer.contact_header(contact)]), 200)
                seconds = int(response.contact.params["expires"])
                if granted:
                    self.assertIn(seconds, (granted, granted - 1), response.show())
                else:
                    self.assertLessEqual(seconds, 600000)
                self.code(peer.register(0), 200)

    def test_R3261_14_several_contacts_and_all_are_listed(self):
        peer = self.peer()
        one, two, three = (f"<sip:alice@127.0.0.1:{port};x={port}>" for port in (7001, 7002, 7003))
        response = self.code(peer.register(500, contacts=[f"{one};q=0.5, {two};expires=200", f'"A, B" {three};+x="<y>"']),
                             200)
        found = {a.uri: a for a in response.addresses("contact")}
        self.assertEqual(set(found), {c.strip("<>") for c in (one, two, three)})
        self.assertEqual(float(found[one.strip("<>")].params["q"]), 0.5)
        self.assertIn(int(found[two.strip("<>")].params["expires"]), (199, 200))
        self.assertEqual(set(self.bindings(peer)), set(found))
        self.code(peer.register(None, contacts=[f"{two};expires=0"]), 200)
        self.assertEqual(set(self.bindings(peer)), {one.strip("<>"), three.strip("<>")})

    def test_R3261_14_refresh_keeps_one_binding(self):
        peer = self.peer()
        for seconds in (100, 200, 50):
            self.code(peer.register(seconds), 200)
            (uri, left), = self.bindings(peer).items()
            self.assertEqual(uri, peer.contact)
            self.assertIn(left, (seconds, seconds - 1))

    def test_R3261_15_equal_uris_are_one_binding(self):
        peer = self.peer()
        port = peer.flow.local[1]
        self.code(peer.register(100, contacts=[f"<sip:alice@LOCALHOST:{port};ob;X=1>"]), 200)
        self.code(peer.register(100, contacts=[f"<SIP:%61lice@localhost:{port};x=1;OB>"]), 200)
        self.assertEqual(len(self.bindings(peer)), 1)
        self.code(peer.register(100, contacts=[f"<sip:ALICE@localhost:{port};x=1>"]), 200)  # the user part counts
        self.assertEqual(len(self.bindings(peer)), 2)
        self.code(peer.register(100, contacts=["<sip:alice@localhost>"]), 200)
        self.code(peer.register(100, contacts=["<sip:alice@localhost:5060>"]), 200)  # a default port is not no port
        self.assertEqual(len(self.bindings(peer)), 4)

    def test_T35_same_contact_from_a_new_call(self):
        peer = self.peer()
        self.code(peer.register(100), 200)
        self.code(peer.register(200, call_id=token(), cseq=1), 200)
        (left,) = self.bindings(peer).values()
        self.assertIn(left, (199, 200))

    def test_R3261_14_wildcard_removes_all(self):
        peer = self.peer()
        self.code(peer.register(100, contacts=[f"<sip:alice@127.0.0.1:{p}>" for p in (7001, 7002)]), 200)
        self.code(peer.register(0, contacts=["*"], call_id=token()), 200)
        self.assertEqual(self.bindings(peer), {})

    def test_R3261_14_wildcard_only_alone_and_with_expires_0(self):
        peer = self.peer()
        self.code(peer.register(100), 200)
        for expires, contacts in ((None, ["*"]), (100, ["*"]), (0, ["*", peer.contact_header()]), (0, ["*", "*"])):
            with self.subTest(expires=expires, contacts=contacts):
                self.code(peer.register(expires, contacts=contacts), 400)
        self.assertEqual(set(self.bindings(peer)), {peer.contact})

    def test_R3261_14_cseq_must_rise_within_a_call(self):
        peer = self.peer()
        call = token()
        self.code(peer.register(100, call_id=call, cseq=50), 200)
        at = peer.seen[-1].cseq[0]
        other = "<sip:alice@127.0.0.1:7009>"
        for cseq in (at - 10, at - 1):
            with self.subTest(cseq=cseq):
                response = peer.register(200, call_id=call, cseq=cseq, contacts=[peer.contact_header(), other],
                                         headers=[self.credentials(peer)], auth=False)
                self.code(response, 500)
        (uri, left), = self.bindings(peer).items()
        self.assertEqual(uri, peer.contact)
        self.assertLessEqual(left, 100)
        self.code(peer.register(0, contacts=["*"], call_id=call, cseq=at - 5, headers=[self.credentials(peer)],
                                auth=False), 500)
        self.assertEqual(set(self.bindings(peer)), {peer.contact})
        self.code(peer.register(100, call_id=call, cseq=at + 1), 200)

    def credentials(self, peer):
        """Good credentials with a fresh nonce."""
        peer.secret, secret = None, peer.secret
        response = peer.register(contacts=[], expires=None)
        peer.secret = secret
        return peer.credentials(response, "REGISTER", "sip:example.org")

    def test_R3261_14_retransmission_is_no_second_registration(self):
        peer = self.peer()
        self.code(peer.register(100), 200)
        response = peer.seen[-1]
        before = len(response.tx.finals)
        response.tx.sent += 1
        peer.raw(response.tx.request.raw)
        peer.wait(lambda: len(response.tx.finals) == before + 1, "the same 200 again")

    def test_R3261_14_bad_contacts_are_refused_whole(self):
        peer = self.peer()
        for contacts in (["<sip:alice@127.0.0.1:7001>", "<sip:alice@>"], ["<sip:a@127.0.0.1>;expires=abc", "<http:/x"],
                         ["<sip:alice@127.0.0.1:7001>;q=7"]):
            with self.subTest(contacts):
                response = peer.register(100, contacts=contacts)
                if "q=7" not in contacts[0]:
                    self.code(response, 400)
        self.assertLessEqual(set(self.bindings(peer)), {"sip:alice@127.0.0.1:7001"})

    def test_R3261_14_bindings_end(self):
        peer, bob = self.peer(), self.user("bob")
        self.code(peer.register(2), 200)
        self.code(bob.message(peer.aor), 200)
        peer.take_request("MESSAGE")
        deadline = time.monotonic() + 8
        while self.bindings(peer):
            self.assertLess(time.monotonic(), deadline, "the binding did not end")
            time.sleep(0.2)
        self.code(bob.message(peer.aor), 480)
        peer.quiet(0.3, lambda m: m.method)

    def test_R3261_14_longest_list(self):
        """Many bindings: all are listed or the surplus is refused; nothing is dropped in silence."""
        peer = self.peer("tcp")
        kept = set()
        for i in range(40):
            contact = f"sip:alice@127.0.0.1:{7100 + i}"
            response = peer.register(100, contacts=[f"<{contact}>"])
            if response.code != 200:
                self.code(response, 403, 413, 500, 503)
                break
            kept.add(contact)
        self.assertEqual(set(self.bindings(peer)), kept)
        self.assertGreaterEqual(len(kept), 5)

    def test_R3261_4_unknown_extension_is_refused(self):
        peer = self.peer()
        response = self.code(peer.register(headers=[("Require", "nothing-we-know, path")]), 420)
        self.assertEqual(response.items("unsupported"), ["nothing-we-know"])
        self.assertEqual(self.bindings(peer), {})

    def test_R3261_14_other_domains(self):
        peer = self.peer()
        for registrar, aor in (("sip:example.com", "sip:alice@example.com"), ("sip:example.org", "sip:alice@example.com")):
            with self.subTest(registrar=registrar, aor=aor):
                self.code(peer.register(registrar=registrar, aor=aor), 403, 404, 407)
        self.assertEqual(self.bindings(peer), {})

    def test_T8_and_R3261_15_address_of_record_is_canonical(self):
        """Host in any case, with a port or parameters: the same user."""
        peer, bob = self.peer(), self.user("bob")
        self.code(peer.register(100, aor="sip:alice@EXAMPLE.org;x=y"), 200)
        self.assertEqual(set(self.bindings(peer)), {peer.contact})
        self.code(bob.message("sip:%61lice@example.org"), 200)
        self.assertEqual(peer.take_request("MESSAGE").uri, peer.contact)

    def test_T1_odd_headers_are_no_error(self):
        peer = self.peer()
        self.code(peer.register(100, headers=[("Server", "X/1"), ("X-Odd", "ä"), ("P-Access-Network-Info", "IEEE-802.11"),
                                              ("Supported", ""), ("Allow", "")]), 200)


class Minimum(SipCase):
    """The default minimum of a minute."""

    def test_R3261_14_interval_too_brief(self):
        peer = self.peer()
        response = self.code(peer.register(5), 423)
        least = int(response.get("min-expires"))
        self.assertGreater(least, 5)
        self.assertLessEqual(least, 3600)  # 10.3 item 7: an hour and more may not be refused
        self.assertEqual(self.bindings(peer), {})
        self.code(peer.register(least), 200)
        self.assertIn(self.bindings(peer)[peer.contact], (least, least - 1))
        self.code(peer.register(0), 200)  # zero is never too brief
        self.assertEqual(self.bindings(peer), {})

    def test_R3261_14_one_brief_contact_refuses_all(self):
        peer = self.peer()
        contacts = [peer.contact_header(";expires=600"), "<sip:alice@127.0.0.1:7001>;expires=5"]
        self.code(peer.register(None, contacts=contacts), 423)
        self.assertEqual(self.bindings(peer), {})


class Path(SipCase):
    def test_R3327_1_path_is_stored_echoed_and_used(self):
        edge = self.peer(user="edge")  # no user agent but a hop
        edge.auto["MESSAGE"] = None
        path = [f"<sip:{edge.sent_by};lr;x=1>", "<sip:second.example;lr>"]
        peer, bob = self.peer(), self.user("bob")
        response = self.code(peer.register(100, headers=[("Supported", "path"), ("Path", ", ".join(path))]), 200)
        self.assertEqual(response.items("path"), path, response.show())
        tx = bob.ask("MESSAGE", peer.aor, body=b"by way of the edge", content_type="text/plain")
        got = edge.take_request("MESSAGE")
        self.assertEqual(got.items("route"), path, got.show())
        self.assertEqual(got.uri, peer.contact)
        got.tx.respond(200)
        self.code(tx.final(), 200)
        peer.quiet(0.2, lambda m: m.method)
        self.code(peer.register(100, headers=[("Supported", "path")]), 200)  # a refresh without Path has none
        self.code(bob.message(peer.aor), 200)
        self.assertEqual(peer.take_request("MESSAGE").items("route"), [])
        self.code(peer.register(0), 200)


class Flows(SipCase):
    """Bindings that live and die with a connection (RFC 5626, RFC 7118)."""

    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0", "ws:127.0.0.1:0", "wss:127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        made = certificates.make(cls, "localhost", "example.org")
        cls.client_tls = certificates.client_context(made["ca"])
        cls.FLAGS = ("--tls-cert", made["cert"], "--tls-key", made["key"], "--tls-ca", made["ca"])
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob", "carol")

    def gone(self, peer, other):
        """Until peer's user has no binding; a message to it is answered 480."""
        asker = self.peer(user=peer.user)
        deadline = time.monotonic() + 10
        while self.bindings(asker):
            self.assertLess(time.monotonic(), deadline, f"the binding outlives its flow: {self.bindings(asker)}")
            time.sleep(0.05)
        self.code(other.message(peer.aor), 480)

    def test_R5626_2_browser_is_reached_over_its_connection_and_gone_with_it(self):
        carol = self.user("carol", "tcp")
        for transport in ("ws", "wss", "tls", "tcp"):
            for end in ("close", "rst"):
                with self.subTest(transport=transport, end=end):
                    peer = self.peer(transport, "bob", outbound=True, listen=False)
                    response = self.code(peer.register(600), 200)
                    self.assertIn("outbound", response.items("require"), response.show())
                    self.code(carol.message(peer.aor, b"hello browser"), 200)
                    got = peer.take_request("MESSAGE")
                    self.assertEqual(got.body, b"hello browser")
                    self.assertEqual(got.uri, peer.contact_header().strip("<>"), got.show())
                    peer.flow.tolerate_cut = True
                    getattr(peer.flow, end)()
                    self.gone(peer, carol)

    def test_R5626_1_new_flow_of_the_same_instance_replaces_the_old(self):
        first = self.peer("tcp", outbound=True, listen=False)
        self.code(first.register(600), 200)
        second = self.peer("tcp", outbound=True, listen=False)
        second.instance = first.instance
        self.code(second.register(600), 200)
        self.assertEqual(set(self.bindings(second)), {second.contact_header().strip("<>")})
        bob = self.user("bob")
        self.code(bob.message(second.aor), 200)
        second.take_request("MESSAGE")
        first.flow.close()
        self.assertEqual(len(self.bindings(second)), 1)  # the old flow's end is not the new one's
        first.quiet(0.2, lambda m: m.method == "MESSAGE")
        self.code(second.register(0, contacts=["*"]), 200)

    def test_R5626_1_two_reg_ids_are_two_bindings_and_one_branch(self):
        first = self.peer("tcp", outbound=True, listen=False)
        self.code(first.register(600), 200)
        second = self.peer("tcp", outbound=True, listen=False)
        second.instance = first.instance
        contact = second.contact_header(f';reg-id=2;+sip.instance="<{second.instance}>"')
        self.code(second.register(600, contacts=[contact], headers=[("Supported", "path, outbound")]), 200)
        self.assertEqual(len(self.bindings(second)), 2)
        bob = self.user("bob")
        self.code(bob.message(second.aor, b"once"), 200)
        got = [p for p in (first, second) if [m for m in p.seen if m.method == "MESSAGE"]]
        self.assertEqual(len(got), 1, "both flows of one instance were used")
        self.code(second.register(0, contacts=["*"]), 200)

    def test_R5626_1_two_reg_ids_in_one_request(self):
        peer = self.peer("tcp", outbound=True, listen=False)
        contacts = [peer.contact_header(f';reg-id={n};+sip.instance="<{peer.instance}>"') for n in (1, 2)]
        self.code(peer.register(600, contacts=contacts, headers=[("Supported", "path, outbound")]), 400)
        self.assertEqual(self.bindings(peer), {})

    def test_R5626_1_reg_id_without_instance_is_ignored(self):
        peer = self.peer("tcp", outbound=False)
        response = self.code(peer.register(600, contacts=[peer.contact_header(";reg-id=1")]), 200)
        self.assertNotIn("outbound", response.items("require"))
        self.code(peer.register(0, contacts=["*"]), 200)

    def test_R5626_3_keep_alive_on_streams(self):
        for transport in ("tcp", "tls"):
            peer = self.peer(transport, listen=False)
            for count in (1, 2, 3):
                peer.flow.write(b"\r\n\r\n")
                peer.wait(lambda n=count: peer.flow.pongs == n, "a pong")
            self.code(peer.options(), 200, 401, 407)

    def test_R7118_ping_and_keep_alive_on_websockets(self):
        peer = self.peer("ws")
        peer.flow.frame(9, b"are you there")
        peer.wait(lambda: peer.flow.ws_pongs == 1, "a pong")
        self.code(peer.register(60), 200)
        self.code(peer.register(0), 200)

    def test_R7118_handshake(self):
        peer = self.peer("ws", origin="https://app.example")
        self.assertEqual(peer.flow.status, 101)
        for how in ({"subprotocol": "msrp"}, {"subprotocol": None}):
            with self.subTest(how), self.assertRaises(Gone):
                WebSocket(peer, self.server.listeners("ws", "sip")[0], **how)

    def test_contact_on_a_listener_of_its_own(self):
        """A plain TCP user without outbound: reached at its Contact, or over the flow it has; once."""
        peer = self.user("bob", "tcp", outbound=False)
        self.assertEqual(uri_parts(peer.contact)[3], peer.listener.port)
        self.code(self.user("alice").message(peer.aor, b"x"), 200)
        peer.take_request("MESSAGE")
        self.code(peer.register(0), 200)


if __name__ == "__main__":
    unittest.main()
