"""test_where.py - `parleyctl where MESSAGE-ID` against the real binary and a real store: a message that was delivered, one that waits,
one that was tried and refused, one to a group with a member who is away, and one that nobody knows."""
import json
import os
import subprocess
import time
import unittest

from server import binary
from store_base import StoreCase
from test_deferred import IM, cpim

CTL = os.environ.get("PARLEYCTL", os.path.join(os.path.dirname(binary()), "parleyctl"))


class Where(StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)
    SHARDS = 1

    def begin(self, *flags, **how):
        super().begin("--group", "sip:team@example.org=alice,bob,carol", *flags, **how)

    def ctl(self, *words, status=0):
        done = subprocess.run([CTL, "--admin", self.server.ready["admin"], *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def where(self, message_id):
        return json.loads(self.ctl("--json", "where", message_id))

    def until(self, ready, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not ready():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def sends(self, by, to, message_id, code):
        """Its Call-ID."""
        request = by.ask("MESSAGE", f"sip:{to}@example.org", headers=[IM], body=cpim("alice", message_id), content_type="message/cpim")
        self.code(request.final(10), code)
        return request.request.call_id

    def test_one_that_was_delivered(self):
        alice, bob = self.user("alice"), self.user("bob", "tcp")
        call = self.sends(alice, "bob", "m-1", 200)
        bob.take_request("MESSAGE")
        for name in ("m-1", call):
            found = self.where(name)
            self.assertEqual((found["waiting"], found["sending"], found["rooms"], found["silent_shards"]), ([], [], [], []))
            (passed,) = found["passed"]
            self.assertEqual((passed["way"], passed["outcome"], passed["status"]), ("direct", "delivered", 200))
            self.assertEqual((passed["from"], passed["to"]), ("sip:alice@example.org", "sip:bob@example.org"))
            (hop,) = passed["hops"]
            self.assertTrue(hop["to"].startswith("tcp:127.0.0.1:"), hop)
            self.assertEqual(hop["result"], "200")
        shown = self.ctl("where", "m-1")
        self.assertTrue(shown.startswith("went through here\n"), shown)
        self.assertRegex(shown, r"direct +delivered +200 .* tcp:127\.0\.0\.1:\d+ 200\n$")

    def test_one_that_waits_also_after_the_process_was_killed(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.code(bob.register(0), 200)
        call = self.sends(alice, "bob", "m-2", 202)
        self.assertEqual([p["outcome"] for p in self.where(call)["passed"]], ["kept"])
        self.again()
        for name in ("m-2", call):
            found = self.where(name)
            self.assertEqual(found["passed"], [])
            (waits,) = found["waiting"]
            self.assertEqual((waits["for"], waits["from"]), ("sip:bob@example.org", "sip:alice@example.org"))
            self.assertEqual((waits["delivery"], waits["failed_rounds"], waits["user_knows"]), ("not there", 0, "new"))
            self.assertEqual(waits["bytes"], len(cpim("alice", "m-2")))
            self.assertLess(waits["since"], waits["until"])
        bob = self.user("bob")
        bob.take_request("MESSAGE")
        self.until(lambda: self.where("m-2")["waiting"] == [], "what was brought still waits")
        self.assertEqual([(p["way"], p["outcome"]) for p in self.where(call)["passed"]], [("stored", "delivered")])

    def test_one_that_was_refused_says_why_and_when_it_is_tried_again(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.code(bob.register(0), 200)
        self.sends(alice, "bob", "m-3", 202)
        bob.auto["MESSAGE"] = 486
        self.code(bob.register(600), 200)
        bob.take_request("MESSAGE")
        self.until(lambda: self.where("m-3")["waiting"][0]["delivery"] == "later", "it is not tried later")
        (waits,) = self.where("m-3")["waiting"]
        self.assertEqual((waits["failed_rounds"], waits["last_status"]), (1, 486))
        self.assertGreater(waits["next_in_seconds"], 0)
        shown = self.ctl("where", "m-3")
        self.assertIn("waits for its user\n", shown)
        self.assertIn(" 486\n", shown)

    def test_one_to_a_group_with_a_member_who_is_away(self):
        alice, bob, carol = self.user("alice"), self.user("bob"), self.user("carol", "tcp")
        self.code(bob.register(0), 200)
        del carol.auto["MESSAGE"]
        call = self.sends(alice, "team", "m-4", 202)
        copy = carol.take_request("MESSAGE")
        self.until(lambda: self.where("m-4")["waiting"], "bob's copy is not kept")
        found = self.where(call)
        (sending,) = found["sending"]
        self.assertEqual((sending["to"], sending["open"]), ("sip:team@example.org", 1))
        self.assertEqual(sending["recipients"], [{"to": "sip:carol@example.org", "state": "under way"}])
        self.assertIn("sip:carol@example.org under way", self.ctl("where", call))
        copy.tx.respond(200)
        self.until(lambda: self.where("m-4")["sending"] == [], "carol's copy has not come to its end")
        found = self.where("m-4")
        (waits,) = found["waiting"]
        self.assertEqual((waits["for"], waits["request_id"]), ("sip:bob@example.org", call))
        ends = {(p["way"], p["to"], p["outcome"]) for p in found["passed"]}
        self.assertEqual(ends, {("list", "sip:team@example.org", "taken"), ("copy", "sip:bob@example.org", "kept"),
                                ("copy", "sip:carol@example.org", "delivered")})
        self.assertEqual(found["passed"][0]["way"], "list")
        self.assertEqual(len(self.where(copy.call_id)["passed"]), 1)

    def test_one_that_nobody_knows(self):
        self.assertRegex(self.ctl("where", "m-5", status=1), r"^parleyctl: 404 no such message: it does not wait in the store, ")
        status, answer = self.server.http("GET", "/api/v1/where?message-id=m-5")
        self.assertEqual(status, 404, answer)


class TwoShards(Where):
    SHARDS = 2


del StoreCase  # it is no test

if __name__ == "__main__":
    unittest.main()
