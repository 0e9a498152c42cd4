"""test_im_history.py - records of a user's conversations, with the real binary and a real store, and clients that know nothing of
it: listed and deleted by XCAP, fetched by INVITE and MSRP, looked at by operators (OMA-HIS-1, -2, -4, -5, -7, OMA-DEF-14).

Most records here are rows that were put into the store; those of Talks were recorded (test_history.py has what is)."""
import json
import os
import shutil
import subprocess
import time
import unittest

from base import SECRETS
from history_base import AUID, CPIM, GIVES, NAME, TYPE, HistoryCase, histories, letters, reference
from server import MEMORY_CHECKS
from test_history import History as Recorded

RSS_GROWTH_MAX = 24 << 20


class History(HistoryCase):
    def three(self):
        self.seeded({"id": 11, "subject": "lunch <ä>", "messages": [
                        (0, "message/cpim", CPIM + b"one"), (1, "text/plain", "zwö".encode()), (0, "image/png", 5_000_000)]},
                    {"id": 12, "kind": 1, "from": "<sip:bob@example.org>", "to": "<sip:list@example.org>",
                     "people": "sip:alice@example.org\nsip:carol@example.org\n", "messages": [(1, "text/plain", b"to all")]},
                    {"id": 13, "to": "<sip:team@example.org>", "group": "sip:team@example.org", "messages": []},
                    {"id": 14, "aor": "sip:alice@example.org", "messages": [(1, "text/plain", b"hers")]},
                    {"id": 15, "left": -1, "messages": [(1, "text/plain", b"over")]})

    def test_OMA_HIS_1_2_listed_by_a_client_of_another_make(self):
        bob = self.client("bob")
        self.status(bob.fetch(AUID, NAME), 404)
        self.three()
        bob = self.client("bob")
        answer = self.status(bob.fetch(AUID, NAME), 200)
        self.assertEqual(answer.get("Content-Type"), TYPE)
        found = histories(answer.body)
        self.assertEqual([int(i) for i, _ in found.values()], [11, 12, 13])
        date = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
        _, parts = found[reference(11)]
        names = [name for name, _ in parts]
        self.assertEqual(names, ["size", "expiry", "subject", "date", "history-reference", "conference", "time-start", "time-end",
                                 "recording-name", "conf-list", "entry", "display-name", "uri", "entry", "uri"])
        said = dict(parts)
        self.assertEqual((said["size"], said["subject"]), (str(len(CPIM) + 3 + len("zwö".encode())), "lunch <ä>"))
        for name in ("expiry", "date", "time-start", "time-end"):
            self.assertRegex(said[name], date)
        names, said = [n for n, _ in found[reference(12)][1]], dict(found[reference(12)][1])
        self.assertEqual(names[5 - 1:], ["pager", "time-stamp", "from", "to", "recipient-list", "entry", "uri", "entry", "uri", "auth-id"])
        self.assertEqual((said["from"], said["to"], said["auth-id"]),
                         ("sip:bob@example.org", "sip:list@example.org", "sip:bob@example.org"))
        self.assertEqual(dict(found[reference(13)][1])["group-uri"], "sip:team@example.org")

        self.status(bob.fetch(AUID, NAME, If_None_Match=answer.etag), 304)
        one = self.status(bob.fetch(AUID, NAME, "history-list/history%5b@id=%2212%22%5d"), 200)
        self.assertIn(reference(12).encode(), one.body)
        self.assertEqual(one.get("Content-Type"), "application/xcap-el+xml")
        leaf = self.status(bob.fetch(AUID, NAME, "history-list/history%5b1%5d/subject"), 200)
        self.assertIn("lunch &lt;ä&gt;", leaf.body.decode())
        put = bob.ask("PUT", bob.path(AUID, NAME), answer.body, {"Content-Type": TYPE})
        self.assertEqual(self.status(put, 405).get("Allow"), "GET, HEAD, DELETE")
        self.status(self.client("alice").fetch(AUID, NAME, xui="sip:bob@example.org"), 403)
        self.status(self.client("carol").ask("DELETE", bob.path(AUID, NAME)), 403)
        caps = self.client("carol").ask("GET", f"{bob.root}/xcap-caps/global/index").body.decode()
        self.assertIn(f"<auid>{AUID}</auid>", caps)

    def test_OMA_HIS_5_deleted_entry_by_entry_and_all(self):
        self.three()
        bob, alice = self.client("bob"), self.client("alice")
        node = "history-list/history%5b@id=%22{}%22%5d"
        before = bob.fetch(AUID, NAME)
        self.status(bob.ask("DELETE", bob.path(AUID, NAME, node.format(11)), None, {"If-Match": '"another"'}), 412)
        self.status(bob.ask("DELETE", bob.path(AUID, NAME, node.format(11)), None, {"If-Match": before.etag}), 200)
        self.assertEqual(list(histories(bob.fetch(AUID, NAME).body)), [reference(12), reference(13)])
        self.assertEqual(self.count("history_message WHERE record=11"), 0)
        self.status(bob.delete(AUID, NAME, node.format(11)), 404)
        self.status(bob.delete(AUID, NAME, node.format(14)), 404)
        self.assertEqual(self.fault(bob.delete(AUID, NAME, "history-list/history%5b1%5d")), "cannot-delete")
        self.fault(bob.delete(AUID, NAME, node.format(12) + "/pager"))
        self.fault(bob.delete(AUID, NAME, node.format(12) + "/@id"))
        self.status(bob.delete(AUID, NAME), 200)
        self.status(bob.fetch(AUID, NAME), 404)
        self.status(bob.delete(AUID, NAME), 404)
        self.assertEqual(list(histories(alice.fetch(AUID, NAME).body)), [reference(14)])
        self.assertEqual(self.count("history_record"), 1)
        self.assertEqual(self.server.metric("parley_history_deleted_total"), 4)
        self.again()
        self.status(self.client("bob").fetch(AUID, NAME), 404)

    @unittest.skipUnless(shutil.which("curl"), "curl is not here")
    def test_OMA_HIS_1_curl_is_an_xcap_client(self):
        self.three()
        at = self.server.ready["xcap"][0].replace("http:", "http://")
        url = f"{at}/xcap-root/{AUID}/users/sip:bob@example.org/{NAME}"
        curl = ["curl", "-sS", "--digest", "-u", f"bob:{SECRETS['bob']}", "--max-time", "20", "-w", "%{http_code} %{content_type}"]
        run = lambda *words: subprocess.run([*curl, *words], stdout=subprocess.PIPE, timeout=30, check=True).stdout.decode()
        got = run(url)
        self.assertTrue(got.endswith(f"200 {TYPE}"), got[-100:])
        self.assertIn(reference(11), got)
        self.assertTrue(run("-X", "DELETE", "-g", f"{url}/~~/history-list/history%5b@id=%2211%22%5d").startswith("200"))
        self.assertNotIn(reference(11), run(url))
        self.assertIn("405", run("-X", "PUT", "--data", "<x/>", "-H", f"Content-Type: {TYPE}", url))

    def test_OMA_HIS_5_fetched_in_order(self):
        self.three()
        alice, bob, carol = self.who("alice", "bob", "carol")
        self.assertEqual([self.refusal(w, 11) for w in (alice, carol)], [403, 403])  # OMA-DEF-14
        self.assertEqual([self.refusal(bob, n) for n in (14, 15, 99)], [403, 404, 404])
        self.assertEqual(self.refusal(bob, 11, GIVES), 488)
        session = self.fetched(bob, 11)
        one, two, three = self.heard(session, 11, 3)
        self.assertEqual(one.body, CPIM + b"one")  # OMA-HIS-4
        frame = one.chunks[0]
        self.assertEqual((frame.get("Content-Type"), frame.get("History-Direction")), ("message/cpim", "received"))
        self.assertRegex(frame.get("History-Date"), r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        head, inner, text = two.body.split(b"\r\n\r\n", 2)
        self.assertTrue(head.startswith(b"From: <sip:bob@example.org>\r\nTo: <sip:alice@example.org>\r\nDateTime: "), head)
        self.assertEqual((inner, text), (b"Content-Type: text/plain", "zwö".encode()))
        self.assertEqual(two.chunks[0].get("History-Direction"), "sent")
        self.assertTrue(three.body.endswith(b"\r\n\r\nContent-Type: image/png\r\nContent-Disposition: attachment;size=5000000\r\n\r\n"),
                        three.body)
        # Once more, and that of nothing.
        self.heard(self.fetched(bob, 11), 11, 3)
        self.heard(self.fetched(bob, 13), 13, 0)
        self.assertEqual(self.server.metric("parley_history_fetched_total"), 3)

    def test_OMA_HIS_5_a_long_record_is_not_in_memory(self):
        bodies = [CPIM + f"{n} ".encode() + os.urandom(30_000).hex().encode() for n in range(1500)]  # 90 MB
        self.seeded({"id": 21, "messages": [(n % 2, "message/cpim", body) for n, body in enumerate(bodies)]})
        bob, = self.who("bob")
        before = self.server.memory()["rss"]
        session = self.fetched(bob, 21)
        most = 0
        for number, body in enumerate(bodies, 1):
            message = session.msrp.take_message(f"{letters(21)}.{number}", 60)
            self.assertEqual(message.body, body)
            if number % 100 == 0:
                most = max(most, self.server.memory()["rss"])
        session.bye_came()
        if not MEMORY_CHECKS:
            return
        self.assertLess(most - before, RSS_GROWTH_MAX)

    def test_OMA_HIS_1_told_who_is_subscribed(self):
        self.three()
        bob = self.user("bob", "tcp")
        told = lambda: bob.take_request("NOTIFY", match=lambda m: m.get("content-type") == TYPE).body
        for uri, event in (("sip:History@example.org", "ua-profile"), ("sip:bob@example.org", "sip-profile")):
            tx = bob.subscribe(uri, event=event, expires=600, accept=TYPE)
            tx.dialog(self.code(tx.final(), 200))
            self.assertEqual(list(histories(told())), [reference(11), reference(12), reference(13)])
        self.ctl("history", "bob", "delete", "11")
        for _ in range(2):
            self.assertEqual(list(histories(told())), [reference(12), reference(13)])
        self.code(self.user("alice").subscribe("sip:bob@example.org", event="ua-profile", expires=600, accept=TYPE).final(), 403)

    def test_OMA_HIS_5_a_short_message_by_refer(self):
        self.three()
        alice, bob = self.user("alice"), self.user("bob", "tcp")
        refer = lambda who, number: who.ask("REFER", "sip:History@example.org", headers=[("Refer-To", f"<{reference(number)}>")]).final()
        self.code(refer(alice, 12), 403)
        self.code(refer(bob, 99), 404)
        self.assertIn("INVITE", self.code(refer(bob, 11), 488).get("warning"))
        self.code(refer(bob, 12), 202)
        got = bob.take_request("MESSAGE")
        self.assertEqual((got.body, got.from_.uri, got.get("p-asserted-identity")),
                         (b"to all", "sip:bob@example.org", "<sip:History@example.org>"))
        over = lambda m: m.get("event") == "refer" and m.get("subscription-state").startswith("terminated")
        self.assertEqual(int(bob.take_request("NOTIFY", match=over).body.split()[1]), 200)
        self.assertEqual(self.server.metric("parley_history_retrieved_total"), 1)

    def test_OMA_HIS_5_operators_list_and_delete(self):
        self.three()
        listed = json.loads(self.ctl("--json", "history", "bob"))
        self.assertEqual([r["id"] for r in listed["records"]], ["11", "12", "13"])
        self.assertEqual((listed["records"][0]["messages"], listed["records"][1]["mode"]), (3, "pager-large"))
        self.assertIn("alice@example.org", self.ctl("history", "bob"))
        self.assertIn('"records":1', self.ctl("history", "bob", "delete", "12"))
        self.assertIn("no such record", self.ctl("history", "bob", "delete", "12", status=1))
        self.ctl("history", "bob", "delete", "14", status=1)
        self.ctl("history", "bob", "delete", status=2)
        self.ctl("history", "bob", "delete", "12", "--all", status=2)
        self.assertIn('"records":3', self.ctl("history", "bob", "delete", "--all"))
        self.assertEqual(json.loads(self.ctl("--json", "history", "bob"))["records"], [])
        self.assertEqual(self.count("history_record"), 1)


class TwoShards(History):
    SHARDS = 2


class Talks(HistoryCase):
    """Sessions and pager messages that are recorded, as in test_history.py."""

    ONE_TO_ONE = "direct"
    settle, session, say, msrp, reached_im = Recorded.settle, Recorded.session, Recorded.say, Recorded.msrp, Recorded.reached_im

    def begin(self, *flags, **how):
        super().begin("--one-to-one", self.ONE_TO_ONE, "--msrp-sent-count", "off", *flags, **how)

    def listed(self, user, good):
        """His list, once it is good."""
        client = self.client(user)
        deadline = time.monotonic() + 20
        while True:
            answer = client.fetch(AUID, NAME)
            found = histories(answer.body) if answer.status == 200 else {}
            if good(found):
                return found
            self.assertLess(time.monotonic(), deadline, answer.show())
            time.sleep(0.05)

    def number(self, ref):
        return int.from_bytes(bytes((ord(h) - 97) << 4 | ord(l) - 97 for h, l in zip(ref[12:20], ref[20:28])), "little")

    def test_OMA_HIS_4_5_what_was_said_is_fetched_by_both(self):
        alice, bob = self.user("alice", "tcp"), self.user("bob", "tcp")
        self.settle(alice, True, True)
        self.settle(bob, True, True)
        (dialog, a, to_alice), (_, b, to_bob) = self.session(alice, bob)
        self.say(a, to_alice, b, b"hello bob")
        self.say(b, to_bob, a, CPIM + b"hello alice", "message/cpim")
        dialog.bye()
        bob.take_request("BYE")
        self.reached_im(alice, bob, b"by pager")
        for user in ("alice", "bob"):
            found = self.listed(user, lambda f: len(f) == 2 and "time-end" in str(f))
            talk, pager = sorted(found, key=lambda ref: "time-stamp" in str(found[ref]))
            said = dict(found[talk][1])
            self.assertEqual(said["subject"], "lunch")
            self.assertEqual(said["size"], str(len(b"hello bob") + len(CPIM + b"hello alice")))
            self.assertEqual(dict(found[pager][1])["from"], "sip:alice@example.org")
            who, = self.who(user)
            one, two = self.heard(self.fetched(who, self.number(talk)), self.number(talk), 2)
            self.assertTrue(one.body.endswith(b"\r\n\r\nContent-Type: text/plain\r\n\r\nhello bob"), one.body)
            self.assertTrue(one.body.startswith(b"From: "), one.body)
            self.assertIn(b"<sip:alice@example.org>", one.body.split(b"\r\n")[0])
            self.assertEqual(two.body, CPIM + b"hello alice")
            ways = [m.chunks[0].get("History-Direction") for m in (one, two)]
            self.assertEqual(ways, ["sent", "received"] if user == "alice" else ["received", "sent"])
            last, = self.heard(self.fetched(who, self.number(pager)), self.number(pager), 1)
            self.assertTrue(last.body.endswith(b"by pager"))
        self.assertEqual(len(self.listed("bob", lambda f: f)), 2, "what is fetched is not recorded")
        self.status(self.client("bob").delete(AUID, NAME), 200)
        self.assertEqual(len(self.listed("alice", lambda f: f)), 2, "each has his own")

    def test_OMA_HIS_1_it_is_told_when_it_begins_and_ends(self):
        alice, bob = self.user("alice", "tcp"), self.user("bob", "tcp")
        self.settle(bob, True, False)
        tx = bob.subscribe("sip:History@example.org", event="ua-profile", expires=600, accept=TYPE)
        tx.dialog(self.code(tx.final(), 200))
        told = lambda: histories(bob.take_request("NOTIFY", match=lambda m: m.get("content-type") == TYPE).body)
        self.assertEqual(told(), {})
        (dialog, _, _), _ = self.session(alice, bob)
        begun, = told().values()
        self.assertNotIn("time-end", str(begun))
        dialog.bye()
        bob.take_request("BYE")
        ended, = told().values()
        self.assertIn("time-end", str(ended))


class TalksHere(Talks):
    """The server is the focus of sessions of two."""

    ONE_TO_ONE = "focus"
    SHARDS = 2


del HistoryCase, Recorded  # they are no tests of here

if __name__ == "__main__":
    unittest.main()
