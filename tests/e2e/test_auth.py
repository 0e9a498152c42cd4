"""test_auth.py - AUTH from outside (RFC 4976 sections 5.1, 6.3, 9.1; RFC 7616)."""
import re
import time
import unittest

from base import RelayCase, path
from peer import Gone, Peer, digest, new_id, parse_params, make_request, _hash
from server import Parleyd

UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+=/")


def session_id(uri):
    return uri.split("://", 1)[1].split("/", 1)[1].split(";", 1)[0]


class Auth(RelayCase):
    def challenge(self, peer, algorithm="SHA-256"):
        response = peer.auth_once(self.server.uri())
        return next(c for c in peer.challenges(response) if c.get("algorithm", "MD5") == algorithm)

    def answer(self, peer, challenge, user="alice", secret="secret", **how):
        uri = self.server.uri()
        return peer.auth_once(uri, peer.authorization(challenge, user, secret, uri, **how))

    # --- the challenge -----------------------------------------------------------------------------------------

    def test_R4976_2_challenge_has_one_header_per_algorithm_in_order(self):
        peer = self.peer()
        response = peer.auth_once(self.server.uri())
        self.assertEqual(response.code, 401)
        self.assertEqual(response.to_path, [peer.uri])
        self.assertEqual(response.from_path, [self.server.uri()])
        offers = peer.challenges(response)
        self.assertEqual([c.get("algorithm") for c in offers], ["SHA-256", "MD5"])
        for text, offer in zip(response.get_all("WWW-Authenticate"), offers):
            self.assertTrue(text.startswith("Digest "))
            self.assertEqual(offer["realm"], "example.org")
            self.assertEqual(offer["qop"], "auth")
            self.assertIn('qop="auth"', text)  # quoted here, unquoted in Authorization
            self.assertGreaterEqual(len(offer["nonce"]), 16)
            self.assertTrue(offer["opaque"])
            self.assertNotIn("domain", offer)
            self.assertNotIn("stale", {k: v for k, v in offer.items() if v.upper() == "TRUE"})

    def test_R4976_2_nonces_do_not_repeat(self):
        nonces = set()
        for _ in range(20):
            peer = self.peer()
            nonces.add(self.challenge(peer)["nonce"])
            peer.close()
        self.assertEqual(len(nonces), 20)

    def test_R4976_2_algorithms_flag_sets_list_and_order(self):
        for flag, names in (("MD5", ["MD5"]), ("MD5,SHA-256", ["MD5", "SHA-256"])):
            with Parleyd("--auth-algorithms", flag) as server:
                peer = Peer(server.tcp)
                response = peer.auth_once(server.uri())
                self.assertEqual([c.get("algorithm", "MD5") for c in peer.challenges(response)], names)
                if flag == "MD5":
                    offer = dict(peer.challenges(response)[0], algorithm="SHA-256")
                    again = peer.auth_once(server.uri(), peer.authorization(offer, "alice", "secret", server.uri()))
                    self.assertNotEqual(again.code, 200)
                for name in names:
                    self.assertEqual(peer.auth(server.uri(), algorithm=name).code, 200)
                peer.close()

    # --- what real clients send --------------------------------------------------------------------------------

    def test_R4976_2_accepts_what_real_clients_write(self):
        for algorithm in ("SHA-256", "MD5"):
            for name, how in {"uri": {}, "no uri": {"with_uri": False}, "quoted qop and nc": {"quoted": True},
                              "no opaque": {"opaque": False}}.items():
                with self.subTest(name, algorithm=algorithm):
                    peer = self.peer()
                    self.assertEqual(self.answer(peer, self.challenge(peer, algorithm), **how).code, 200)
                    peer.close()

    def test_R4976_2_no_algorithm_parameter_means_md5(self):
        peer = self.peer()
        offer = self.challenge(peer, "MD5")
        del offer["algorithm"]
        self.assertEqual(self.answer(peer, offer).code, 200)

    def test_R4976_2_other_parameter_order_and_spacing(self):
        peer = self.peer()
        offer = self.challenge(peer, "MD5")
        value = digest("MD5", "alice", offer["realm"], "secret", offer["nonce"], "00000001", "c1c2", self.server.uri())
        text = (f'Digest response="{value}",cnonce="c1c2",nc=00000001,qop=auth,opaque="{offer["opaque"]}",'
                f'nonce="{offer["nonce"]}",x-unknown=1,realm="{offer["realm"]}",username="alice"')
        self.assertEqual(peer.auth_once(self.server.uri(), text).code, 200)

    def test_R4976_1_to_path_forms_of_clients(self):
        port = self.server.tcp[1]
        for form in (f"msrp://alice@127.0.0.1:{port};tcp", "msrp://example.org;tcp", "msrp://alice@example.org;tcp",
                     f"msrp://example.org:{port};tcp", f"msrp://EXAMPLE.org:{port};tcp",
                     f"msrp://127.0.0.1:{port};tcp;x=y", f"MSRP://127.0.0.1:{port};TCP"):
            with self.subTest(form):
                peer = self.peer()
                answer = peer.auth(form)
                self.assertEqual(answer.from_path, [form])  # byte for byte
                peer.close()

    # --- refusals ----------------------------------------------------------------------------------------------

    def fail_three_times(self, user, secret):
        peer = self.peer()
        offer = self.challenge(peer)
        answers = []
        try:
            for _ in range(3):
                response = self.answer(peer, offer, user, secret)
                answers.append((response.code, sorted(n for n, _ in response.headers)))
                self.assertNotIn("TRUE", [c.get("stale", "").upper() for c in peer.challenges(response)])
                offer = peer.challenges(response)[0]
        except Gone:
            pass
        peer.wait_closed()
        return answers

    def test_R4976_2_wrong_password_is_challenged_again_and_closed_after_three(self):
        closed = self.server.metric("parley_auth_failures_closed_total")
        failed = self.server.metric("parley_auth_total", result="failed")
        wrong = self.fail_three_times("alice", "wrong")
        self.assertGreaterEqual(len(wrong), 2)
        self.assertEqual({a[0] for a in wrong}, {401})
        self.server.wait_metric("parley_auth_failures_closed_total", lambda v: v == closed + 1)
        self.assertEqual(self.server.metric("parley_auth_total", result="failed"), failed + 3)

    def test_R4976_2_unknown_user_cannot_be_told_from_wrong_password(self):
        self.assertEqual(self.fail_three_times("nobody", "secret"), self.fail_three_times("bob", "wrong"))

    def test_R4976_2_wrong_realm_uri_nonce_or_method_hash_is_refused(self):
        uri = self.server.uri()
        tricks = {
            "realm": lambda c: Peer.authorization(dict(c, realm="other.example"), "alice", "secret", uri),
            "nonce": lambda c: Peer.authorization(dict(c, nonce=c["nonce"][:-4] + "AAAA"), "alice", "secret", uri),
            "uri": lambda c: Peer.authorization(c, "alice", "secret", "msrp://other.example;tcp"),
            "empty response": lambda c: re.sub('response="[^"]*"', 'response=""',
                                               Peer.authorization(c, "alice", "secret", uri)),
            "Basic": lambda c: "Basic YWxpY2U6c2VjcmV0",
            "auth-int": lambda c: Peer.authorization(c, "alice", "secret", uri).replace("qop=auth", "qop=auth-int"),
            "no qop": lambda c: Peer.authorization(c, "alice", "secret", uri).replace("qop=auth, ", ""),
            "no cnonce": lambda c: without(Peer.authorization(c, "alice", "secret", uri), "cnonce"),
            "no username": lambda c: without(Peer.authorization(c, "alice", "secret", uri), "username"),
        }
        for name, trick in tricks.items():
            with self.subTest(name):
                peer = self.peer()
                text = trick(self.challenge(peer))
                try:
                    self.assertIn(peer.auth_once(uri, text).code, (400, 401, 403))
                except Gone:
                    pass
                peer.close()

    def test_R4976_2_nonce_replay_is_refused(self):
        replayed = self.server.metric("parley_auth_total", result="replayed")
        peer = self.peer()
        uri = self.server.uri()
        text = peer.authorization(self.challenge(peer), "alice", "secret", uri)
        self.assertEqual(peer.auth_once(uri, text).code, 200)
        try:
            self.assertEqual(peer.auth_once(uri, text).code, 401)
        except Gone:
            pass
        self.server.wait_metric("parley_auth_total", lambda v: v == replayed + 1, result="replayed")

    def test_R4976_2_nonce_of_another_connection_is_refused(self):
        one, two = self.peer(), self.peer()
        text = one.authorization(self.challenge(one), "alice", "secret", self.server.uri())
        self.assertEqual(two.auth_once(self.server.uri(), text).code, 401)
        self.assertEqual(one.auth_once(self.server.uri(), text).code, 200)

    def test_R4976_7_auth_for_another_relay_drops_the_connection(self):
        peer = self.peer()
        peer.request("AUTH", "msrp://other.example:2855;tcp")
        peer.wait_closed()

    def test_R4976_15_folded_authorization_is_an_error(self):
        peer = self.peer()
        uri = self.server.uri()
        text = peer.authorization(self.challenge(peer), "alice", "secret", uri).replace(", nonce", ",\r\n nonce")
        tid = new_id()
        peer.raw(make_request(tid, "AUTH", uri, peer.uri, [("Authorization", text)]))
        try:
            self.assertIn(peer.take_response(tid).code, (400, 401))
        except Gone:
            pass

    # --- the 200 -----------------------------------------------------------------------------------------------

    def test_R4976_3_authentication_info_proves_the_server(self):
        uri = self.server.uri()
        for algorithm in ("SHA-256", "MD5"):
            with self.subTest(algorithm):
                peer = self.peer()
                offer = self.challenge(peer, algorithm)
                answer = self.answer(peer, offer, cnonce="abcdef0123")
                info = parse_params(answer.get("Authentication-Info"))
                ha1 = _hash(algorithm, f"alice:{offer['realm']}:secret")
                ha2 = _hash(algorithm, f":{uri}")
                want = _hash(algorithm, f"{ha1}:{offer['nonce']}:00000001:abcdef0123:auth:{ha2}")
                self.assertEqual(info["rspauth"], want)
                self.assertEqual(info["cnonce"], "abcdef0123")
                self.assertEqual(info["nc"], "00000001")
                self.assertIn("qop=auth", answer.get("Authentication-Info"))
                peer.close()

    def test_R4976_5_use_path_has_host_port_and_an_unguessable_session_id(self):
        seen = set()
        host, port = self.server.tcp
        for _ in range(100):
            peer = self.peer()
            for _ in range(10):
                base = f"msrp://127.0.0.1:{peer.local[1]}/{new_id()};tcp"
                answer = peer.auth(self.server.uri(), algorithm="MD5", from_path=base)
                self.assertEqual(len(peer.use_path), 1)
                uri = peer.use_path[0]
                self.assertTrue(uri.startswith(f"msrp://{host}:{port}/"), uri)
                self.assertTrue(uri.endswith(";tcp"), uri)
                sid = session_id(uri)
                self.assertGreaterEqual(len(sid), 22)
                self.assertLessEqual(set(sid), UNRESERVED)
                self.assertTrue(answer.get("Expires").isdigit())
                seen.add(sid)
            peer.close()
        self.assertEqual(len(seen), 1000)
        for position in range(1, 21):  # no fixed part: every place takes many values (the ends may hold fewer bits)
            self.assertGreater(len({sid[position] for sid in seen}), 8, f"place {position} hardly varies")

    def test_R4976_4_refresh_returns_the_same_uri(self):
        a, b = self.pair()
        before = a.use_path
        for _ in range(3):
            self.assertEqual(a.auth(self.server.uri(), expires=120).get("Expires"), "120")
            self.assertEqual(a.use_path, before)
        self.fence(b, a)


def without(text, name):
    return "Digest " + ", ".join(p for p in text[7:].split(", ") if not p.startswith(name + "="))


class Expiry(RelayCase):
    FLAGS = ("--auth-expires-min", "1", "--auth-expires-default", "600", "--auth-expires-max", "3600",
             "--nonce-life", "1s")

    def test_R4976_4_expires_out_of_bounds_is_423(self):
        peer = self.peer()
        offer = peer.challenges(peer.auth_once(self.server.uri()))[0]
        for wrong, header, bound in ((0, "Min-Expires", "1"), (3601, "Max-Expires", "3600"),
                                     (4294967297, "Max-Expires", "3600"),
                                     (18446744073709551617, "Max-Expires", "3600")):
            with self.subTest(wrong):
                peer = self.peer()
                offer = peer.challenges(peer.auth_once(self.server.uri()))[0]
                uri = self.server.uri()
                answer = peer.auth_once(uri, peer.authorization(offer, "alice", "secret", uri), wrong)
                self.assertEqual((answer.code, answer.get(header)), (423, bound))
                self.assertIsNone(answer.get("Use-Path"))
                peer.close()

    def test_R4976_4_expires_default_and_wish(self):
        peer = self.peer()
        self.assertEqual(peer.auth(self.server.uri()).get("Expires"), "600")
        self.assertEqual(peer.auth(self.server.uri(), expires=3600).get("Expires"), "3600")
        self.assertEqual(peer.auth(self.server.uri(), expires=1).get("Expires"), "1")

    def test_R4976_4_session_really_ends(self):
        expired = self.server.metric("parley_relay_sessions_ended_total", reason="expired")
        b = self.user("bob")
        a = self.user("alice", expires=1)
        self.fence(b, a)
        self.server.wait_metric("parley_relay_sessions_ended_total", lambda v: v == expired + 1, reason="expired")
        tid, mid = b.send(path(b, a))
        report = b.take_request("REPORT", mid)
        self.assertTrue(report.get("Status").startswith("000 481"), report)
        self.ask(a)  # the connection itself may live on
        self.assertEqual(list(a.messages), [m for m in a.messages if m != mid])
        a.auth(self.server.uri())
        self.fence(b, a)

    def test_R4976_4_refresh_before_the_end_keeps_the_session(self):
        a, b = self.user("alice", expires=1), self.user("bob")
        before = a.use_path
        a.auth(self.server.uri(), expires=600)
        self.assertEqual(a.use_path, before)
        time.sleep(1.3)  # the old end passes: that is the case
        self.fence(b, a)

    def test_R4976_2_old_nonce_is_answered_stale(self):
        peer = self.peer()
        uri = self.server.uri()
        offer = peer.challenges(peer.auth_once(uri))[0]
        time.sleep(1.2)  # longer than the nonce lives: that is the case
        stale = peer.auth_once(uri, peer.authorization(offer, "alice", "secret", uri))
        self.assertEqual(stale.code, 401)
        fresh = peer.challenges(stale)[0]
        self.assertEqual(fresh["stale"].upper(), "TRUE")
        self.assertEqual(peer.auth_once(uri, peer.authorization(fresh, "alice", "secret", uri)).code, 200)


class Stale(RelayCase):
    FLAGS = ("--nonce-life", "1s", "--auth-failures-max", "1")

    def test_R4976_2_stale_is_no_failure(self):
        peer = self.peer()
        uri = self.server.uri()
        for _ in range(2):  # more than --auth-failures-max
            offer = peer.challenges(peer.auth_once(uri))[0]
            time.sleep(1.2)  # longer than the nonce lives
            self.assertEqual(peer.auth_once(uri, peer.authorization(offer, "alice", "secret", uri)).code, 401)
        self.ask(peer)


class PlainAuth(RelayCase):
    FLAGS = ("--plain-auth", "never")

    def test_R4976_1_auth_without_tls_is_403_and_closed(self):
        forbidden = self.server.metric("parley_auth_total", result="forbidden")
        peer = self.peer()
        response = peer.auth_once(self.server.uri())
        self.assertEqual(response.code, 403)
        self.assertEqual(response.get_all("WWW-Authenticate"), [])
        peer.wait_closed()
        self.server.wait_metric("parley_auth_total", lambda v: v == forbidden + 1, result="forbidden")


class Ipv6(RelayCase):
    MSRP = ("tcp:[::1]:0",)

    def test_R4976_5_use_path_of_an_ipv6_listener(self):
        a, b = self.pair()
        self.assertTrue(a.use_path[0].startswith(f"msrp://[::1]:{self.server.tcp[1]}/"), a.use_path)
        self.fence(a, b)
        self.fence(b, a)


class Advertise(RelayCase):
    FLAGS = ("--advertise", "relay.example.org:2999")

    def test_R4976_5_use_path_shows_the_advertised_address(self):
        a, b = self.peer(), self.peer()
        a.auth("msrp://relay.example.org:2999;tcp")
        b.auth("msrp://bob@relay.example.org;tcp", "bob", "hush")
        self.assertTrue(a.use_path[0].startswith("msrp://relay.example.org:2999/"), a.use_path)
        self.fence(a, b)

    def test_R4976_5_advertised_host_without_port_takes_the_listeners(self):
        with Parleyd("--advertise", "relay.example.org") as server:
            peer = Peer(server.tcp)
            peer.auth("msrp://relay.example.org;tcp")
            self.assertTrue(peer.use_path[0].startswith(f"msrp://relay.example.org:{server.tcp[1]}/"), peer.use_path)
            peer.close()


if __name__ == "__main__":
    unittest.main()
