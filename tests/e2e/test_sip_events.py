"""test_sip_events.py - subscriptions to registrations, seen by the subscriber (RFC 3680, RFC 6665)."""
import time
import unittest
import xml.etree.ElementTree as ET

from sip_base import Parleyd, SipCase

NAMESPACE = "{urn:ietf:params:xml:ns:reginfo}"
INTERVAL = 0.5  # seconds between NOTIFYs, so that tests need not wait for 5 s


class Document:
    """application/reginfo+xml as its reader sees it."""

    def __init__(self, notify):
        assert notify.get("content-type") == "application/reginfo+xml", notify.show()
        root = ET.fromstring(notify.body)
        assert root.tag == NAMESPACE + "reginfo", root.tag
        self.version, self.state = int(root.get("version")), root.get("state")
        registration, = root.findall(NAMESPACE + "registration")
        self.aor, self.registration = registration.get("aor"), registration.get("state")
        self.contacts = {c.findtext(NAMESPACE + "uri"): c for c in registration.findall(NAMESPACE + "contact")}

    def events(self):
        return sorted((uri, c.get("state"), c.get("event")) for uri, c in self.contacts.items())


class Case(SipCase):
    FLAGS = ("--reg-event-interval", f"{int(INTERVAL * 1000)}ms", "--register-expires-min", "1s", "--reg-event-expires-min", "2s")
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "ws:127.0.0.1:0")

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob", "carol")

    def watch(self, peer, expires=600, **how):
        """A subscription to one's own registrations: the dialog and the first document."""
        tx = peer.subscribe(peer.aor, expires=expires, **how)
        response = self.code(tx.final(), 200)
        self.assertLessEqual(int(response.get("expires")), expires, response.show())
        dialog = tx.dialog(response)
        return dialog, self.notified(peer, "active", dialog)

    def notified(self, peer, state, dialog=None, timeout=None):
        """The next NOTIFY's document; its Subscription-State begins with `state`."""
        notify = peer.take_request("NOTIFY", timeout=timeout)
        self.assertTrue(notify.get("subscription-state").startswith(state), notify.show())
        self.assertEqual(notify.get("event").split(";")[0], "reg", notify.show())
        if dialog:
            self.assertEqual(notify.call_id, dialog.call_id)
        return Document(notify)

    def again(self, dialog, expires, code=200):
        headers = [("Event", "reg"), ("Expires", str(expires)), ("Accept", "application/reginfo+xml")]
        return self.code(dialog.request("SUBSCRIBE", headers=headers, auth=False).final(), code)

    def end(self, peer, dialog):
        self.again(dialog, 0)
        return self.notified(peer, "terminated;reason=timeout", dialog)


class Watching(Case):
    def test_R6665_1_life_of_a_subscription(self):
        for transport in ("udp", "tcp", "ws"):
            with self.subTest(transport):
                peer = self.user(transport=transport)
                dialog, first = self.watch(peer)
                self.assertEqual((first.version, first.state, first.registration, first.aor),
                                 (0, "full", "active", "sip:alice@example.org"))
                self.assertEqual([e[1:] for e in first.events()], [("active", "registered")])
                time.sleep(INTERVAL)
                self.code(peer.register(300), 200)
                second = self.notified(peer, "active", dialog)
                self.assertEqual((second.version, [e[1:] for e in second.events()]), (1, [("active", "shortened")]))
                contact = next(iter(second.contacts.values()))
                self.assertIn(int(contact.get("expires")), (299, 300))
                self.assertEqual(contact.get("callid"), peer.register_call)
                self.again(dialog, 500)
                self.assertEqual(self.notified(peer, "active", dialog).state, "full")
                time.sleep(INTERVAL)
                self.code(peer.register(0), 200)
                gone = self.notified(peer, "active", dialog)
                self.assertEqual((gone.registration, [e[1:] for e in gone.events()]),
                                 ("terminated", [("terminated", "unregistered")]))
                self.assertEqual(self.end(peer, dialog).registration, "init")
                self.again(dialog, 500, code=481)

    def test_R3680_1_bindings_that_expire(self):
        peer = self.user()
        dialog, _ = self.watch(peer)
        other = "<sip:alice@127.0.0.1:9>"
        self.code(peer.register(1, contacts=[other]), 200)
        found = self.notified(peer, "active", dialog)
        self.assertEqual(found.events(), [("sip:alice@127.0.0.1:9", "active", "registered")])
        self.assertEqual(found.state, "partial")
        found = self.notified(peer, "active", dialog)
        self.assertEqual(found.events(), [("sip:alice@127.0.0.1:9", "terminated", "expired")])
        self.end(peer, dialog)

    def test_R3680_1_a_connection_that_ends_takes_its_binding_along(self):
        watcher = self.user()
        dialog, _ = self.watch(watcher)
        time.sleep(INTERVAL)
        browser = self.user(transport="ws", outbound=True, listen=False)
        self.assertEqual([e[1:] for e in self.notified(watcher, "active", dialog).events()], [("active", "registered")])
        browser.flow.tolerate_cut = True
        browser.flow.close()
        self.assertEqual([e[1:] for e in self.notified(watcher, "active", dialog).events()],
                         [("terminated", "deactivated")])
        self.end(watcher, dialog)

    def test_R3680_1_many_changes_make_few_documents(self):
        peer = self.user()
        dialog, _ = self.watch(peer)
        began = time.monotonic()
        for seconds in range(300, 320):
            self.code(peer.register(seconds), 200)
        time.sleep(2 * INTERVAL)
        count = len([m for m in peer.seen if m.method == "NOTIFY"]) - 1
        self.assertLessEqual(count, (time.monotonic() - began) / INTERVAL + 1)
        last = [self.notified(peer, "active", dialog) for _ in range(count)][-1]
        self.assertEqual(last.version, count)
        self.end(peer, dialog)

    def test_R6665_1_a_subscription_that_is_not_refreshed_ends(self):
        peer = self.peer()
        dialog, first = self.watch(peer, expires=2)
        self.assertEqual(first.registration, "init")
        self.notified(peer, "terminated;reason=timeout", dialog)

    def test_R6665_1_fetch(self):
        peer = self.user()
        self.code(peer.subscribe(peer.aor, expires=0).final(), 200)
        self.assertEqual(self.notified(peer, "terminated;reason=timeout").registration, "active")

    def test_R6665_3_refusals(self):
        peer = self.peer()
        self.code(peer.subscribe("sip:bob@example.org").final(), 403)
        self.code(peer.subscribe(peer.aor, accept="application/pidf+xml").final(), 406)
        brief = self.code(peer.subscribe(peer.aor, expires=1).final(), 423)
        self.assertEqual(brief.get("min-expires"), "2")
        bad = self.code(peer.subscribe("sip:example.org", event="conference").final(), 489)
        self.assertIn("reg", bad.items("allow-events"))
        self.code(peer.subscribe(peer.aor, event="presence").final(), 480)  # for the user's devices: there are none
        self.assertEqual(self.server.metric("parley_sip_subscriptions"), 0)

    def test_R6665_4_a_refused_notify_ends_it(self):
        peer = self.user()
        peer.auto["NOTIFY"] = 481
        self.code(peer.subscribe(peer.aor).final(), 200)
        peer.take_request("NOTIFY")
        self.server.wait_metric("parley_sip_subscriptions", lambda n: n == 0)
        time.sleep(INTERVAL)
        self.code(peer.register(300), 200)
        peer.quiet(INTERVAL, lambda m: m.method == "NOTIFY")

    def test_R6665_4_a_connection_that_ends_ends_its_subscription(self):
        peer = self.user("bob", "ws", outbound=True, listen=False)
        self.watch(peer)
        self.server.wait_metric("parley_sip_subscriptions", lambda n: n == 1)
        peer.flow.tolerate_cut = True
        peer.flow.close()
        self.server.wait_metric("parley_sip_subscriptions", lambda n: n == 0)

    def test_R6665_4_two_devices_watch(self):
        first, second = self.user(), self.user(transport="tcp")
        ends = [(peer, *self.watch(peer)) for peer in (first, second)]
        self.assertEqual([len(document.contacts) for _, _, document in ends], [2, 2])
        time.sleep(INTERVAL)
        self.code(second.register(0), 200)
        for peer, dialog, _ in ends:
            self.assertEqual([e[1:] for e in self.notified(peer, "active", dialog).events()],
                             [("terminated", "unregistered")])
            self.end(peer, dialog)


class Draining(unittest.TestCase):
    def test_the_end_of_the_process_is_told(self):
        from sip_peer import SipPeer
        with Parleyd(sip=("udp:127.0.0.1:0",), msrp=()) as server:
            peer = SipPeer(server.listeners("udp", "sip")[0], "udp", "alice", "secret")
            self.assertEqual(peer.subscribe(peer.aor).final().code, 200)
            peer.take_request("NOTIFY")
            server.stop()
            last = peer.take_request("NOTIFY")
            self.assertEqual(last.get("subscription-state"), "terminated;reason=deactivated", last.show())
            peer.close()


if __name__ == "__main__":
    unittest.main()
