"""test_im_files.py - a file or a large message for several, through the real server, seen by parties that know nothing of it
(OMA-FT-7, OMA-LRG-2, OMA-LRG-3; RFC 5547)."""
import hashlib
import random
import unittest

from im_peer import TAG, Participant, Session, attributes, recipients
from im_story import FACTORY, SECRETS, aor, group_flags
from peer import new_id
from server import Parleyd

SIZE = 6 * 1024 * 1024
CHUNK = 256 * 1024
FILE = (f'a=sendonly\r\na=file-selector:name:"cat.jpg" type:image/jpeg size:{SIZE}\r\n'
        "a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\r\n")
LARGE = f"{TAG}.large-message"


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*group_flags(cls), "--distribution-wait", "2s", sip=("tcp:127.0.0.1:0",), msrp=("tcp:127.0.0.1:0",),
                             users=[f"{u}:{s}" for u, s in SECRETS.items()]).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.peers = []
        self.content = random.Random(7).randbytes(SIZE)

    def tearDown(self):
        for peer in self.peers:
            peer.register(0, contacts=["*"])
            peer.close()
        if self.server.process.poll() is not None:
            self.fail(f"parleyd has ended:\n{self.server.tail()}")

    def users(self, *names):
        return [Participant(self, self.server.listeners("tcp", "sip")[0], name, SECRETS[name]) for name in names]

    def takes(self, who, request=None):
        """Accepts an offer to receive; the session, its media connected."""
        request = request or who.invited()
        own = who.own_path()
        dialog = request.tx.accept(body=who.description(own, types="*", more="a=recvonly\r\n"), headers=[("Server", "IM-client/OMA1.0 test/1")])
        request.tx.wait_ack()
        session = Session(who, dialog, own, request.body)
        session.invite = request
        return session.connect()

    def writes(self, session, content_type="image/jpeg", sr="yes", headers=()):
        """All of it, chunk after chunk; the Message-ID."""
        mid = new_id()
        for start in range(0, len(self.content), CHUNK):
            piece = self.content[start:start + CHUNK]
            tid, _ = session.msrp.send(session.path, piece, mid=mid, sr=sr, content_type=content_type, headers=headers,
                                       byte_range=f"{start + 1}-{start + len(piece)}/{len(self.content)}",
                                       flag="$" if start + CHUNK >= len(self.content) else "+")
            self.assertEqual(session.msrp.take_response(tid, 30).code, 200)
        return mid

    def has_all(self, session, mid):
        message = session.msrp.take_message(mid, 40)
        self.assertEqual(hashlib.sha256(bytes(message.body)).digest(), hashlib.sha256(self.content).digest())

    def test_OMA_FT_7_a_list_gets_a_file(self):
        alice, bob, carol, dave, erin = self.users("alice", "bob", "carol", "dave", "erin")
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([p.aor for p in (bob, carol, dave, erin)] + [aor("frank")]), more=FILE)
        first = self.takes(bob)
        self.assertIn(f'name:"cat.jpg" type:image/jpeg size:{SIZE}', attributes(first.answer, "file-selector")[0])
        self.assertEqual(attributes(first.answer, "sendonly"), [""])
        second = self.takes(carol)
        dave.invited().tx.respond(603)
        ringing = erin.invited()
        ringing.tx.respond(180)  # and never answers: she is cancelled, frank has no device
        third = alice.answered(tx)
        ringing.tx.wait_cancel()
        self.assertEqual(attributes(third.answer, "recvonly"), [""])
        self.assertEqual(attributes(third.answer, "file-transfer-id"), ["vBnG916bdberum2fFEABR1FR3ExZMUrd"])
        self.assertNotIn("isfocus", third.response.contact.params)
        mid = self.writes(third)
        for session in (first, second):
            self.has_all(session, mid)
        report = third.msrp.take_request("REPORT", mid)
        self.assertEqual(report.get("Status"), "000 200 OK")
        self.assertEqual(report.byte_range, (1, SIZE, SIZE))
        third.leave()
        for session in (first, second):
            session.bye_came()

    def test_OMA_FT_7_the_slowest_sets_the_pace_and_nothing_is_lost(self):
        size = 48 * 1024 * 1024  # more than the kernel takes for somebody
        self.content = random.Random(8).randbytes(size)
        alice, bob, carol = self.users("alice", "bob", "carol")
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor, carol.aor]), more=FILE.replace(str(SIZE), str(size)))
        first, second = self.takes(bob), self.takes(carol)
        ours = alice.answered(tx)
        second.msrp.pause()
        mid, tid = new_id(), new_id()
        text = (f"MSRP {tid} SEND\r\nTo-Path: {ours.path}\r\nFrom-Path: {ours.own_path}\r\nMessage-ID: {mid}\r\n"
                f"Byte-Range: 1-{size}/{size}\r\nSuccess-Report: yes\r\nContent-Type: image/jpeg\r\n\r\n").encode()
        ours.msrp.note(text)
        text += self.content + f"\r\n-------{tid}$\r\n".encode()
        sent = ours.msrp.write_until_blocked(text, 2)
        self.assertLess(sent, len(text), "nobody waits for carol")
        second.msrp.resume()
        ours.msrp.write(text[sent:], 40)
        for session in (first, second):
            self.has_all(session, mid)
        self.assertEqual(ours.msrp.take_request("REPORT", mid, 30).get("Status"), "000 200 OK")
        ours.leave()
        first.bye_came()

    def test_OMA_FT_7_who_leaves_early_leaves_the_others_theirs(self):
        alice, bob, carol = self.users("alice", "bob", "carol")
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor, carol.aor]), more=FILE)
        first, second = self.takes(bob), self.takes(carol)
        ours = alice.answered(tx)
        mid = new_id()
        half = SIZE // 2
        tid, _ = ours.msrp.send(ours.path, self.content[:half], mid=mid, sr="yes", content_type="image/jpeg",
                                byte_range=f"1-{half}/{SIZE}", flag="+")
        self.assertEqual(ours.msrp.take_response(tid, 30).code, 200)
        second.leave()
        tid, _ = ours.msrp.send(ours.path, self.content[half:], mid=mid, sr="yes", content_type="image/jpeg",
                                byte_range=f"{half + 1}-{SIZE}/{SIZE}")
        self.assertEqual(ours.msrp.take_response(tid, 30).code, 200)
        self.has_all(first, mid)
        self.assertEqual(ours.msrp.take_request("REPORT", mid).get("Status"), "000 200 OK")
        ours.leave()
        first.bye_came()

    def test_OMA_LRG_3_a_large_message_for_a_list(self):
        alice, bob, carol = self.users("alice", "bob", "carol")
        for who in (bob, carol):
            self.assertEqual(who.sip.register(3600, contacts=[who.sip.contact_header(f";{TAG};{LARGE}")]).code, 200)
        headers = tuple((n, v if n != "Accept-Contact" else f"*;{LARGE}") for n, v in alice.HEADERS)
        alice.HEADERS = headers
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor, carol.aor]), more="a=sendonly\r\n")
        sessions = [self.takes(bob), self.takes(carol)]
        for session in sessions:
            self.assertIn(LARGE, session.invite.get("accept-contact"))
            self.assertIn(LARGE, session.invite.contact.params)
        ours = alice.answered(tx)
        mid = self.writes(ours, content_type="text/plain")
        for session in sessions:
            self.has_all(session, mid)
        ours.leave()
        for session in sessions:
            session.bye_came()

    def test_OMA_FT_7_in_a_chat_it_goes_to_those_who_are_in_it(self):
        alice, bob, carol, dave = self.users("alice", "bob", "carol", "dave")
        chat = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor, carol.aor]))
        theirs = [bob.accept(), carol.accept()]
        ours = alice.answered(chat)
        tx = alice.call(ours.focus, more=FILE)
        receivers = [self.takes(bob), self.takes(carol)]
        sender = alice.answered(tx)
        mid = self.writes(sender)
        ours.say("meanwhile")
        for session in theirs:
            self.assertEqual(session.hear().content, b"meanwhile")
        for session in receivers:
            self.has_all(session, mid)
        sender.leave()
        for session in receivers:
            session.bye_came()
        ours.say("and after")
        for session in theirs:
            self.assertEqual(session.hear().content, b"and after")
        self.assertEqual(dave.call(ours.focus, more=FILE).final().code, 403)
        for session in (ours, *theirs):
            session.leave()


if __name__ == "__main__":
    unittest.main()
