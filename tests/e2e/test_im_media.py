"""test_im_media.py - an IM session whose messages go through the server (SEED4-6.1.1-1, SEED4-6.1.1.2.2, SEED4-6.1.2.2)."""
import json
import time
import unittest

from peer import TIMEOUT, Gone, Peer
from server import Parleyd
from sip_base import SipCase

IM = ("Accept-Contact", "*;+g.oma.sip-im")


def offer(path, setup="actpass", version=1):
    return (f"v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
            f"a=accept-types:text/plain message/cpim\r\na=max-size:100000\r\na=setup:{setup}\r\na=path:{path}\r\n").encode()


def said(body, name):
    """The value of the only attribute of that name."""
    values = [line.split(":", 1)[1] for line in body.decode().split("\r\n") if line.startswith(f"a={name}:")]
    assert len(values) == 1, body
    return values[0]


class Media(SipCase):
    FLAGS = ("--pf-media-path", "always", "--msrp-sent-count", "off", "--one-to-one", "direct")

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*cls.FLAGS, sip=cls.SIP, msrp=("tcp:127.0.0.1:0",)).start()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")

    def msrp(self):
        peer = Peer(self.server.tcp)
        self.peers.append(peer)
        return peer

    def session(self):
        """(alice, her dialog, her media, the path she was given) and the same of bob."""
        alice, bob = self.user("alice"), self.user("bob")
        a, b = self.msrp(), self.msrp()
        sent = offer(a.uri)
        tx = alice.ask("INVITE", bob.aor, headers=[IM, ("Supported", "timer")], body=sent, content_type="application/sdp")
        invite = bob.take_request("INVITE")
        self.assertNotEqual(invite.call_id, tx.request.call_id)
        self.assertEqual(said(invite.body, "setup"), "actpass")
        self.assertEqual(said(invite.body, "max-size"), "100000")
        self.assertEqual(said(invite.body, "accept-types"), "text/plain message/cpim")
        to_bob = said(invite.body, "path")
        self.assertNotEqual(to_bob, a.uri)
        self.assertIn(f"m=message {self.server.tcp[1]} TCP/MSRP *", invite.body.decode())
        bob_dialog = invite.tx.accept(offer(b.uri, "active"))
        ok = self.code(tx.final(), 200)
        self.assertEqual(said(ok.body, "setup"), "passive")
        to_alice = said(ok.body, "path")
        self.assertNotIn(to_alice, (b.uri, to_bob))
        self.assertTrue(ok.get("server").startswith("IM-serv/OMA1.0 parley/"), ok.show())
        dialog = tx.dialog(ok)
        dialog.ack(tx)
        invite.tx.wait_ack()
        return (alice, dialog, a, to_alice), (bob, bob_dialog, b, to_bob)

    def test_SEED4_6_1_1_2_2_1g_messages_pass_between_the_paths_that_the_server_gave(self):
        (alice, dialog, a, to_alice), (bob, _, b, to_bob) = self.session()
        b.take_response(b.request("SEND", [to_bob]))
        tid, mid = a.send([to_alice], b"hello bob", sr="yes")
        self.assertEqual(a.take_response(tid).code, 200)
        frame = b.take_request("SEND", mid)
        self.assertEqual((frame.to_path, frame.from_path), ([b.uri], [to_bob]))
        self.assertEqual(frame.body, b"hello bob")
        b.report(frame)
        report = a.take_request("REPORT", mid)
        self.assertTrue(report.get("Status").startswith("000 200"), report)
        tid, mid = b.send([to_bob], b"hello alice")
        self.assertEqual(b.take_response(tid).code, 200)
        self.assertEqual(bytes(a.take_message(mid).data), b"hello alice")
        # SEED4-6.1.2.2.5: 200, then the far side is told, and both sessions end.
        dialog.bye()
        bob.take_request("BYE")
        self.gone(a, to_alice)
        self.gone(b, to_bob)

    def test_SEED4_6_1_1_1_what_is_large_passes_in_constant_memory(self):
        (_, dialog, a, to_alice), (bob, _, b, to_bob) = self.session()
        b.take_response(b.request("SEND", [to_bob]))
        body = bytes(range(256)) * 16 * 1024  # 4 MiB
        tid, mid = a.send([to_alice], body)
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(bytes(b.take_message(mid).data), body)
        dialog.bye()
        bob.take_request("BYE")

    def test_where_finds_what_has_passed(self):
        (_, dialog, a, to_alice), (bob, _, b, to_bob) = self.session()
        b.take_response(b.request("SEND", [to_bob]))
        tid, mid = a.send([to_alice], b"where is it?")
        self.assertEqual(a.take_response(tid).code, 200)
        b.take_message(mid)
        _, late = b.send([to_bob], b"a fence")  # its answer comes behind b's
        a.take_message(late)
        for name in (mid, dialog.call_id):
            status, text = self.server.http("GET", f"/api/v1/where?message-id={name}")
            self.assertEqual(status, 200, text)
            passed = json.loads(text)["passed"][0] if name == mid else next(
                one for one in json.loads(text)["passed"] if one["message_id"] == mid)
            self.assertEqual((passed["way"], passed["outcome"], passed["bytes"]), ("carried", "delivered", 12))
            self.assertEqual((passed["from"], passed["to"]), ("sip:alice@example.org", "sip:bob@example.org"))
            self.assertRegex(passed["hops"][0]["to"], r"^tcp:127\.0\.0\.1:\d+$")
            self.assertNotIn("where is it", text)
        tid, mid = a.send([to_alice], b"never mi", byte_range="1-8/10", flag="#")
        self.assertEqual(a.take_response(tid).code, 200)
        passed = json.loads(self.server.http("GET", f"/api/v1/where?message-id={mid}")[1])["passed"][0]
        self.assertEqual((passed["outcome"], passed["status"]), ("broken off", 0))
        dialog.bye()
        bob.take_request("BYE")

    def gone(self, peer, path):
        """That session ends; with its last one a connection. The leg that is told ends with its 200 to the BYE, which may
        still be on its way (SEED4-6.1.2.2.5-4)."""
        try:
            deadline = time.monotonic() + TIMEOUT
            while (code := peer.take_response(peer.send([path])[0]).code) != 481:
                self.assertEqual(code, 200)
                self.assertLess(time.monotonic(), deadline, f"{path} is still there")
        except (Gone, OSError):
            pass

    def test_SEED4_6_1_2_2_3_8_after_a_reinvite_messages_go_to_the_new_place(self):
        (_, dialog, a, to_alice), (bob, _, b, to_bob) = self.session()
        b.take_response(b.request("SEND", [to_bob]))
        self.assertEqual(a.take_response(a.send([to_alice])[0]).code, 200)
        new = self.msrp()
        tx = dialog.request("INVITE", body=offer(new.uri, version=2), content_type="application/sdp")
        again = bob.take_request("INVITE")
        self.assertEqual(said(again.body, "path"), to_bob)  # SEED4-6.1.2.2.3-1, -2, -3
        self.assertIn("o=- 1 2 IN IP4 127.0.0.1", again.body.decode())
        again.tx.respond(200, body=offer(b.uri, "active"), content_type="application/sdp",
                         headers=[("Contact", bob.contact_header())])
        ok = self.code(tx.final(), 200)
        self.assertEqual(said(ok.body, "path"), to_alice)  # SEED4-6.1.2.2.3-5, -6, -7
        dialog.ack(tx)
        again.tx.wait_ack()
        tid, mid = new.send([to_alice], b"from the new place")
        self.assertEqual(new.take_response(tid).code, 200)
        self.assertEqual(bytes(b.take_message(mid).data), b"from the new place")
        tid, mid = b.send([to_bob], b"to the new place")
        self.assertEqual(b.take_response(tid).code, 200)
        self.assertEqual(bytes(new.take_message(mid).data), b"to the new place")
        self.gone(a, to_alice)
        dialog.bye()
        bob.take_request("BYE")

    def test_SEED4_6_1_2_2_5_the_far_leg_is_released_when_its_bye_is_answered_and_not_before(self):
        (_, dialog, a, to_alice), (bob, _, b, to_bob) = self.session()
        b.take_response(b.request("SEND", [to_bob]))
        self.assertEqual(a.take_response(a.send([to_alice])[0]).code, 200)
        bob.auto["BYE"] = None
        dialog.bye()  # SEED4-6.1.2.2.5-1: answered
        bye = bob.take_request("BYE")  # SEED4-6.1.2.2.5-3
        self.gone(a, to_alice)  # SEED4-6.1.2.2.5-2
        self.assertEqual(b.take_response(b.send([to_bob])[0]).code, 200)  # SEED4-6.1.2.2.5-4
        bye.tx.respond(200)
        self.server.wait_metric("parley_im_media_pairs", lambda v: v == 0, 10)
        self.gone(b, to_bob)

    def test_SEED4_6_1_2_2_4_a_session_that_is_refused_leaves_nothing(self):
        alice, bob = self.user("alice"), self.user("bob")
        tx = alice.ask("INVITE", bob.aor, headers=[IM], body=offer("msrp://127.0.0.1:9/x;tcp"), content_type="application/sdp")
        invite = bob.take_request("INVITE")
        invite.tx.respond(486)
        self.code(tx.final(), 486)
        invite.tx.wait_ack()
        self.server.wait_metric("parley_im_media_pairs", lambda v: v == 0, 10)


if __name__ == "__main__":
    unittest.main()
