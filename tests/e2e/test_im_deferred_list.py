"""test_im_deferred_list.py - what waits for a user, with the real binary and a real store: he is told of it, subscribes to the
list, fetches and deletes messages, and all of that is as it was when the process was killed (OMA-DEF-3, -6, -7, -10 to -14,
SEED3-5.2.4-10)."""
import json
import os
import subprocess
import time
import unittest
import xml.etree.ElementTree as ET

from server import binary
from store_base import StoreCase

CTL = os.environ.get("PARLEYCTL", os.path.join(os.path.dirname(binary()), "parleyctl"))
DMF = "sip:Deferred@example.org"
LIST = "application/vnd.oma.im.deferred-list+xml"
DIFF = "application/xcap-diff+xml"
SPACE = "{urn:oma:xml:im:deferred-list}"
POC = "urn:oma:params:xml:ns:poc:poc-settings"
OFF = (f'<?xml version="1.0" encoding="UTF-8"?>\r\n<poc-settings xmlns="{POC}" xmlns:im="urn:oma:xml:im:service-settings">'
       '<entity id="e"><im:deferred-settings><im:offline-delivery active="false"/></im:deferred-settings></entity>'
       "</poc-settings>\r\n").encode()


def entries(body):
    """The list as Python's own parser reads it: a dict for each entry."""
    root = ET.fromstring(body)
    assert root.tag == f"{SPACE}deferred-list", root.tag
    return [{"id": entry.get("id"), **{part.tag.removeprefix(SPACE): part.text for part in entry}} for entry in root]


class DeferredList(StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)

    def begin(self, *flags, **how):
        super().begin("--deferred-event-interval", "100ms", *flags, **how)

    def ctl(self, *words, status=0):
        done = subprocess.run([CTL, "--admin", self.server.ready["admin"], *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def waiting(self):
        return json.loads(self.ctl("--json", "deferred", "bob"))["messages"]

    def until(self, ready, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def away(self, *texts):
        """bob, who is not there, wants nothing sent, and has these; alice has sent them."""
        alice, bob = self.user("alice"), self.user("bob", "tcp")
        self.code(bob.register(0), 200)
        self.wants_nothing(bob)
        for number, text in enumerate(texts):
            self.code(alice.message("sip:bob@example.org", text, headers=[("Subject", f"no. {number} <ä>")]), 202)
        return alice, bob

    def wants_nothing(self, bob):
        headers = [("Event", "poc-settings"), ("Expires", "3600")]
        self.code(bob.ask("PUBLISH", bob.aor, headers=headers, body=OFF, content_type="application/poc-settings+xml").final(), 200)

    def told(self, bob, method="NOTIFY", content_type=LIST):
        got = bob.take_request(method, match=lambda m: m.get("content-type") == content_type)
        return entries(got.body) if content_type == LIST else ET.fromstring(got.body)

    def subscribe(self, bob, uri=DMF, event="ua-profile", accept=LIST, code=200):
        tx = bob.subscribe(uri, event=event, expires=600, accept=accept)
        response = self.code(tx.final(), code)
        return tx.dialog(response) if code == 200 else response

    def refer(self, peer, to, uri=DMF, code=202, headers=(), **how):
        return self.code(peer.ask("REFER", uri, headers=[("Refer-To", f"<{to}>"), *headers], **how).final(), code)

    def outcome(self, peer):
        fits = lambda m: m.get("event") == "refer" and m.get("subscription-state").startswith("terminated")
        return int(peer.take_request("NOTIFY", match=fits).body.split()[1])

    def test_OMA_DEF_12_13_10_told_fetched_deleted_and_the_same_after_a_kill(self):
        alice, bob = self.away(b"one", b"two", b"three")
        self.code(bob.register(600), 200)
        got = bob.take_request("MESSAGE")
        self.assertEqual(got.get("p-asserted-identity"), f"<{DMF}>")
        self.assertEqual(got.from_.uri, DMF)
        self.assertEqual(got.get("content-type"), LIST)
        one, two, three = entries(got.body)
        self.assertEqual([e["status"] for e in (one, two, three)], ["new"] * 3)
        self.assertEqual((one["from"], one["to"], one["subject"], one["size"], one["mode"]),
                         ("sip:alice@example.org", "sip:bob@example.org", "no. 0 <ä>", "3", "pager"))
        self.assertRegex(one["reference"], r"^sip:deferred-[a-p]{16}@example\.org$")
        self.subscribe(bob)
        self.assertEqual([e["status"] for e in self.told(bob)], ["notified"] * 3)

        self.refer(bob, two["reference"])
        fetched = bob.take_request("MESSAGE")
        self.assertEqual((fetched.body, fetched.from_.uri), (b"two", "sip:alice@example.org"))
        self.assertEqual(self.outcome(bob), 200)
        self.assertEqual([e["id"] for e in self.told(bob)], [one["id"], three["id"]])
        self.refer(bob, two["reference"], code=404)
        self.refer(alice, one["reference"], code=403)

        self.assertEqual([m["id"] for m in self.waiting()], [one["id"], three["id"]])
        self.assertIn("alice@example.org", self.ctl("deferred", "bob"))
        self.ctl("deferred", "bob", "delete", one["id"])
        self.assertEqual([e["id"] for e in self.told(bob)], [three["id"]])
        self.assertEqual(self.ctl("deferred", "bob", "delete", one["id"], status=1),
                         "parleyctl: 404 no such message waits for this user\n")
        self.ctl("deferred", "alice", "delete", three["id"], status=1)

        self.code(bob.register(0), 200)
        self.again()
        bob = self.peer("tcp", user="bob")
        self.wants_nothing(bob)
        left = self.waiting()
        self.assertEqual([(m["id"], m["status"]) for m in left], [(three["id"], "notified")])
        self.code(bob.register(600), 200)
        bob.quiet(0.5)  # he knows
        self.refer(bob, three["reference"], headers=[("Refer-Sub", "false"), ("Require", "norefersub")], code=200)
        self.assertEqual(bob.take_request("MESSAGE").body, b"three")
        self.until(lambda: not self.waiting(), "what he has taken still waits")
        self.assertEqual(self.server.metric("parley_im_deferred_retrieved_total"), 1)
        self.reached(self.user("alice"), bob, b"and what comes now comes at once")

    def test_OMA_DEF_11_both_events_and_documents(self):
        _, bob = self.away(b"one")
        for event in ("ua-profile", "sip-profile"):
            for uri in (DMF, "sip:bob@example.org"):
                self.subscribe(bob, uri, event)
                self.assertEqual(len(self.told(bob)), 1)
        self.subscribe(bob, accept=DIFF)
        diff = self.told(bob, content_type=DIFF)
        self.assertEqual(diff.tag, "{urn:ietf:params:xml:ns:xcap-diff}xcap-diff")
        self.assertEqual(diff[0].get("sel"), "org.openmobilealliance.deferred-list/users/sip:bob@example.org/deferred-list")
        document = json.loads(self.server.http("GET", "/api/v1/deferred/document?user=bob")[1])
        self.assertEqual(len(entries(document["document"].encode())), 1)
        self.assertEqual(len(document["etag"]), 32)
        self.code(self.subscribe(bob, event="presence", code=489), 489)
        self.assertIn(LIST, self.subscribe(bob, accept="text/plain", code=406).all("accept"))
        self.subscribe(self.user("alice"), "sip:bob@example.org", code=403)

    def test_OMA_DEF_13_several_by_one_list_and_one_sent_on(self):
        _, bob = self.away(b"one", b"two", b"three")
        carol = self.user("carol")
        self.code(bob.register(600), 200)
        listed = entries(bob.take_request("MESSAGE").body)
        names = "".join(f'<entry uri="{e["reference"]}"/>' for e in listed[1:])
        body = (f'<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>{names}</list>'
                "</resource-lists>").encode()
        self.refer(bob, "cid:list@here", code=200, body=body, content_type="application/resource-lists+xml",
                   headers=[("Require", "multiple-refer, norefersub"), ("Refer-Sub", "false"), ("Content-ID", "<list@here>")])
        self.assertEqual([bob.take_request("MESSAGE").body for _ in range(2)], [b"two", b"three"])
        self.refer(bob, "sip:carol@example.org", uri=listed[0]["reference"])
        got = carol.take_request("MESSAGE")
        self.assertEqual((got.body, got.from_.uri), (b"one", "sip:alice@example.org"))
        self.assertEqual(got.get("referred-by"), "<sip:bob@example.org>")
        self.assertEqual(got.get("p-asserted-identity"), "<sip:bob@example.org>")
        self.assertEqual(self.outcome(bob), 200)
        self.assertEqual([m["id"] for m in self.waiting()], [listed[0]["id"]])

    def test_OMA_DEF_6_reminded_once(self):
        self.server.stop()
        self.begin("--deferred-remind-before", "30s")
        alice, bob = self.user("alice"), self.user("bob", "tcp")
        self.code(bob.register(0), 200)
        self.wants_nothing(bob)
        self.code(alice.message("sip:bob@example.org", b"one", headers=[("Expires", "40")]), 202)
        self.code(bob.register(600), 200)
        self.assertEqual(entries(bob.take_request("MESSAGE").body)[0]["status"], "new")
        self.assertEqual(entries(bob.take_request("MESSAGE", timeout=40).body)[0]["status"], "expiring")
        bob.quiet(1)


class TwoShards(DeferredList):
    SHARDS = 2


del StoreCase  # it is no test

if __name__ == "__main__":
    unittest.main()
