"""test_sip_forks.py - calls that are cancelled, calls to several devices, and both where datagrams are lost (RFC 3261 9, 16.7, 17)."""
import threading
import unittest

from sip_base import BOB, PairCase, SipCase
from sip_peer import NoAnswer
from sip_wire import Loss


class Calls(PairCase):
    # --- cancelling -------------------------------------------------------------------------------------------------

    def test_R3261_7_cancel_after_ringing(self):
        a, b = self.pair()
        tx = a.invite(BOB)
        invite = b.take_request("INVITE")
        invite.tx.respond(180)
        tx.provisional(180)
        cancel = tx.cancel()
        self.code(cancel.final(), 200)
        invite.tx.wait_cancel()
        final = self.code(tx.final(), 487)
        invite.tx.wait_ack()
        self.assertTrue(final.to.tag)

    def test_R3261_7_cancel_waits_for_the_callees_first_word(self):
        """9.1: no CANCEL goes out before a provisional response has come in (T-24)."""
        a, b = self.pair()
        tx = a.invite(BOB)
        tx.provisional(100)
        invite = b.take_request("INVITE")
        self.code(tx.cancel().final(), 200)
        b.quiet(0.4, lambda m: m.method == "CANCEL")
        invite.tx.respond(180)
        invite.tx.wait_cancel()
        self.code(tx.final(), 487)

    def test_R3261_7_cancel_held_back_is_dropped_with_the_final_response(self):
        a, b = self.pair()
        tx = a.invite(BOB)
        tx.provisional(100)
        invite = b.take_request("INVITE")
        self.code(tx.cancel().final(), 200)
        theirs = invite.tx.accept()
        answer = tx.final()
        if answer.code == 200:
            tx.dialog(answer).ack()
            invite.tx.wait_ack()
            tx.dialog(answer).bye()
            b.take_request("BYE")
        else:  # answered 487 at once: then the 2xx is taken care of by the server, or passes as a stray 2xx (16.7)
            self.code(answer, 487)
        self.assertFalse(invite.tx.cancelled)
        self.assertTrue(theirs)

    def test_R3261_7_cancel_crosses_the_answer(self):
        a, b = self.pair()
        for i in range(10):
            tx = a.invite(BOB)
            invite = b.take_request("INVITE")
            invite.tx.respond(180)
            tx.provisional(180)
            answering = threading.Thread(target=invite.tx.accept)
            answering.start()
            cancel = tx.cancel()
            answering.join()
            self.code(cancel.final(), 200)
            answer = tx.final()
            if answer.code == 200:
                dialog = tx.dialog(answer)
                dialog.ack()
                invite.tx.wait_ack()
                dialog.bye()
            else:
                self.fail(f"round {i}: the callee said 200, the caller got {answer.show()}")

    def test_R3261_7_cancel_for_nothing(self):
        a, b = self.pair()
        request = a.compose("CANCEL", BOB)
        self.code(a.start(request).final(), 481)
        tx = a.invite(BOB)
        tx.provisional(100)
        b.take_request("INVITE").tx.respond(486)
        self.code(tx.final(), 486)
        self.code(tx.cancel().final(), 200, 481)  # too late: 200 while the transaction lives
        b.quiet(0.3, lambda m: m.method == "CANCEL")

    def test_R3261_17_cancel_and_ack_are_never_challenged(self):
        a, b = self.pair()
        tx = a.invite(BOB)
        invite = b.take_request("INVITE")
        invite.tx.respond(180)
        tx.provisional(180)
        a.secret = None
        self.code(tx.cancel().final(), 200)
        self.code(tx.final(), 487)
        a.raw(a.compose("ACK", "sip:example.org").raw)  # an ACK for nothing is dropped without an answer
        a.quiet(0.3)

    # --- forking ----------------------------------------------------------------------------------------------------

    def ring(self, devices, tx):
        invites = [d.take_request("INVITE") for d in devices]
        for invite in invites:
            invite.tx.respond(180)
        tags = {tx.provisional(180).to.tag for _ in invites}
        self.assertEqual(tags, {i.tx.tag for i in invites})
        self.assertEqual(len({i.vias[0].branch for i in invites}), len(invites))
        return invites

    def test_R3261_11_one_answers_the_others_are_cancelled(self):
        a, devices = self.user("alice"), self.devices(3)
        tx = a.invite(BOB)
        invites = self.ring(devices, tx)
        invites[1].tx.accept()
        answer = self.code(tx.final(), 200)
        self.assertEqual(answer.to.tag, invites[1].tx.tag)
        dialog = tx.dialog(answer)
        dialog.ack()
        for i in (0, 2):
            invites[i].tx.wait_cancel()
            invites[i].tx.wait_ack()
        invites[1].tx.wait_ack()
        self.assertFalse(invites[1].tx.cancelled)
        dialog.bye()
        devices[1].take_request("BYE")

    def test_R3261_9_two_answers_both_pass(self):
        a, devices = self.user("alice"), self.devices()
        for device in devices:
            device.auto["CANCEL"] = None  # too busy answering
        tx = a.invite(BOB)
        invites = self.ring(devices, tx)
        for invite in invites:
            invite.tx.accept()
        answers = [self.code(tx.final(), 200) for _ in invites]
        self.assertEqual({r.to.tag for r in answers}, {i.tx.tag for i in invites})
        for answer in answers:
            tx.dialog(answer).ack(tx)
        for invite in invites:
            invite.tx.wait_ack()
        for answer in answers:
            tx.dialog(answer).bye()
        for device in devices:
            for cancel in [r for r in device.seen if r.method == "CANCEL"]:
                cancel.tx.respond(200)

    def test_R3261_11_decline_everywhere_ends_all(self):
        a, devices = self.user("alice"), self.devices()
        tx = a.invite(BOB)
        invites = self.ring(devices, tx)
        invites[0].tx.respond(603)
        invites[1].tx.wait_cancel()
        self.code(tx.final(), 603)
        for invite in invites:
            invite.tx.wait_ack()

    def test_R3261_11_busy_here_waits_for_the_others(self):
        a, devices = self.user("alice"), self.devices()
        tx = a.invite(BOB)
        invites = self.ring(devices, tx)
        invites[0].tx.respond(486)
        a.quiet(0.5, lambda m: (m.code or 0) >= 200)
        invites[1].tx.accept()
        answer = self.code(tx.final(), 200)
        dialog = tx.dialog(answer)
        dialog.ack()
        dialog.bye()

    def test_R3261_11_best_response(self):
        a, devices = self.user("alice"), self.devices()
        for codes, best in (((486, 404), (486, 404)), ((404, 500), (404,)), ((486, 415), (415,)), ((503, 503), (500,)),
                            ((503, 480), (480,)), ((500, 600), (600,)), ((484, 486), (484,)), ((302, 486), (302, 486))):
            with self.subTest(codes):
                tx = a.invite(BOB)
                invites = self.ring(devices, tx)
                for code, invite in zip(codes, invites):
                    headers = [("Contact", "<sip:c@x.invalid>")] if code == 302 else [("Accept", "text/plain")]
                    invite.tx.respond(code, headers=headers, contact=False)
                self.code(tx.final(), *best)
                for invite in invites:
                    invite.tx.wait_ack()

    def test_R3261_11_challenges_of_all_branches_are_passed_together(self):
        a, devices = self.user("alice"), self.devices()
        for device in devices:
            device.auto["MESSAGE"] = None
        for number in range(20):
            tx = a.ask("MESSAGE", BOB, body=b"x", content_type="text/plain")
            requests = [d.take_request("MESSAGE") for d in devices]
            tx._again = None  # the callees' challenges are not ours to answer
            for i, request in enumerate(requests):
                request.tx.respond(401, headers=[("WWW-Authenticate", f'Digest realm="r{i}", nonce="n{i}", qop="auth"')])
            final = self.code(tx.final(), 401)
            text = " ".join(final.all("www-authenticate"))
            self.assertTrue("r0" in text and "r1" in text, f"round {number}: {final.show()}")

    def test_R3428_2_message_to_two_devices(self):
        a, devices = self.user("alice"), self.devices()
        for i in range(5):
            response = self.code(a.message(BOB, b"both %d" % i), 200)
            self.assertEqual(len(response.vias), 1)
            for device in devices:
                self.assertEqual(device.take_request("MESSAGE").body, b"both %d" % i)
        a.quiet(0.3)

    def test_R3261_10_dead_device_does_not_hide_the_live_one(self):
        a, live = self.user("alice"), self.user("bob")
        dead = self.peer(user="bob")
        self.code(dead.register(600), 200)
        dead.flow.close()
        self.code(a.message(BOB), 200)
        live.take_request("MESSAGE")


class Lossy(SipCase):
    """A tenth of the datagrams is lost, in both directions and on both sides."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")

    def test_R3261_3_messages(self):
        a, b = self.peer(loss=Loss(0.1, 11)), self.peer(user="bob", loss=Loss(0.1, 12))
        for peer in (a, b):
            self.code(peer.register(600), 200)
        bodies = [b"number %d" % i for i in range(20)]
        transactions = [a.ask("MESSAGE", BOB, body=body, content_type="text/plain") for body in bodies]
        for tx in transactions:
            self.code(tx.final(40), 200)
        got = [m.body for m in b.seen if m.method == "MESSAGE" and m.tx]
        self.assertEqual(sorted(got), sorted(bodies), "each message once")
        self.assertGreater(a.flow.loss.dropped + b.flow.loss.dropped, 0)

    def test_R3261_8_calls(self):
        a, b = self.peer(loss=Loss(0.1, 21)), self.peer(user="bob", loss=Loss(0.1, 22))
        for peer in (a, b):
            self.code(peer.register(600), 200)
        for _ in range(4):
            tx = a.invite(BOB)
            invite = b.take_request("INVITE", timeout=40)
            invite.tx.respond(180)
            invite.tx.accept()
            answer = self.code(tx.final(40), 200)
            dialog = tx.dialog(answer)
            dialog.ack()
            invite.tx.wait_ack(40)
            dialog.bye()

    def test_R3261_7_cancels(self):
        a, b = self.peer(loss=Loss(0.1, 31)), self.peer(user="bob", loss=Loss(0.1, 32))
        for peer in (a, b):
            self.code(peer.register(600), 200)
        for _ in range(4):
            tx = a.invite(BOB)
            invite = b.take_request("INVITE", timeout=40)
            invite.tx.respond(180)
            try:
                tx.take(lambda r: r.code < 200, "a provisional response", 5)
            except NoAnswer:
                continue  # every one of them was lost: nothing to cancel yet
            self.code(tx.cancel().final(40), 200)
            self.code(tx.final(40), 487)

if __name__ == "__main__":
    unittest.main()
