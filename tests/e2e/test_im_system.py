"""test_im_system.py - system messages with the real binary and a real store: ordered by parleyctl, answered or not, and still
owed when the process was killed (OMA-SYS-1 to OMA-SYS-7, DEC-22)."""
import email
import email.policy
import json
import os
import re
import subprocess
import time
import unittest

from server import binary
from store_base import StoreCase

CTL = os.environ.get("PARLEYCTL", os.path.join(os.path.dirname(binary()), "parleyctl"))
SYSTEM = "sip:system-message@example.org"
TYPE = "application/vnd.oma.im.system-message+xml"
TERMS = ("New terms", "--option", "yes=I agree", "--option", "no=I do not")


class SystemMessages(StoreCase):
    def ctl(self, *words, status=0):
        done = subprocess.run([CTL, "--admin", self.server.ready["admin"], *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def order(self, *words):
        text = self.ctl("system-message", *words)
        self.assertRegex(text, r"^[1-9][0-9]{10,18}\n$")
        return text.strip()

    def line(self, mid):
        lines = [m for m in json.loads(self.ctl("--json", "system-messages"))["messages"] if m["id"] == mid]
        return lines[0] if lines else {"state": "none"}

    def until(self, mid, state, seconds=10):
        deadline = time.monotonic() + seconds
        while self.line(mid)["state"] != state:
            self.assertLess(time.monotonic(), deadline, self.line(mid))
            time.sleep(0.05)
        return self.line(mid)

    def answer(self, peer, mid, option, content_type=TYPE):
        body = f'<system-message-response id="{mid}" option="{option}"/>'.encode()
        return peer.message(SYSTEM, body, content_type)

    def parts(self, message):
        text = b"Content-Type: " + message.get("content-type").encode() + b"\r\n\r\n" + message.body
        read = email.message_from_bytes(text, policy=email.policy.SMTP)
        self.assertEqual(read.get_content_type(), "multipart/alternative")
        return {part.get_content_type(): part.get_payload() for part in read.iter_parts()}

    def held(self, sender, receiver):
        response = sender.ask("MESSAGE", f"sip:{receiver.user}@example.org", body=b"hello", content_type="text/plain")
        code = response.final(10).code
        if code == 403:
            return True
        self.assertEqual(code, 200)
        receiver.take_request("MESSAGE")
        return False

    def test_OMA_SYS_1_sent_answered_and_shown(self):
        self.assertEqual(self.ctl("system-messages"), "no messages\n")
        alice, bob = self.user("alice"), self.user("bob")
        mid = self.order("alice", *TERMS, "--answer-within", "1h", "--language", "en")
        got = alice.take_request("MESSAGE")
        self.assertEqual(got.from_.uri, SYSTEM)
        self.assertEqual(got.get("accept-contact"), "*;+g.oma.sip-im;+g.oma.sip-im.system-message")
        parts = self.parts(got)
        self.assertEqual(list(parts), ["text/plain", TYPE])
        self.assertEqual(parts["text/plain"], "New terms\r\nyes: I agree\r\nno: I do not")
        for word in (f'id="{mid}"', 'response-required="true"', 'timeout="3600"', '<option id="yes">I agree</option>'):
            self.assertIn(word, parts[TYPE])
        line = self.until(mid, "pending")
        self.assertEqual(line["user"], "sip:alice@example.org")
        self.assertFalse(self.held(alice, bob))
        self.code(self.answer(alice, mid, "maybe"), 400)
        self.code(self.answer(bob, mid, "yes"), 403)
        self.code(self.answer(alice, mid, "yes", "text/plain"), 415)
        self.assertEqual(self.line(mid)["state"], "pending")
        self.code(self.answer(alice, mid, "yes"), 200)
        self.code(self.answer(alice, mid, "yes"), 200)
        self.assertEqual(self.until(mid, "answered")["answer"], "yes")
        self.assertIn("answered", self.ctl("system-messages"))

    def test_OMA_SYS_5_held_back_until_the_answer_also_by_the_next_process(self):
        alice, bob = self.user("alice"), self.user("bob", "tcp")
        first = self.order("alice", *TERMS, "--answer-within", "1s")
        second = self.order("alice", *TERMS, "--answer-within", "4s")
        self.assertEqual({re.search(rb'<system-message id="([0-9]+)"', alice.take_request("MESSAGE").body)[1].decode()
                          for _ in range(2)}, {first, second})
        self.until(first, "overdue")
        for sender in (alice, self.peer("tcp", "alice"), self.peer("udp", "alice")):
            self.assertTrue(self.held(sender, bob), "whatever shard his request reaches")
        self.code(alice.register(600), 200)
        self.again()
        self.until(second, "overdue")
        self.assertEqual(self.line(first)["state"], "overdue")
        bob = self.user("bob", "tcp")
        self.assertTrue(self.held(alice, bob))
        self.code(self.answer(alice, first, "no"), 200)
        self.assertTrue(self.held(alice, bob), "OMA-SYS-5: the other one")
        self.code(self.answer(self.peer("tcp", "alice"), second, "yes"), 200)
        self.assertFalse(self.held(alice, bob))
        self.again()
        self.assertFalse(self.held(alice, self.user("bob", "tcp")), "OMA-SYS-6")
        self.assertEqual(self.line(second)["answer"], "yes")

    def test_OMA_SYS_6_what_nobody_took_is_seen_and_can_be_taken_back(self):
        alice = self.user("alice")
        mid = self.order("bob", *TERMS, "--answer-within", "1s")
        self.assertEqual(self.until(mid, "failed")["status"], 480)
        mid = self.order("alice", *TERMS, "--answer-within", "1s")
        alice.take_request("MESSAGE")
        self.until(mid, "overdue")
        self.assertEqual(json.loads(self.ctl("close-system-message", mid)), {"closed": mid})
        self.assertIn("no such system message", self.ctl("close-system-message", mid, status=1))
        self.code(alice.message("sip:nobody@example.org"), 404)  # and not 403

    def test_what_can_not_be_ordered(self):
        for words, why in ((("zoe@elsewhere.org", "x"), "409 that is no user of ours"),
                           (("alice", "x", "--answer-within", "1h"), "400 an answer is demanded"),
                           (("alice", "x", "--option", "yes=Y", "--answer-within", "soon"), "400 answer_within is")):
            self.assertIn(why, self.ctl("system-message", *words, status=1))
        self.ctl("system-message", "alice", "x", "--option", "yes", status=2)
        self.ctl("close-system-message", "x", status=2)
        self.server.stop()
        self.begin("--roles", "registrar")
        self.assertIn("role participating", self.ctl("system-message", "alice", "x", status=1))


class TwoShards(SystemMessages):
    SHARDS = 2


if __name__ == "__main__":
    unittest.main()
