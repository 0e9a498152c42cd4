"""test_client.py - the IM client parley through the real parleyd: with SIP and MSRP peers that know nothing of it and judge
every message strictly, in both directions, and with another parley.

The ids are those of docs/conformance.md.
"""
import base64
import hashlib
import os
import pty
import re
import select
import subprocess
import tempfile
import time
import unittest

from client import Program, binary
from im_peer import Cpim, Participant, attributes, cpim
from sip_base import SECRETS, SipCase

TAG = "+g.oma.sip-im"
LARGE = "+g.oma.sip-im.large-message"
VERSION = re.compile(r"IM-client/OMA1\.0 parley/\d+\.\d+\.\d+")


class ClientCase(SipCase):
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
    FLAGS = ("--one-to-one", "direct")  # what is judged is the client's own

    @classmethod
    def setUpClass(cls):
        from server import Parleyd
        cls.server = Parleyd(*cls.FLAGS, sip=cls.SIP, msrp=("tcp:127.0.0.1:0",)).start()

    def setUp(self):
        super().setUp()
        self.clear("alice", "bob", "carol")  # of tests that ended otherwise

    def parley(self, user, *arguments, transport="udp", **how):
        return Program(self, self.server.listeners(transport, "sip")[0], user, SECRETS[user], *arguments,
                       transport=transport, **how)

    def receiver(self, user="bob", *arguments, **how):
        program = self.parley(user, "recv", "--json", *arguments, **how)
        program.event("registered")
        return program

    def participant(self, user):
        return Participant(self, self.server.listeners("tcp", "sip")[0], user, SECRETS[user])


class Sending(ClientCase):
    """parley sends, a peer that judges receives."""

    def test_SEED3_8_1_1_a_pager_message_on_the_wire(self):
        bob = self.participant("bob")
        alice = self.parley("alice", "send", bob.aor, "hello", flags=("--display-name", "Alice A"))
        message = bob.sip.take_request("MESSAGE")
        self.assertEqual(alice.ended(), 0, alice.story())
        self.assertEqual(message.body, b"hello")
        self.assertEqual(message.get("accept-contact"), f"*;{TAG}")             # SEED3-8.1.1-1
        self.assertEqual(message.addresses("p-asserted-identity")[0].uri, "sip:alice@example.org")  # SEED3-8.1.1-2
        self.assertRegex(message.get("user-agent"), VERSION)                     # SEED3-8.1.1-3
        self.assertIsNone(message.get("privacy"))                                # SEED3-8.1.1-4
        self.assertEqual(message.to.uri, bob.aor)                                # SEED3-8.1.1-5
        self.assertIsNone(message.get("contact"))                                # R3428-1
        self.assertEqual(message.from_.display.strip('"'), "Alice A")

    def test_SEED3_8_1_1_4_OMA_ALIAS_1_anonymous(self):
        bob = self.participant("bob")
        alice = self.parley("alice", "send", bob.aor, "hush", flags=("--privacy", "--alias", "Foxy"))
        message = bob.sip.take_request("MESSAGE")
        self.assertEqual(alice.ended(), 0, alice.story())
        self.assertEqual(message.from_.uri, "sip:anonymous@anonymous.invalid")
        self.assertNotIn(b"alice", message.raw.replace(message.get("via").encode(), b""))

    def test_SEED3_8_1_1_10_SEED3_8_1_1_N3_a_receipt_is_waited_for(self):
        bob = self.participant("bob")
        alice = self.parley("alice", "send", "--report", "--json", bob.aor, "hello")
        message = bob.sip.take_request("MESSAGE")
        self.assertEqual(message.get("content-type"), "message/cpim")
        got = Cpim(message.body)
        self.assertEqual(got.content, b"hello")
        self.assertEqual(got.headers["NS"], "imdn <urn:ietf:params:imdn>")
        self.assertIn("positive-delivery", got.headers["imdn.Disposition-Notification"])
        alice.event("sent", status=200)
        xml = ('<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{}</message-id><datetime>{}</datetime>'
               '<delivery-notification><status><delivered/></status></delivery-notification></imdn>')
        body = cpim(f"<{bob.aor}>", "<sip:alice@example.org>", xml.format(got.headers["imdn.Message-ID"], got.headers["DateTime"]).encode(),
                    "message/imdn+xml")
        self.assertEqual(bob.sip.message("sip:alice@example.org", body, "message/cpim").code, 200)
        self.assertEqual(alice.event("delivery")["status"], "delivered")
        self.assertEqual(alice.ended(), 0, alice.story())

    def test_a_receipt_that_does_not_come(self):
        bob = self.participant("bob")
        alice = self.parley("alice", "send", "--report", bob.aor, "hello", flags=("--timeout", "2"))
        bob.sip.take_request("MESSAGE")
        self.assertEqual(alice.ended(), 4, alice.story())

    def test_exit_status_says_what_became_of_it(self):
        bob = self.participant("bob")
        bob.sip.auto["MESSAGE"] = 486
        self.assertEqual(self.parley("alice", "send", bob.aor, "hello").ended(), 1)
        self.assertEqual(self.parley("alice", "send", "sip:nobody@example.org", "hello").ended(), 1)
        wrong = Program(self, self.server.listeners("udp", "sip")[0], "alice", "wrong", "send", bob.aor, "hello")
        self.assertEqual(wrong.ended(), 5, wrong.story())
        away = Program(self, ("127.0.0.1", 9), "alice", "secret", "send", bob.aor, "hello", transport="tcp")
        self.assertEqual(away.ended(), 3, away.story())
        self.assertEqual(self.parley("alice", "send", bob.aor).ended(), 2)
        self.assertEqual(self.parley("alice", "send", bob.aor, "--file", "/nowhere").ended(), 2)
        self.assertEqual(self.parley("alice", "send", "bob", "hello").ended(), 2)
        self.assertEqual(self.parley("alice", "recv", "--files", "/nowhere").ended(), 2)

    def test_SEED3_8_1_2_SEED3_9_1_1_1_a_large_message_on_the_wire(self):
        bob = self.participant("bob")
        text = "x" * 3000
        alice = self.parley("alice", "send", bob.aor, "-", stdin=text.encode())
        invite = bob.invited()
        self.assertEqual(invite.get("accept-contact"), f"*;{TAG};{LARGE}")       # SEED3-9.1.1.1-1, DEC-5
        self.assertRegex(invite.get("user-agent"), VERSION)                      # SEED3-9.1.1.1-2
        contact = invite.contact
        self.assertIn(TAG, contact.params)                                       # SEED3-9.1.1.1-3
        self.assertIn(LARGE, contact.params)
        self.assertIn("timer", invite.get("supported"))                          # SEED3-9.1.1.1-5
        self.assertEqual(invite.get("session-expires").replace(" ", ""), "1800;refresher=uac")  # SEED3-9.1.1.1-6
        self.assertEqual(invite.get("content-type"), "application/sdp")          # SEED1-7.1.1.1-0
        self.assertEqual(attributes(invite.body, "sendonly"), [""])              # OMA-LRG-1
        session = bob.accept(invite)
        frame = session.msrp.take(lambda f: f.method == "SEND" and f.has_body)
        message = session.msrp.take_message(frame.get("Message-ID"))
        self.assertEqual(message.body, text.encode())
        session.bye_came()
        self.assertEqual(alice.ended(), 0, alice.story())

    def test_SEED3_8_1_1_DEC_12_the_whole_request_counts(self):
        bob = self.participant("bob")
        modes = set()
        for size in range(300, 1300, 70):
            alice = self.parley("alice", "send", bob.aor, "y" * size)
            request = bob.sip.wait(lambda: next((r for r in bob.sip.requests if r.method in ("MESSAGE", "INVITE")), None), "either")
            bob.sip.requests.remove(request)
            modes.add(request.method)
            if request.method == "MESSAGE":
                self.assertLess(len(request.raw), 1300 + 300)  # what proxies have added
                self.assertNotEqual(modes, {"INVITE", "MESSAGE"}, "a longer one by MESSAGE")
            else:
                request.tx.respond(486)
            self.assertIn(alice.ended(), (0, 1))
            if request.method == "INVITE":
                break
        self.assertEqual(modes, {"INVITE", "MESSAGE"})

    def test_R5547_1_OMA_FT_2_a_file_on_the_wire(self):
        bob = self.participant("bob")
        content = os.urandom(70_000)
        with tempfile.NamedTemporaryFile(suffix=" a.bin") as file:
            file.write(content)
            file.flush()
            alice = self.parley("alice", "send", bob.aor, "--file", file.name)
            invite = bob.invited()
            selector = attributes(invite.body, "file-selector")[0]
            self.assertIn(f'name:"{os.path.basename(file.name)}"', selector)
            self.assertIn("size:70000", selector)
            sha1 = ":".join(f"{b:02X}" for b in hashlib.sha1(content).digest())
            self.assertIn(f"hash:sha-1:{sha1}", selector)
            self.assertTrue(attributes(invite.body, "file-transfer-id")[0])
            session = bob.accept(invite)
            frame = session.msrp.take(lambda f: f.method == "SEND" and f.has_body)
            self.assertEqual(frame.get("Success-Report"), "yes")
            message = session.msrp.take_message(frame.get("Message-ID"))
            self.assertEqual(message.body, content)
            self.assertIsNone(alice.process.poll())  # it waits for the REPORT
            session.msrp.request("REPORT", frame.from_path, [("Message-ID", message.mid), ("Byte-Range", "1-70000/70000"), ("Status", "000 200 OK")])
            session.bye_came()
            self.assertEqual(alice.ended(), 0, alice.story())


class Talking(ClientCase):
    """Sessions between parley and a peer that judges, in both directions."""

    def chat(self, user="alice", *arguments, **how):
        return self.parley(user, "chat", "--json", *arguments, **how)

    def test_SEED1_7_1_1_1_SEED3_7_1_1_1_our_invitation_on_the_wire(self):
        bob = self.participant("bob")
        alice = self.chat("alice", bob.aor, flags=("--display-name", "Alice A"))
        invite = bob.invited()
        self.assertEqual(invite.get("accept-contact"), f"*;{TAG}")               # SEED3-7.1.1.1-1
        self.assertRegex(invite.get("user-agent"), VERSION)                      # SEED3-7.1.1.1-2
        allow = {m.strip() for m in invite.get("allow").split(",")}
        self.assertLessEqual({"INVITE", "ACK", "BYE", "CANCEL", "MESSAGE", "NOTIFY", "OPTIONS", "UPDATE"}, allow)  # SEED3-7.1.1.1-3
        self.assertIn(TAG, invite.contact.params)                                # SEED3-7.1.1.1-4
        self.assertNotIn(LARGE, invite.contact.params)
        self.assertIsNone(invite.get("privacy"))                                 # SEED3-7.1.1.1-5
        self.assertIn("timer", invite.get("supported"))                          # SEED3-7.1.1.1-6
        self.assertEqual(invite.get("session-expires").replace(" ", ""), "1800;refresher=uac")  # SEED3-7.1.1.1-7
        self.assertEqual(invite.from_.display.strip('"'), "Alice A")             # SEED3-7.1.1.1-9
        self.assertEqual(invite.get("content-type"), "application/sdp")          # SEED1-7.1.1.1-0
        session = bob.accept(invite)
        alice.event("session", state="open")
        alice.type("hello")
        heard = session.hear()
        self.assertEqual(heard.content, b"hello")
        session.say("hi alice", to="sip:alice@example.org")
        self.assertEqual(alice.event("message")["text"], "hi alice")
        session.leave()
        alice.event("session", state="ended")
        self.assertEqual(alice.ended(), 0, alice.story())

    def test_SEED0_8_2_2_1_our_answer_on_the_wire(self):
        bob = self.receiver()
        alice = self.participant("alice")
        tx = alice.call("sip:bob@example.org")
        response = tx.final()
        self.code(response, 200)
        self.assertTrue(response.to.tag)                                         # SEED0-8.2.2.1-5
        self.assertRegex(response.get("server"), VERSION)                        # SEED0-8.2.2.1-6
        self.assertIn("INVITE", response.get("allow"))                           # SEED0-8.2.2.1-7
        self.assertEqual(response.addresses("p-asserted-identity")[0].uri, "sip:bob@example.org") if response.get("p-asserted-identity") else None
        self.assertIn(TAG, response.contact.params)
        self.assertIn("refresher=uac", response.get("session-expires"))
        session = alice.answered(tx, response)
        bob.event("session", state="open")
        session.say("hello", to="sip:bob@example.org")
        message = bob.event("message")
        self.assertEqual((message["text"], message["from"], message["mode"]), ("hello", "sip:alice@example.org", "session"))
        session.leave()
        bob.event("session", state="ended")
        bob.stop()

    def test_SEED0_8_2_2_1_1_a_refusal_of_the_user(self):
        bob = self.chat("bob", "--ask")
        bob.event("registered")
        alice = self.participant("alice")
        tx = alice.call("sip:bob@example.org")
        tx.provisional(180)
        invited = bob.event("invited")
        self.assertFalse(invited["accepted"])
        bob.type(f"/decline {invited['session']}")
        response = self.code(tx.final(), 603)
        self.assertRegex(response.get("server"), VERSION)
        bob.stop()

    def test_SEED0_8_2_2_1_1_busy(self):
        bob = self.receiver("bob", flags=("--sessions-max", "1"))
        alice = self.participant("alice")
        session = alice.answered(alice.call("sip:bob@example.org"))
        self.code(alice.call("sip:bob@example.org").final(), 486)
        session.leave()
        bob.event("session", state="ended")
        second = alice.answered(alice.call("sip:bob@example.org"))
        second.leave()
        bob.stop()

    def test_a_call_that_is_cancelled(self):
        bob = self.chat("bob", "--ask")
        bob.event("registered")
        alice = self.participant("alice")
        tx = alice.call("sip:bob@example.org")
        tx.provisional(180)
        tx.cancel().final()
        self.code(tx.final(), 487)
        bob.event("session", state="ended")
        bob.stop()

    def test_we_leave_when_interrupted(self):
        bob = self.receiver()
        alice = self.participant("alice")
        session = alice.answered(alice.call("sip:bob@example.org"))
        bob.event("session", state="open")
        bob.process.terminate()
        session.bye_came()
        self.assertEqual(bob.ended(), 0)
        self.assertEqual(self.bindings(self.peer(user="bob")), {})  # and is not registered any more

    def test_OMA_DR_1_receipts_in_a_session(self):
        bob = self.receiver("bob", "--displayed")
        alice = self.participant("alice")
        session = alice.answered(alice.call("sip:bob@example.org"))
        mid = session.say("please tell me", to="sip:bob@example.org", sr="yes", cpim_headers=[
            ("NS", "imdn <urn:ietf:params:imdn>"), ("imdn.Message-ID", "m77"),
            ("imdn.Disposition-Notification", "positive-delivery, display")])
        report = session.msrp.take_request("REPORT", mid)
        self.assertEqual(report.get("Status"), "000 200 OK")
        for what in (b"<delivered", b"<displayed"):
            notification = session.hear()
            self.assertEqual(notification.mime["Content-Type"], "message/imdn+xml")
            self.assertIn(what, notification.content)
            self.assertIn(b"m77", notification.content)
            self.assertNotIn("imdn.Disposition-Notification", notification.headers)  # R5438-2
        session.leave()
        bob.stop()


class TwoOfUs(ClientCase):
    """parley with parley."""

    TRANSPORT = "udp"

    def media(self):
        return ()

    def pair(self, *arguments, **how):
        return self.receiver("bob", *arguments, transport=self.TRANSPORT, flags=self.media(), **how)

    def send(self, *arguments, **how):
        return self.parley("alice", "send", *arguments, transport=self.TRANSPORT, flags=self.media(), **how)

    def test_message_and_receipt(self):
        bob = self.pair()
        alice = self.send("--report", "sip:bob@example.org", "grüße")
        self.assertEqual(alice.ended(), 0, alice.story())
        self.assertEqual(bob.event("message")["text"], "grüße")
        bob.stop()

    def test_large_message(self):
        bob = self.pair()
        text = "0123456789" * 20_000
        alice = self.send("--report", "sip:bob@example.org", "-", stdin=text.encode())
        self.assertEqual(alice.ended(), 0, alice.story())
        self.assertEqual(bob.event("message", mode="large")["text"], text)
        bob.stop()

    def test_file(self):
        content = os.urandom(300_000)
        with tempfile.TemporaryDirectory() as into, tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(content)
            file.flush()
            bob = self.pair("--files", into)
            alice = self.send("sip:bob@example.org", "--file", file.name)
            self.assertEqual(alice.ended(), 0, alice.story())
            got = bob.event("file")
            self.assertTrue(got["good"], got)
            self.assertEqual(os.listdir(into), [os.path.basename(file.name)])
            with open(got["path"], "rb") as written:
                self.assertEqual(written.read(), content)
            bob.stop()

    def test_OMA_DR_1_what_is_no_text_is_delivered_where_it_is_kept(self):
        small, large = b"\x89PNG\r\n\x1a\n", os.urandom(5000)
        to_bob = ("--report", "sip:bob@example.org", "-", "--type", "image/png")
        for content in (small, large):
            bob = self.pair()  # a program has it in the event
            self.assertEqual(self.send(*to_bob, stdin=content).ended(), 0)
            self.assertEqual(base64.b64decode(bob.event("message", type="image/png")["base64"]), content)
            bob.stop()
            with tempfile.TemporaryDirectory() as into:
                bob = self.pair("--files", into)
                self.assertEqual(self.send(*to_bob, stdin=content).ended(), 0)
                message = bob.event("message")
                self.assertEqual(os.path.dirname(message["path"]), into)
                self.assertRegex(os.path.basename(message["path"]), r"^alice-2\d{7}T\d{6}Z\.png$")
                with open(message["path"], "rb") as file:
                    self.assertEqual(file.read(), content)
                bob.stop()

    def test_OMA_DR_1_what_is_no_text_and_has_no_place_is_refused(self):
        bob = self.parley("bob", "recv", transport=self.TRANSPORT, flags=self.media())
        bob.wait(lambda: any("registered" in line for line in bob.lines), "registered")
        for content in (b"\x89PNG", os.urandom(5000)):
            alice = self.send("--report", "sip:bob@example.org", "-", "--type", "image/png", stdin=content)
            self.assertIn(alice.ended(), (1, 4), alice.story())
            said = f"sip:alice@example.org: [image/png, {len(content)} bytes, not saved: --files names no place for it]"
            bob.wait(lambda said=said: said in bob.lines, said)
        bob.stop()

    def test_a_file_that_nobody_wants(self):
        bob = self.pair()
        alice = self.send("sip:bob@example.org", "--file", __file__)
        self.assertEqual(alice.ended(), 1, alice.story())
        bob.stop()

    def test_chat(self):
        bob = self.parley("bob", "chat", "--json", transport=self.TRANSPORT)
        bob.event("registered")
        alice = self.parley("alice", "chat", "sip:bob@example.org", "--json", transport=self.TRANSPORT)
        alice.event("session", state="open")
        alice.type("one\\")
        alice.type("two")
        self.assertEqual(bob.event("message")["text"], "one\ntwo")
        alice.event("delivery", status="displayed")
        bob.type("three")
        self.assertEqual(alice.event("message")["text"], "three")
        bob.event("delivery", status="displayed")
        alice.eof()
        self.assertEqual(alice.ended(), 0, alice.story())
        bob.event("session", state="ended")
        bob.stop()


class TwoOfUsByTcp(TwoOfUs):
    TRANSPORT = "tcp"


class BehindTheRelay(TwoOfUs):
    """Both behind parleyd's relay: AUTH, Use-Path, everything over those connections (R4976-2, R4976-9)."""

    def media(self):
        return ("--relay", self.server.uri())

    def test_R4976_2_a_wrong_password(self):
        self.pair()
        alice = Program(self, self.server.listeners("udp", "sip")[0], "alice", "wrong", "send", "sip:bob@example.org", "-",
                        flags=self.media(), stdin=b"x" * 5000)
        self.assertEqual(alice.ended(), 5, alice.story())


TEAM = "sip:team@example.org"


class ThroughTheFocus(ClientCase):
    """parley with the controlling function of parleyd, alone and with peers that judge."""

    FLAGS = ("--group", f"{TEAM}=alice,bob,carol", "--conference-factory", "sip:factory@example.org")

    def chat(self, user, *arguments):
        program = self.parley(user, "chat", "--json", *arguments)
        program.event("registered")
        return program

    def test_one_to_one(self):
        bob = self.chat("bob")
        alice = self.chat("alice", "sip:bob@example.org")
        alice.event("session", state="open")
        bob.event("session", state="open")
        both = {"sip:alice@example.org", "sip:bob@example.org"}
        bob.wait(lambda: any(set(e.get("users", ())) == both for e in bob.all if e["event"] == "roster"), "the roster of both")
        alice.type("hello")
        alice.event("sent", status=200)
        self.assertEqual(bob.event("message")["text"], "hello")
        bob.type("hi")
        self.assertEqual(alice.event("message")["text"], "hi")
        alice.eof()
        self.assertEqual(alice.ended(), 0, alice.story())
        bob.event("session", state="ended")
        bob.stop()

    def test_SEED3_7_1_1_1_13_a_group_its_roster_and_its_messages(self):
        bob, carol = self.chat("bob"), self.chat("carol")
        alice = self.chat("alice", "--group", TEAM)
        opened = alice.event("session", state="open")
        for other in (bob, carol):
            self.assertEqual(other.event("invited")["kind"], "group")
            other.event("session", state="open")
        everybody = {f"sip:{n}@example.org" for n in ("alice", "bob", "carol")}
        for one in (alice, bob, carol):
            one.wait(lambda one=one: any(set(e.get("users", ())) == everybody for e in one.all if e["event"] == "roster"), "the whole roster")
        self.assertTrue(opened["identity"].startswith("sip:"))
        alice.type("hello all")
        for other in (bob, carol):
            message = other.event("message")
            self.assertEqual((message["text"], message["from"]), ("hello all", "sip:alice@example.org"))
        carol.type("hello alice and bob")
        for other in (alice, bob):
            self.assertEqual(other.event("message", text="hello alice and bob")["from"], "sip:carol@example.org")
        carol.stop()
        alice.wait(lambda: any(set(e.get("users", ())) == everybody - {"sip:carol@example.org"} for e in alice.all if e["event"] == "roster"), "carol's leaving")
        alice.stop()
        bob.stop()

    def test_R5366_1_a_group_made_by_the_factory(self):
        bob, carol = self.chat("bob"), self.chat("carol")
        alice = self.parley("alice", "group", "create", "--json", "--subject", "lunch", "sip:bob@example.org", "sip:carol@example.org")
        for other in (bob, carol):
            self.assertEqual(other.event("invited").get("subject"), "lunch")
            other.event("session", state="open")
        alice.event("session", state="open")
        alice.type("noon?")
        for other in (bob, carol):
            self.assertEqual(other.event("message")["text"], "noon?")
        alice.stop()
        bob.stop()
        carol.stop()

    def test_OMA_SES_6_somebody_is_invited_later(self):
        bob, carol = self.chat("bob"), self.chat("carol")
        alice = self.parley("alice", "group", "create", "--json", "sip:bob@example.org")
        alice.event("session", state="open")
        bob.event("session", state="open")
        alice.type("/add sip:carol@example.org")
        self.assertIn(alice.event("referred")["status"], (200, 202))
        carol.event("session", state="open")
        carol.type("here I am")
        self.assertEqual(bob.event("message")["text"], "here I am")
        for one in (alice, bob, carol):
            one.stop()

    def test_with_a_peer_that_judges(self):
        bob = self.participant("bob")
        alice = self.chat("alice", "--group", TEAM)
        session = bob.accept()
        alice.event("session", state="open")
        alice.type("hello bob")
        heard = session.hear()
        self.assertEqual(heard.content, b"hello bob")
        self.assertEqual(heard.uri("From"), "sip:alice@example.org")
        session.say("hello alice")
        self.assertEqual(alice.event("message")["text"], "hello alice")
        session.leave()
        alice.stop()


class InATerminal(ClientCase):
    """What a person sees and types, by a pseudo terminal."""

    def terminal(self, term):
        own, theirs = pty.openpty()
        self.addCleanup(os.close, own)
        with tempfile.NamedTemporaryFile("w", suffix=".password", delete=False) as file:
            file.write("secret\n")
        self.addCleanup(os.unlink, file.name)
        address = self.server.listeners("udp", "sip")[0]
        command = [binary(), "--user", "sip:alice@example.org", "--password-file", file.name, "--server",
                   f"udp:{address[0]}:{address[1]}", "chat", "sip:bob@example.org"]
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(os.environ, TERM=term),
                                   start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(theirs)
        seen = bytearray()

        def until(text, seconds=15):
            deadline = time.monotonic() + seconds
            while text not in seen:
                self.assertLess(time.monotonic(), deadline, f"{text} did not come; {bytes(seen)}")
                if select.select([own], [], [], 0.2)[0]:
                    seen.extend(os.read(own, 4096))
            del seen[:seen.index(text) + len(text)]
        return process, lambda text: os.write(own, text), until

    def test_lines_are_edited_and_commands_completed(self):
        bob = self.parley("bob", "chat", "--json")
        bob.event("registered")
        process, write, until = self.terminal("xterm")
        until(b": open")
        write(b"hellp\x7fo bob\r")  # a mistake and its correction
        self.assertEqual(bob.event("message")["text"], "hello bob")
        until(b"[displayed]")
        write(b"/qu\t\r")
        self.assertEqual(process.wait(15), 0)
        bob.event("session", state="ended")
        bob.stop()

    def test_a_dumb_terminal_gets_plain_lines(self):
        bob = self.parley("bob", "chat", "--json")
        bob.event("registered")
        process, write, until = self.terminal("dumb")
        until(b": open")
        write(b"hello\n")
        self.assertEqual(bob.event("message")["text"], "hello")
        bob.type("hi \x1b[2J alice")
        until(b"sip:bob@example.org: hi ?[2J alice\r\n")  # nobody drives the terminal
        write(b"/quit\n")
        self.assertEqual(process.wait(15), 0)
        bob.stop()


class ServiceSettings(ClientCase):
    def test_SEED3_5_2_4_8_published_and_read_again(self):
        alice = self.parley("alice", "settings", "set", "--json", "session-barring=on", "invisible=on")
        self.assertEqual(alice.ended(), 0, alice.story())
        self.assertEqual(alice.event("published")["status"], 200)
        again = self.parley("alice", "settings", "get", "--json")
        self.assertEqual(again.ended(), 0, again.story())
        settings = again.event("settings")
        self.assertTrue(settings["session-barring"])
        self.assertTrue(settings["invisible"])
        self.assertFalse(settings["pager-barring"])
        self.assertTrue(settings["offline-delivery"])

    def test_barred_sessions_are_refused(self):
        self.assertEqual(self.parley("bob", "settings", "set", "session-barring=on").ended(), 0)
        bob = self.receiver()
        alice = self.parley("alice", "chat", "--json", "sip:bob@example.org")
        ended = alice.event("session", state="ended")
        self.assertTrue(ended["why"].startswith("403"), ended)
        self.assertEqual(alice.ended(), 1)
        bob.stop()
        self.assertEqual(self.parley("bob", "settings", "set", "session-barring=off").ended(), 0)

    def test_a_name_that_is_no_setting(self):
        self.assertEqual(self.parley("alice", "settings", "set", "loud=on").ended(), 2)


if __name__ == "__main__":
    unittest.main()
