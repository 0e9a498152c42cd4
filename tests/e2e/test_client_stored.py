"""test_client_stored.py - the IM client parley asks the real parleyd what it keeps for its user: records of conversations and
messages that wait are listed, fetched and deleted (OMA-DEF-10, -11, -13, OMA-HIS-1, -2, -5).

Records are rows that were put into the store (history_base.py); what waits was sent."""
import glob
import os
import tempfile
import unittest

from base import SECRETS
from client import Program
from history_base import CPIM, HistoryCase, reference

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


class Stored(HistoryCase):
    def parley(self, user, *arguments, transport="udp", xcap=None, cwd=None):
        root = xcap or self.server.ready["xcap"][0].replace("http:", "http://") + "/xcap-root"
        return Program(self, ("127.0.0.1", self.tcp if transport == "tcp" else self.udp), user, SECRETS[user], *arguments,
                       transport=transport, flags=("--xcap", root), cwd=cwd)

    def done(self, user, *arguments, status=0, **how):
        program = self.parley(user, *arguments, **how)
        self.assertEqual(program.ended(), status, program.story())
        return program

    def three(self):
        self.seeded({"id": 11, "subject": "lunch <ä>", "messages": [
                        (0, "message/cpim", CPIM + b"one"), (1, "text/plain", "zwö".encode()), (0, "image/png", PNG)]},
                    {"id": 12, "kind": 1, "from": "<sip:bob@example.org>", "to": "<sip:list@example.org>",
                     "people": "sip:alice@example.org\nsip:carol@example.org\n", "messages": [(1, "text/plain", b"to all")]},
                    {"id": 14, "aor": "sip:alice@example.org", "messages": [(1, "text/plain", b"hers")]})

    def test_OMA_HIS_1_2_records_are_listed(self):
        empty = self.done("bob", "history", "list", "--json")
        self.assertEqual(empty.events, [{"event": "list", "of": "history", "entries": 0, "left_out": 0}])
        self.three()
        for transport in ("udp", "tcp"):
            listed = self.done("bob", "history", "list", "--json", transport=transport)
            first, second, summary = listed.events
            self.assertEqual((first["id"], first["mode"], first["from"], first["users"], first["subject"], first["reference"]),
                             ("11", "session", "sip:alice@example.org", ["sip:bob@example.org"], "lunch <ä>", reference(11)))
            self.assertEqual(first["size"], len(CPIM + b"one") + 4 + len(PNG))
            self.assertEqual((second["id"], second["mode"]), ("12", "pager-large"))
            self.assertEqual(second["users"], ["sip:list@example.org", "sip:alice@example.org", "sip:carol@example.org"])
            self.assertEqual(summary["entries"], 2)
        plain = self.done("bob", "history", "list")
        self.assertEqual(len(plain.lines), 2)
        self.assertRegex(plain.lines[0], r"^11  2\d\d\d-.*Z  \d+  sip:alice@example.org -> sip:bob@example.org  lunch <ä>$")

    def test_OMA_HIS_4_5_a_record_is_fetched_and_shown_or_saved(self):
        self.three()
        for transport in ("udp", "tcp"):
            got = self.done("bob", "history", "get", "11", "--json", transport=transport)
            said = [e for e in got.events if e["event"] == "message"]
            self.assertEqual([(m["from"], m["way"], m["type"]) for m in said],
                             [("sip:alice@example.org", "received", "text/plain"), ("sip:bob@example.org", "sent", "text/plain"),
                              ("sip:alice@example.org", "received", "image/png")])
            self.assertEqual([m.get("text") for m in said], ["one", "zwö", None])
            self.assertEqual(said[2]["base64"], "iVBORw0KGgoA/w==")
        with tempfile.TemporaryDirectory() as place:
            got = self.done("bob", "history", "get", "11", "--files", place)
            self.assertEqual(got.lines[:2], ["sip:alice@example.org: one", "sip:bob@example.org: zwö"])
            path, = glob.glob(f"{place}/*")
            self.assertEqual(os.path.basename(path), "history-11-3.png")
            with open(path, "rb") as file:
                self.assertEqual(file.read(), PNG)

    def test_OMA_HIS_5_a_long_record_comes_whole_and_in_its_order(self):
        self.seeded({"id": 21, "messages": [(n % 2, "text/plain", b"%d " % n * 2000) for n in range(300)]})
        got = self.done("bob", "history", "get", "21", "--json")
        said = [e["text"] for e in got.events if e["event"] == "message"]
        self.assertEqual(said, [f"{n} " * 2000 for n in range(300)])

    def test_OMA_HIS_5_a_record_is_deleted(self):
        self.three()
        self.assertEqual(self.done("bob", "history", "delete", "11", "--json").event("deleted")["status"], 200)
        self.assertEqual([e["id"] for e in self.done("bob", "history", "list", "--json").events if e["event"] == "entry"], ["12"])
        self.assertEqual(self.count("history_record"), 2)

    def test_OMA_DEF_14_what_is_not_his_or_not_there(self):
        self.three()
        self.done("bob", "history", "delete", "14", status=1)
        self.done("bob", "history", "get", "14", status=1)
        self.done("bob", "deferred", "get", "14", status=1)
        self.done("bob", "history", "get", "x\"]", status=2)
        self.assertEqual(self.count("history_record"), 3)
        wrong = Program(self, ("127.0.0.1", self.udp), "bob", "wrong", "history", "list")
        self.assertEqual(wrong.ended(), 5, wrong.story())
        self.done("bob", "history", "delete", "11", xcap="http://127.0.0.1:9/xcap-root", status=3)
        self.done("bob", "history", "delete", "11", xcap="ftp://127.0.0.1/xcap-root", status=2)

    def wait_for_him(self, *texts):
        """bob, who is away and wants nothing sent, and has these of alice."""
        bob = self.parley("bob", "settings", "set", "offline-delivery=off")
        self.assertEqual(bob.ended(), 0, bob.story())
        for text in texts:
            self.done("alice", "send", "sip:bob@example.org", text)

    def test_OMA_DEF_10_11_13_messages_that_wait(self):
        self.wait_for_him("first", "second")
        listed = [e for e in self.done("bob", "deferred", "list", "--json").events if e["event"] == "entry"]
        self.assertEqual([(e["mode"], e["from"], e["users"], e["size"]) for e in listed],
                         [("pager", "sip:alice@example.org", ["sip:bob@example.org"], 5),
                          ("pager", "sip:alice@example.org", ["sip:bob@example.org"], 6)])
        got = self.done("bob", "deferred", "get", listed[0]["id"], "--json")
        message = got.event("message")
        self.assertEqual((message["from"], message["mode"], message["text"]), ("sip:alice@example.org", "deferred", "first"))
        self.done("bob", "deferred", "delete", listed[1]["id"])
        left = [e["id"] for e in self.done("bob", "deferred", "list", "--json").events if e["event"] == "entry"]
        self.assertNotIn(listed[1]["id"], left)
        self.done("bob", "deferred", "delete", listed[1]["id"], status=1)

    def test_OMA_DEF_13_what_can_not_be_saved_waits_on(self):
        self.wait_for_him()
        self.done("alice", "send", "sip:bob@example.org", "no picture", "--type", "image/png")

        def waiting():
            return [e["id"] for e in self.done("bob", "deferred", "list", "--json").events if e["event"] == "entry"]

        number, = waiting()
        with tempfile.TemporaryDirectory() as place:
            for how in (("--files", "/proc"), ("--files", "/proc", "--json")):  # where nobody makes files
                failed = self.done("bob", "deferred", "get", number, *how, status=2)
                self.assertIn("parley: a message is not saved: its file can not be opened", failed.errors)
                self.assertEqual(waiting(), [number])
            self.done("bob", "deferred", "get", number, cwd=place)
            path, = glob.glob(f"{place}/*")
            with open(path, "rb") as file:
                self.assertEqual(file.read(), b"no picture")
            self.assertEqual(os.path.splitext(path)[1], ".png")
        self.assertEqual(waiting(), [])

    def test_in_a_chat(self):
        self.three()
        bob = self.parley("bob", "chat", "--json", transport="tcp")
        bob.event("registered")
        bob.type("/fetch 11")
        bob.wait(lambda: any("no such entry" in line for line in bob.errors), "a complaint")
        bob.type("/history")
        self.assertEqual([bob.event("entry")["id"], bob.event("entry")["id"]], ["11", "12"])
        bob.event("list", of="history", entries=2)
        bob.type("/fetch 12")
        self.assertEqual(bob.event("message", mode="history")["text"], "to all")
        bob.event("session", state="ended")
        bob.type("/delete 12")
        self.assertEqual(bob.event("deleted", of="history", id="12")["status"], 200)
        bob.type("/deferred")
        bob.event("list", of="deferred", entries=0)
        bob.type("/quit")
        self.assertEqual(bob.ended(), 0, bob.story())


del HistoryCase  # it is no test

if __name__ == "__main__":
    unittest.main()
