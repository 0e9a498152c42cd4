"""test_sip_identity.py - whose a request is and by whose names it goes on (RFC 3323, 3325, 5393)."""
import unittest

from sip_base import BOB, SipCase, token
from strict_sip import Address, uri_parts


class Identity(SipCase):
    """RFC 3323 and RFC 3325: the network's word about who somebody is. 127.0.0.2 is the trusted core."""

    FLAGS = ("--trusted-peer", "127.0.0.2/32")

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob", "carol")

    def core(self, user="core", **how):
        return self.peer(user=user, bind=("127.0.0.2", 0), secret=None, **how)

    def sent(self, caller, callee, headers=(), uri=BOB, **how):
        """What arrives of a MESSAGE."""
        tx = caller.ask("MESSAGE", uri, headers=headers, body=b"x", content_type="text/plain", **how)
        self.code(tx.final(), 200)
        return callee.take_request("MESSAGE")

    def asserted(self, message):
        return sorted(a.uri for a in message.addresses("p-asserted-identity"))

    def test_R3325_1_from_a_user_the_server_asserts_what_it_checked(self):
        a, b = self.user("alice"), self.user("bob")
        for headers in ((), [("P-Asserted-Identity", "<sip:carol@example.org>")],
                        [("P-Asserted-Identity", '"C, C" <sip:carol@example.org>, <tel:+491>')],
                        [("P-Preferred-Identity", "<sip:alice@example.org>")],
                        [("P-Preferred-Identity", "<sip:carol@example.org>")]):
            with self.subTest(headers):
                got = self.sent(a, b, headers)
                self.assertIn(self.asserted(got), ([], ["sip:alice@example.org"]), got.show())
                self.assertEqual(got.all("p-preferred-identity"), [], got.show())

    def test_R3325_1_privacy_towards_an_untrusted_callee(self):
        a, b = self.user("alice"), self.user("bob")
        got = self.sent(a, b, [("Privacy", "id"), ("P-Preferred-Identity", "<sip:alice@example.org>")])
        self.assertEqual((self.asserted(got), got.all("p-preferred-identity")), ([], []), got.show())
        anonymous = f'"Anonymous" <sip:anonymous@anonymous.invalid>;tag={token()}'
        got = self.sent(a, b, [("Privacy", "id"), ("P-Preferred-Identity", "<sip:alice@example.org>")], from_=anonymous)
        self.assertNotIn("alice", got.show().lower().split("content-length")[0].replace("alice@127", ""), got.show())
        got = self.sent(a, b, [("Privacy", "none")])
        self.assertIn(self.asserted(got), ([], ["sip:alice@example.org"]))
        self.assertEqual(got.get("privacy"), "none")

    def test_R3325_1_trusted_peer_is_believed_and_not_challenged(self):
        core, b = self.core(), self.user("bob")
        got = self.sent(core, b, [("P-Asserted-Identity", '"Dora" <sip:dora@elsewhere.example>')],
                        from_=f"<sip:dora@elsewhere.example>;tag={token()}")
        self.assertEqual(self.asserted(got), ["sip:dora@elsewhere.example"], got.show())
        got = self.sent(core, b, [("P-Asserted-Identity", "<sip:dora@elsewhere.example>"), ("Privacy", "id")],
                        from_=f"<sip:dora@elsewhere.example>;tag={token()}")
        self.assertEqual(self.asserted(got), [], got.show())

    def test_R3325_1_towards_a_trusted_peer_it_stays(self):
        core, a = self.core("carol"), self.user("alice")
        core.secret = "quiet"
        self.code(core.register(600), 200)
        got = self.sent(a, core, [("Privacy", "id")], uri="sip:carol@example.org")
        self.assertEqual(self.asserted(got), ["sip:alice@example.org"], got.show())
        self.assertEqual(got.get("privacy"), "id")

    def test_R3325_1_what_the_core_charges_by_stays_in_the_core(self):
        """P-Charging-Vector (RFC 7315): kept between trusted peers, told to no user, believed of none."""
        charging = [("P-Charging-Vector", "icid-value=1234bc9876e;orig-ioi=example.org"), ("X-Kept", "1")]
        core, a, b = self.core("carol"), self.user("alice"), self.user("bob")
        core.secret = "quiet"
        self.code(core.register(600), 200)
        from_core = f"<sip:dora@elsewhere.example>;tag={token()}"
        for sender, callee, uri, kept in ((core, core, "sip:carol@example.org", True), (core, b, BOB, False),
                                          (a, core, "sip:carol@example.org", False), (a, b, BOB, False)):
            with self.subTest(sender=sender.name, callee=callee.name):
                got = self.sent(sender, callee, charging, uri=uri, **({"from_": from_core} if sender is core else {}))
                self.assertEqual(got.all("p-charging-vector"), [charging[0][1]] if kept else [], got.show())
                self.assertEqual(got.get("x-kept"), "1")

    def test_T5_two_identities_of_a_trusted_peer(self):
        core, b = self.core(), self.user("bob")
        for headers in ([("P-Asserted-Identity", '"D, D" <sip:dora@e.example>, <tel:+4930123>')],
                        [("P-Asserted-Identity", "<sip:dora@e.example>"), ("P-Asserted-Identity", "<tel:+4930123>")]):
            got = self.sent(core, b, headers, from_=f"<sip:dora@e.example>;tag={token()}")
            self.assertEqual(self.asserted(got), ["sip:dora@e.example", "tel:+4930123"], got.show())

    def test_R3261_10_loop(self):
        """The request comes back unchanged (RFC 5393 4.2): 482, and nobody rings again."""
        core, b = self.core(), self.user("bob", bind=("127.0.0.2", 0))
        identity = [("P-Asserted-Identity", "<sip:dora@e.example>")]
        tx = core.ask("MESSAGE", BOB, headers=identity, from_=f"<sip:dora@e.example>;tag={token()}", body=b"x",
                      content_type="text/plain")
        self.code(tx.final(), 200)
        got = b.take_request("MESSAGE")
        back = b.compose("MESSAGE", BOB, to=got.get("to"), from_=got.get("from"), call_id=got.call_id,
                         cseq=got.cseq[0], vias=[v.text for v in got.vias], max_forwards=got.get("max-forwards"),
                         headers=identity, body=b"x", content_type="text/plain")
        self.code(b.start(back).final(), 482)
        b.quiet(0.2, lambda m: m.method)

    def test_R3261_10_spiral_is_no_loop(self):
        """The same request for somebody else passes a second time."""
        core, b, c = self.core(), self.user("bob", bind=("127.0.0.2", 0)), self.user("carol")
        identity = [("P-Asserted-Identity", "<sip:dora@e.example>")]
        tx = core.ask("MESSAGE", BOB, headers=identity, from_=f"<sip:dora@e.example>;tag={token()}", body=b"x",
                      content_type="text/plain")
        self.code(tx.final(), 200)
        got = b.take_request("MESSAGE")
        on = b.compose("MESSAGE", "sip:carol@example.org", to=got.get("to"), from_=got.get("from"), call_id=got.call_id,
                       cseq=got.cseq[0], vias=[v.text for v in got.vias], max_forwards=got.get("max-forwards"),
                       headers=identity, body=b"x", content_type="text/plain")
        self.code(b.start(on).final(), 200)
        self.assertEqual(len(c.take_request("MESSAGE").vias), 4)


class Names(SipCase):
    """What stands in the server's own headers."""

    def test_R3261_10_record_route_leads_back(self):
        a, b = self.user("alice"), self.user("bob", "tcp")
        tx = a.invite(BOB)
        invite = b.take_request("INVITE")
        routes = [Address(r) for r in invite.items("record-route")]
        udp, tcp = self.server.listeners("udp", "sip")[0], self.server.listeners("tcp", "sip")[0]
        known = {(udp, "udp"), (tcp, "tcp")}
        for route in routes:
            _, _, host, port, params = uri_parts(route.uri)
            self.assertIn(((host, port), params.get("transport", "udp")), known, invite.show())
            self.assertIn("lr", params)
        invite.tx.respond(486)
        self.code(tx.final(), 486)

if __name__ == "__main__":
    unittest.main()
