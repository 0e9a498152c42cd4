"""test_im_settings.py - settings that a user publishes, and what they do to the requests of others (RFC 3903, RFC 4354;
SEED3-5.2.4, SEED4-6.1.2.1-1)."""
import unittest
import xml.etree.ElementTree as ET

from sip_base import SipCase, sdp

IM = ("Accept-Contact", "*;+g.oma.sip-im")
TYPE = "application/poc-settings+xml"
POC = "urn:oma:params:xml:ns:poc:poc-settings"


def document(barred, entity="epa-1"):
    word = "true" if barred else "false"
    return (f'<?xml version="1.0" encoding="UTF-8"?>\r\n<poc-settings xmlns="{POC}"><entity id="{entity}"><isb-settings>'
            f'<incoming-session-barring active="{word}"/></isb-settings></entity></poc-settings>\r\n').encode()


class Settings(SipCase):
    FLAGS = ("--settings-event-interval", "100ms")

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")

    def publish(self, peer, body=b"", tag=None, expires=3600, code=200, to=None):
        headers = [("Event", "poc-settings"), ("Expires", str(expires)), IM, ("User-Agent", "IM-client/OMA1.0 test/1")]
        if tag:
            headers.append(("SIP-If-Match", tag))
        how = {"body": body, "content_type": TYPE} if body else {}
        return self.code(peer.ask("PUBLISH", to or peer.aor, headers=headers, **how).final(), code)

    def test_SEED4_6_1_2_1_1_published_barring_refuses_a_session_and_its_end_lets_it_through(self):
        alice, bob = self.user("alice"), self.user("bob")
        published = self.publish(bob, document(True))
        self.assertTrue(published.get("sip-etag"), published.show())
        self.assertTrue(published.get("server").startswith("IM-serv/OMA1.0 parley/"), published.show())
        refused = self.code(alice.ask("INVITE", bob.aor, headers=[IM], body=sdp(), content_type="application/sdp").final(), 403)
        self.assertTrue(refused.get("server").startswith("IM-serv/OMA1.0"), refused.show())
        bob.quiet(0.3)
        self.code(alice.ask("MESSAGE", bob.aor, headers=[IM], body=b"hello", content_type="text/plain").final(), 200)
        self.publish(bob, document(False), tag=published.get("sip-etag"))
        tx = alice.ask("INVITE", bob.aor, headers=[IM], body=sdp(), content_type="application/sdp")
        invited = bob.take_request("INVITE")
        self.assertEqual(invited.body, sdp())
        invited.tx.respond(180)
        tx.provisional(180)
        tx.cancel()
        self.code(tx.final(), 487)

    def test_OMA_SET_9_tags_change_with_every_success_and_only_the_owner_publishes(self):
        alice, bob = self.peer(), self.peer(user="bob")
        first = self.publish(bob, document(True)).get("sip-etag")
        second = self.publish(bob, tag=first).get("sip-etag")
        self.assertNotEqual(first, second)
        self.publish(bob, tag=first, code=412)
        self.publish(alice, document(True), to=bob.aor, code=403)
        brief = self.publish(bob, document(True), expires=1, code=423)
        self.assertEqual(brief.get("min-expires"), "60", brief.show())
        self.publish(bob, tag=second, expires=0)
        self.publish(bob, tag=second, code=412)

    def test_OMA_SET_1_who_watches_his_own_settings_is_told(self):
        bob = self.peer(user="bob")
        tx = bob.subscribe(bob.aor, event="poc-settings", expires=600, accept=TYPE)
        tx.dialog(self.code(tx.final(), 200))
        self.assertEqual(self.told(bob), None)
        tag = self.publish(bob, document(True)).get("sip-etag")
        self.assertEqual(self.told(bob), "true")
        self.publish(bob, tag=tag, expires=0)
        self.assertEqual(self.told(bob), None)

    def told(self, peer):
        """What the next NOTIFY says of incoming sessions."""
        notify = peer.take_request("NOTIFY")
        self.assertEqual(notify.get("event"), "poc-settings", notify.show())
        self.assertEqual(notify.get("content-type"), TYPE)
        root = ET.fromstring(notify.body)
        self.assertEqual(root.tag, f"{{{POC}}}poc-settings")
        found = root.find(f".//{{{POC}}}incoming-session-barring")
        return None if found is None else found.get("active")


if __name__ == "__main__":
    unittest.main()
