"""test_im_participating.py - clauses 6.1.2.2.2 to 6.1.2.2.5 as a whole, on the real wire: a controlling function invites a
client that is served here, changes, cancels and ends the session; with the messages on their way through the server, and
without. IMSpec-SMM-S-025 to -028."""
import unittest

from peer import Peer
from server import Parleyd
from sip_base import SipCase
from test_im_media import offer, said

FEATURES = "isfocus;+g.oma.sip-im"
IM = ("Accept-Contact", "*;+g.oma.sip-im")


class Clauses:
    """What holds whoever carries the messages; `mode` of --pf-media-path."""

    MODE = ""

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd("--pf-media-path", cls.MODE, "--msrp-sent-count", "off", "--one-to-one", "direct", sip=cls.SIP,
                             msrp=("tcp:127.0.0.1:0",)).start()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")
        self.focus, self.client = self.user("alice", name="controlling function"), self.user("bob", name="client")
        self.a, self.b = self.msrp(), self.msrp()

    def msrp(self):
        peer = Peer(self.server.tcp)
        self.peers.append(peer)
        return peer

    def contact(self):
        return f"<{self.focus.contact}>;{FEATURES}"

    def invites(self, **how):
        """The INVITE as it was sent, and as the client got it."""
        headers = [IM, ("Contact", self.contact()), ("Supported", "timer"), ("Session-Expires", "1800"),
                   ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE"), ("Subject", "lunch")]
        tx = self.focus.ask("INVITE", self.client.aor, headers=headers, body=offer(self.a.uri), content_type="application/sdp",
                            **how)
        return tx, self.client.take_request("INVITE")

    def session(self):
        """(transaction, its dialog, the client's dialog, INVITE as the client got it)."""
        tx, invite = self.invites()
        there = invite.tx.accept(offer(self.b.uri, "active"), headers=[
            ("Server", "IM-client/OMA1.0 test/1"), ("Supported", "timer"), ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE")])
        ok = self.code(tx.final(), 200)
        dialog = tx.dialog(ok)
        dialog.ack(tx)
        invite.tx.wait_ack()
        return tx, ok, dialog, there, invite

    # --- IMSpec-SMM-S-025, clause 6.1.2.2.2

    def test_IMSpec_SMM_S_025_a_session_request_reaches_the_client_and_its_200_the_controlling_function(self):
        tx, ok, dialog, _, invite = self.session()
        self.judge_request(tx.request, invite)
        self.judge_answer(tx.request, ok, invite)
        self.assertEqual(invite.get("subject"), "lunch")
        dialog.bye()
        self.client.take_request("BYE")

    def test_IMSpec_SMM_S_025_a_refusal_reaches_the_controlling_function(self):
        for code in (403, 480, 486, 488, 603):
            tx, invite = self.invites()
            invite.tx.respond(code, headers=[("Warning", '399 client "why"')])
            answer = self.code(tx.final(), code)
            self.assertEqual(answer.get("warning"), '399 client "why"')
            invite.tx.wait_ack()
        self.at_rest()

    # --- IMSpec-SMM-S-026, clause 6.1.2.2.3

    def test_IMSpec_SMM_S_026_a_change_reaches_the_client_and_its_answer_goes_back(self):
        tx, ok, dialog, there, invite = self.session()
        change = dialog.request("INVITE", body=offer(self.a.uri, version=2), content_type="application/sdp",
                                headers=[("Contact", self.contact())])
        again = self.client.take_request("INVITE")
        self.assertEqual(again.call_id, invite.call_id)
        self.assertEqual(again.to.tag, there.local.split("tag=")[1])
        self.assertGreater(again.cseq[0], invite.cseq[0])
        self.assertIn("o=- 1 2 IN IP4 127.0.0.1", again.body.decode())
        again.tx.respond(200, body=offer(self.b.uri, "active", 2), content_type="application/sdp")
        answer = self.code(change.final(), 200)
        self.assertEqual(said(answer.body, "accept-types"), "text/plain message/cpim")
        dialog.ack(change)
        again.tx.wait_ack()
        self.judge_change(change.request, again, answer, ok)
        refused = dialog.request("INVITE", body=offer(self.a.uri, version=3), content_type="application/sdp",
                                 headers=[("Contact", self.contact())])
        self.client.take_request("INVITE").tx.respond(488, headers=[("Warning", '399 client "no"')])
        self.assertEqual(self.code(refused.final(), 488).get("warning"), '399 client "no"')
        dialog.bye()
        self.client.take_request("BYE")

    # --- IMSpec-SMM-S-027, clause 6.1.2.2.4

    def test_IMSpec_SMM_S_027_a_cancelled_request_is_cancelled_at_the_client(self):
        tx, invite = self.invites()
        invite.tx.respond(180)
        tx.provisional(180)
        self.code(tx.cancel().final(), 200)
        invite.tx.wait_cancel()  # which answers 200 and 487
        self.code(tx.final(), 487)
        invite.tx.wait_ack()
        self.at_rest()

    def test_IMSpec_SMM_S_027_nothing_is_cancelled_at_a_client_that_has_said_nothing(self):
        tx, invite = self.invites()
        tx.provisional(100)
        self.code(tx.cancel().final(), 200)
        self.client.quiet(0.7, lambda message: message.method == "CANCEL")  # RFC 3261 section 9.1
        invite.tx.respond(180)
        invite.tx.wait_cancel()
        self.code(tx.final(), 487)
        invite.tx.wait_ack()
        self.at_rest()

    # --- IMSpec-SMM-S-028, clause 6.1.2.2.5

    def test_IMSpec_SMM_S_028_a_session_is_released_on_both_sides(self):
        _, _, dialog, _, invite = self.session()
        dialog.bye(headers=[("Reason", 'SIP;cause=200;text="over"')])
        bye = self.client.take_request("BYE")
        self.assertEqual(bye.call_id, invite.call_id)
        self.assertEqual(bye.get("reason"), 'SIP;cause=200;text="over"')
        self.at_rest()

    def test_IMSpec_SMM_S_028_a_client_that_leaves_releases_it_too(self):
        _, _, _, there, _ = self.session()
        there.bye()
        self.focus.take_request("BYE")
        self.at_rest()

    def at_rest(self):
        self.server.wait_metric("parley_im_media_pairs", lambda v: v == 0, 10)
        self.server.wait_metric("parley_sip_calls", lambda v: v == 0, 10)


class InTheMediaPath(Clauses, SipCase):
    """A user agent on both sides."""

    MODE = "always"

    def judge_request(self, sent, got):
        self.assertNotEqual(got.call_id, sent.call_id)  # SEED4-6.1.2.2.2-0b
        self.assertNotEqual(got.from_.tag, sent.from_.tag)
        self.assertEqual(len(got.vias), 1)
        self.assertEqual(got.items("record-route"), [])
        self.assertEqual(got.uri, self.client.contact)  # SEED4-6.1.2.2.2-2, by his registration
        self.assertEqual(got.get("accept-contact"), "*;+g.oma.sip-im")  # -3
        self.assertTrue(got.get("user-agent").startswith("IM-serv/OMA1.0 "), got.show())  # -4
        self.assertIn(";refresher=uas", got.get("session-expires"))  # -5
        self.assertIn("timer", got.get("supported"))  # -6
        self.assertEqual(got.get("allow"), "INVITE, ACK, CANCEL, BYE, UPDATE")  # -7
        contact = got.get("contact")
        self.assertNotIn(self.focus.contact, contact)  # -8a
        self.assertIn("+g.oma.sip-im", contact)  # -8b
        self.assertIn("isfocus", contact)  # -8c
        self.assertNotEqual(said(got.body, "path"), self.a.uri)
        self.assertIn(f"m=message {self.server.tcp[1]} TCP/MSRP *", got.body.decode())

    def judge_answer(self, sent, got, invite):
        self.assertEqual((got.call_id, got.from_.tag, got.cseq), (sent.call_id, sent.from_.tag, sent.cseq))  # -10
        self.assertNotEqual(got.to.tag, invite.tx.tag)
        self.assertEqual(got.get("require"), "timer")  # -13
        self.assertEqual(got.get("session-expires"), "1800;refresher=uas")  # -14
        self.assertEqual(got.get("allow"), "INVITE, ACK, CANCEL, BYE, UPDATE")  # -16
        self.assertTrue(got.get("server").startswith("IM-serv/OMA1.0 "), got.show())  # -17
        self.assertIn("+g.oma.sip-im", got.get("contact"))  # -18
        self.assertNotIn(self.client.contact, got.get("contact"))
        to_focus, to_client = said(got.body, "path"), said(invite.body, "path")
        self.assertEqual(self.b.take_response(self.b.request("SEND", [to_client])).code, 200)
        tid, mid = self.a.send([to_focus], b"hello")
        self.assertEqual(self.a.take_response(tid).code, 200)
        self.assertEqual(bytes(self.b.take_message(mid).data), b"hello")

    def judge_change(self, sent, got, answer, ok):
        self.assertNotEqual(got.call_id, sent.call_id)  # SEED4-6.1.2.2.3-3
        self.assertEqual(said(answer.body, "path"), said(ok.body, "path"))
        self.assertNotEqual(said(got.body, "path"), self.a.uri)  # -2


class AsProxy(Clauses, SipCase):
    """What is said passes, with a Record-Route that keeps it coming by here."""

    MODE = "never"

    def judge_request(self, sent, got):
        self.assert_forwarded(sent, got, self.client.contact)
        self.assertEqual(got.call_id, sent.call_id)
        self.assertEqual(len(got.items("record-route")), 1)
        self.assertEqual(got.get("contact"), self.contact())

    def judge_answer(self, sent, got, invite):
        self.assertEqual(len(got.vias), 1)
        self.assertEqual(got.to.tag, invite.tx.tag)
        self.assertEqual(got.get("server"), "IM-client/OMA1.0 test/1")
        self.assertEqual(got.contact.uri, self.client.contact)
        self.assertEqual(said(got.body, "path"), self.b.uri)
        self.assertEqual(got.items("record-route"), invite.items("record-route"))

    def judge_change(self, sent, got, answer, ok):
        self.assert_forwarded(sent, got)  # SEED4-6.1.2.2.3-4
        self.assertEqual(said(answer.body, "path"), self.b.uri)  # SEED4-6.1.2.2.3-9
        self.assertEqual(answer.to.tag, ok.to.tag)


if __name__ == "__main__":
    unittest.main()
