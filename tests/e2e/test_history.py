"""test_history.py - histories of conversations with a real store: a session and pager messages are in it, from both sides, also
when the process is killed in the middle (OMA-HIS-3, OMA-HIS-4, OMA-HIS-6, SEED4-6.1.2.2.5-5)."""
import sqlite3
import time
import unittest
from contextlib import closing

from peer import Peer
from store_base import StoreCase
from test_im_media import offer, said

IM = ("Accept-Contact", "*;+g.oma.sip-im")


def wants(session, pager):
    def one(mode, active):
        return (f'<im:hist-settings><im:hist-activation type="{mode}" active="{"true" if active else "false"}"/>'
                f'</im:hist-settings>')
    return ('<?xml version="1.0" encoding="UTF-8"?>\r\n<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings" '
            'xmlns:im="urn:oma:xml:im:service-settings"><entity id="e">'
            f'{one("session-mode", session)}{one("pager-large-mode", pager)}</entity></poc-settings>\r\n').encode()


def cpim(mid, text, kind="text/plain"):
    return (f"From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
            f"imdn.Message-ID: {mid}\r\n\r\nContent-Type: {kind}\r\n\r\n{text}").encode()


class History(StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)
    ONE_TO_ONE = "direct"  # whom the proxy carries; the path of messages follows the settings

    def begin(self, *flags, **how):
        super().begin("--one-to-one", self.ONE_TO_ONE, "--msrp-sent-count", "off", *flags, **how)

    def settle(self, peer, session, pager):
        headers = [("Event", "poc-settings"), ("Expires", "3600"), IM]
        self.code(peer.ask("PUBLISH", peer.aor, headers=headers, body=wants(session, pager),
                           content_type="application/poc-settings+xml").final(), 200)

    def sql(self, text):
        with closing(sqlite3.connect(f"{self.store}/parley.db")) as db:
            return db.execute(text).fetchall()

    def said(self, user):
        """(by him, body) of all messages in his records, in their order."""
        return self.sql("SELECT m.sent, CAST(b.body AS TEXT) FROM history_record AS r JOIN history_message AS m ON m.record=r.id "
                        f"LEFT JOIN history_body AS b ON b.id=m.body WHERE r.aor='sip:{user}@example.org' "
                        "ORDER BY r.id, m.number")

    def until(self, ready, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def msrp(self):
        peer = Peer(self.server.tcp)
        self.peers.append(peer)
        return peer

    def session(self, alice, bob):
        """(alice's dialog, her media, the path she was given) and the same of bob."""
        a, b = self.msrp(), self.msrp()
        tx = alice.ask("INVITE", bob.aor, headers=[IM, ("Subject", "lunch")], body=offer(a.uri), content_type="application/sdp")
        invite = bob.take_request("INVITE")
        to_bob = said(invite.body, "path")
        there = invite.tx.accept(offer(b.uri, "active"))
        ok = self.code(tx.final(), 200)
        dialog = tx.dialog(ok)
        dialog.ack(tx)
        invite.tx.wait_ack()
        b.take_response(b.request("SEND", [to_bob]))
        return (dialog, a, said(ok.body, "path")), (there, b, to_bob)

    def say(self, by, path, to, body, kind="text/plain"):
        tid, mid = by.send([path], body, content_type=kind)
        self.assertEqual(by.take_response(tid).code, 200)
        self.assertEqual(bytes(to.take_message(mid).data), body)

    def test_OMA_HIS_4_a_session_and_pager_messages_from_both_sides_outlive_a_kill(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.settle(alice, True, True)
        self.settle(bob, True, True)
        (_, a, to_alice), (_, b, to_bob) = self.session(alice, bob)
        self.assertIn(f":{self.server.tcp[1]}/", to_bob)
        self.say(a, to_alice, b, b"hello bob")
        self.say(b, to_bob, a, b"hello alice")
        self.say(a, to_alice, b, cpim("m-1", "wrapped"), "message/cpim")
        self.say(a, to_alice, b, cpim("m-2", "<x/>", "application/im-iscomposing+xml"), "message/cpim")
        long = b"0123456789" * 3000
        self.say(a, to_alice, b, long)
        self.reached_im(alice, bob, b"by pager")
        session = [(1, "hello bob"), (0, "hello alice"), (1, cpim("m-1", "wrapped").decode()), (1, long.decode())]
        mirrored = [(1 - sent, body) for sent, body in session]
        self.until(lambda: len(self.said("bob")) == 5, "it is not stored")
        self.assertEqual(self.sql("SELECT count(*) FROM history_record WHERE ended_ms=0"), [(2,)])
        self.server.kill()
        self.begin()
        self.assertEqual(self.said("alice"), session + [(1, "by pager")])
        self.assertEqual(self.said("bob"), mirrored + [(0, "by pager")])
        self.assertEqual(self.sql("SELECT count(*) FROM history_body"), [(5,)], "equal ones are there once")
        self.assertEqual(self.sql("SELECT count(*) FROM history_record WHERE ended_ms=0"), [(0,)])
        self.assertEqual(self.sql("SELECT DISTINCT kind, subject FROM history_record ORDER BY kind"), [(0, "lunch"), (1, "")])
        self.assertEqual(self.sql("SELECT message_id FROM history_message WHERE number=3 LIMIT 1"), [("m-1",)])

    def test_SEED4_6_1_2_2_5_5_it_ends_with_the_session(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.settle(bob, True, False)
        (dialog, a, to_alice), (_, b, _) = self.session(alice, bob)
        self.say(a, to_alice, b, b"hello bob")
        self.until(lambda: self.said("bob") == [(0, "hello bob")], "it is not stored")
        self.assertEqual(self.sql("SELECT count(*) FROM history_record WHERE ended_ms=0"), [(1,)])
        dialog.bye()
        bob.take_request("BYE")
        self.until(lambda: self.sql("SELECT count(*) FROM history_record WHERE ended_ms<>0") == [(1,)], "it goes on")
        self.assertEqual(self.said("alice"), [])
        self.assertEqual(self.said("bob"), [(0, "hello bob")])
        self.assertEqual(self.server.metric("parley_history_messages_total"), 1)

    def test_OMA_HIS_6_the_oldest_go(self):
        self.server.stop()
        self.begin("--history-count-max", "2")
        alice, bob = self.user("alice"), self.user("bob")
        self.settle(bob, False, True)
        for text in (b"one", b"two", b"three"):
            self.reached_im(alice, bob, text)
        self.until(lambda: self.said("bob") == [(0, "two"), (0, "three")], "the oldest one is there")
        self.assertEqual(self.server.metric("parley_history_removed_total"), 1)
        self.assertEqual(self.sql("SELECT count(*) FROM history_body"), [(2,)])

    def test_OMA_HIS_6_a_record_goes_when_its_time_is_over(self):
        self.server.stop()
        self.begin("--history-age-max", "1s")
        alice, bob = self.user("alice"), self.user("bob")
        self.settle(bob, False, True)
        self.reached_im(alice, bob, b"soon gone")
        self.until(lambda: self.said("bob") == [(0, "soon gone")], "it is not stored")
        self.until(lambda: self.said("bob") == [], "it is still there", 90)

    def reached_im(self, sender, receiver, text):
        request = sender.ask("MESSAGE", f"sip:{receiver.user}@example.org", body=text, content_type="text/plain", headers=[IM])
        self.assertEqual(receiver.take_request("MESSAGE").body, text)
        self.code(request.final(10), 200)


class TwoShards(History):
    SHARDS = 2


class Focus(History):
    """The server is the focus of sessions of two, as it is by itself."""

    ONE_TO_ONE = "focus"


if __name__ == "__main__":
    unittest.main()
