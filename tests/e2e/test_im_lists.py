"""test_im_lists.py - pager messages to several, through the real server: to the factory with a list of recipients, and to a
group (RFC 5365; OMA-PAG-1 to -3, OMA-DR-5)."""
import unittest

from server import Parleyd
from sip_base import SipCase

FACTORY, TEAM = "sip:factory@example.org", "sip:team@example.org"
IM = ("Accept-Contact", "*;+g.oma.sip-im")


def listed(users, text="hello all"):
    entries = "".join(f'<entry uri="sip:{user}@example.org" cp:copyControl="to"/>' for user in users)
    return (f"--b1\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\n"
            'Content-Disposition: recipient-list\r\n\r\n<?xml version="1.0"?><resource-lists '
            'xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>'
            f"{entries}</list></resource-lists>\r\n--b1--\r\n").encode()


def cpim(text="hello team"):
    return ("From: <sip:alice@example.org>\r\nTo: <sip:team@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
            "imdn.Message-ID: m1\r\nimdn.Disposition-Notification: negative-delivery\r\nDateTime: 2026-01-01T00:00:00Z\r\n"
            f"\r\nContent-Type: text/plain\r\n\r\n{text}").encode()


class Lists(SipCase):
    FLAGS = ("--conference-factory", FACTORY, "--group", f"{TEAM}=alice,bob")

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*cls.FLAGS, sip=cls.SIP, msrp=("tcp:127.0.0.1:0",)).start()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob", "carol")
        self.alice, self.bob, self.carol = self.user("alice"), self.user("bob"), self.user("carol")

    def test_OMA_PAG_2_a_list_gets_a_message_each(self):
        answer = self.alice.message(FACTORY + ";sessiontype=adhoc", listed(["bob", "carol", "alice"]),
                                    "multipart/mixed;boundary=b1", headers=[IM, ("Require", "recipient-list-message")])
        self.code(answer, 202)
        self.assertEqual(answer.body, b"")
        got = [peer.take_request("MESSAGE") for peer in (self.bob, self.carol)]
        self.assertNotEqual(got[0].call_id, got[1].call_id)
        for peer, message in zip((self.bob, self.carol), got):
            self.assertEqual(message.to.uri, peer.aor)
            self.assertEqual(message.from_.uri, self.alice.aor)
            self.assertIn(b"hello all", message.body)
            self.assertIn(b"recipient-list-history", message.body)
        self.alice.quiet(0.3, lambda message: message.method == "MESSAGE")
        self.server.wait_metric("parley_im_list_copies_total", lambda v: v >= 2, 10, result="taken")

    def test_OMA_PAG_3_a_group_gets_it_from_its_members_alone(self):
        self.code(self.alice.message(TEAM, b"hello team", headers=[IM]), 202)
        self.assertEqual(self.bob.take_request("MESSAGE").body, b"hello team")
        self.code(self.carol.message(TEAM, b"let me in", headers=[IM]), 403)
        self.bob.quiet(0.3, lambda message: message.method == "MESSAGE")

    def test_OMA_DR_5_what_did_not_arrive_is_told_to_who_asked(self):
        self.bob.auto["MESSAGE"] = 480
        self.code(self.alice.message(TEAM, cpim(), "message/cpim", headers=[IM]), 202)
        there = self.bob.take_request("MESSAGE").body
        self.assertIn(b"imdn.Original-To: <sip:team@example.org>\r\n", there)
        notice = self.alice.take_request("MESSAGE")
        self.assertEqual(notice.from_.uri, TEAM)
        self.assertIn(b"<message-id>m1</message-id>", notice.body)
        self.assertIn(b"<failed/>", notice.body)
        self.assertNotIn(b"bob", notice.body)


if __name__ == "__main__":
    unittest.main()
