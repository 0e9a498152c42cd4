"""test_im_abuse.py - what a hostile participant may try at the doors of the IM service while a room of three goes on: lists, REFERs,
subscriptions and messages that no honest client writes, and random mutations of the honest ones. The room goes on; nobody gets
what is not for him.
"""
import os
import random
import re
import socket
import unittest

from im_peer import cpim, mixed, recipients
from im_story import BARRED, FACTORY, SECRETS, TEAM, Story, aor, group_flags
from peer import new_id
from server import Parleyd

MUTATIONS = int(os.environ.get("PARLEY_MUTATIONS", "40"))
SEED = int(os.environ.get("PARLEY_SEED", "1"))
BARRED_BODY = BARRED.format("false").encode()


def mutated(rng, text):
    """`text` with something wrong in one to four places."""
    out = bytearray(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out))
        kind = rng.randrange(7)
        if kind == 0:
            out[at] = rng.randrange(256)
        elif kind == 1:
            del out[at:at + rng.randint(1, 40)]
        elif kind == 2:
            out[at:at] = bytes([rng.choice(b"\r\n\0 ;:<>\",%\xff=/@")]) * rng.choice((1, 2, 300))
        elif kind == 3:
            piece = out[at:at + rng.randint(1, 120)]
            out[at:at] = piece * rng.choice((1, 2, 20))
        elif kind == 4:
            lines = bytes(out).split(b"\r\n")
            a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            out[:] = b"\r\n".join(lines)
        elif kind == 5:
            numbers = list(re.finditer(rb"\d+", bytes(out)))
            if numbers:
                one = rng.choice(numbers)
                out[one.start():one.end()] = rng.choice((b"0", b"-1", b"4294967295", b"18446744073709551615", b"99999999999999999999", b"2147483648"))
        else:
            lines = bytes(out).split(b"\r\n")
            a = rng.randrange(len(lines))
            del lines[a]
            out[:] = b"\r\n".join(lines)
        if not out:
            out[:] = text
    return bytes(out)


class Abuse(Story, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*group_flags(cls), sip=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"), msrp=("tcp:127.0.0.1:0",),
                             users=[f"{u}:{s}" for u, s in SECRETS.items()]).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @classmethod
    def address(cls):
        return cls.server.listeners("tcp", "sip")[0]

    @classmethod
    def servers(cls):
        return [cls.server]

    def room(self):
        alice, bob, carol = self.users("alice", "bob", "carol")
        return self.group_of(alice, [bob, carol])

    def goes_on(self, sessions):
        for speaker in sessions:
            self.everyone_hears(sessions, speaker, "still here " + new_id())

    def close(self, sessions):
        for session in sessions:
            session.leave()

    def test_names_in_lists_that_are_no_names(self):
        """OMA-GRP-8: what stands in a document does not become lines of a message, whatever it is."""
        sessions = self.room()
        dave, erin = self.users("dave", "erin")
        names = ["a&#13;&#10;X-Evil: 1&#13;&#10;&#13;&#10;b", "a\nb", "\t&#127;&quot;\\", "x" * 15_000, "ü" * 7_000]
        for name in names:
            body = recipients([erin.aor, aor("frank")]).decode().replace("/>", f"><display-name>{name}</display-name></entry>", 1)
            tx = dave.call(f"{FACTORY};sessiontype=adhoc", body.encode())
            invite = erin.invited()
            self.assertIsNone(invite.get("x-evil"), invite.show())
            invite.tx.respond(486)
            self.assertIn(tx.final().code, (480, 486))
        long = recipients([f"{erin.aor};x={'y' * 1_500}"])
        self.assertEqual(dave.call(f"{FACTORY};sessiontype=adhoc", long).final().code, 404)
        self.goes_on(sessions)
        self.close(sessions)

    def test_a_refer_that_names_nobody(self):
        """OMA-SES-7: 404, for bringing in and for making go."""
        a, b, c = sessions = self.room()
        for more in (";method=BYE", ""):
            self.assertEqual(b.refer(f"sip:{'x' * 1100}@example.org{more}").code, 404)
        self.goes_on(sessions)
        self.close(sessions)

    def test_content_whose_line_never_ends(self):
        """T-78: a CPIM message without the blank line behind its content's headers, cut inside of what is its content."""
        a, b, c = sessions = self.room()
        head = f"From: <{a.member.aor}>\r\nTo: <{a.focus}>\r\n\r\nContent-Type: text/plain\r\n".encode()
        for size in (3, 300, 6000):
            text = head + b"z" * size + b"end"
            cut = len(text) - 3
            mid = new_id()
            for start, piece, flag in ((1, text[:cut], "+"), (cut + 1, text[cut:], "$")):
                tid = new_id()
                a.msrp.raw(f"MSRP {tid} SEND\r\nTo-Path: {a.path}\r\nFrom-Path: {a.own_path}\r\nMessage-ID: {mid}\r\nByte-Range: "
                             f"{start}-{start + len(piece) - 1}/{len(text)}\r\nContent-Type: message/cpim\r\n\r\n".encode() + piece +
                             f"\r\n-------{tid}{flag}\r\n".encode())
                self.assertEqual(a.msrp.take_response(tid).code, 200)
            for session in (b, c):
                frame = session.msrp.wait(lambda: next((f for f in session.msrp.frames if f.method == "SEND" and f.has_body), None), "it")
                self.assertEqual(bytes(session.msrp.take_message(frame.get("Message-ID")).body), text)
        self.goes_on(sessions)
        self.close(sessions)

    # --- mutations

    @staticmethod
    def quietly(act):
        try:
            act()
        except Exception:
            pass

    def datagrams(self, seed, honest):
        """MUTATIONS of each request in `honest`, by UDP, while the room goes on."""
        host, port = self.server.listeners("udp", "sip")[0]
        rng = random.Random(seed)
        sessions = self.room()
        dave, erin = self.users("dave", "erin")
        inside, other = self.group_of(dave, [erin])
        for session in (inside, other):
            session.msrp.tolerate_cut = True
            # What is sent to a mutated Contact of his has odd names, which ends his reader: he is not judged.
            self.peers.remove(session.member.sip)
            self.addCleanup(self.quietly, session.member.sip.close)
        for session in (*sessions, inside, other):
            session.member.sip.auto["INVITE"] = lambda message: 486
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            at = f"{sock.getsockname()[0]}:{sock.getsockname()[1]}"
            for n in range(MUTATIONS):
                for text in honest(inside, at, n):
                    sock.sendto(mutated(rng, text)[:60_000], (host, port))
                if n % 50 == 49:
                    self.goes_on(sessions)
                try:
                    while True:
                        sock.recv(65536)
                except BlockingIOError:
                    pass
        self.goes_on(sessions)
        self.close(sessions)

    def test_mutations_of_requests_by_datagram(self):
        """Requests in the dialog of a participant, who is known by it alone, and those that begin something."""
        def request(method, target, dialog, at, n, headers=(), body=b"", kind=None):
            to = dialog.remote if dialog else f"<{target}>"
            own = dialog.local if dialog else "<sip:dave@example.org>;tag=m"
            call = dialog.call_id if dialog else f"m{n}{method}"
            lines = [f"{method} {target} SIP/2.0", f"Via: SIP/2.0/UDP {at};branch=z9hG4bKm{n}{method}{id(headers)}", "Max-Forwards: 70", f"From: {own}",
                     f"To: {to}", f"Call-ID: {call}", f"CSeq: {100000 + n} {method}", f"Contact: <sip:dave@{at}>;+g.oma.sip-im", *headers]
            if kind:
                lines.append(f"Content-Type: {kind}")
            lines.append(f"Content-Length: {len(body)}")
            return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

        class Named:
            def __init__(self, session):
                d = session.dialog
                self.local, self.remote, self.call_id = str(d.local), str(d.remote), d.call_id

        def honest(b, at, n):
            inside = Named(b)
            sdp = b.member.description(b.own_path, version=2)
            listed, kind = mixed([([("Content-Type", "application/sdp")], sdp), ([("Content-Type", "application/resource-lists+xml"),
                                 ("Content-Disposition", "recipient-list")], recipients([aor("erin"), aor("frank")]))])
            im = ("Accept-Contact: *;+g.oma.sip-im", "Supported: timer", "Session-Expires: 1800;refresher=uac", "Allow: INVITE, ACK, BYE")
            return [
                request("INVITE", TEAM, None, at, n, im, sdp, "application/sdp"),
                request("INVITE", f"{FACTORY};sessiontype=adhoc", None, at, n, (*im, "Require: recipient-list-invite"), listed, kind),
                request("INVITE", b.focus, inside, at, n, im, sdp, "application/sdp"),
                request("UPDATE", b.focus, inside, at, n, im),
                request("REFER", b.focus, inside, at, n, ("Refer-To: <sip:erin@example.org>",)),
                request("REFER", b.focus, inside, at, n, ("Refer-To: <sip:erin@example.org;method=BYE>", "Refer-Sub: false")),
                request("SUBSCRIBE", b.focus, inside, at, n, ("Event: conference;id=7", "Expires: 600", "Accept: application/conference-info+xml")),
                request("MESSAGE", b.focus, None, at, n, (f"Target-Dialog: {inside.call_id};local-tag=x;remote-tag=y",), b"hello", "text/plain"),
                request("OPTIONS", b.focus, inside, at, n),
                request("PRACK", b.focus, inside, at, n, ("RAck: 1 1 INVITE",)),
                request("PUBLISH", aor("dave"), None, at, n, ("Event: poc-settings", "Expires: 3600"), BARRED_BODY, "application/poc-settings+xml"),
            ]
        self.datagrams(SEED, honest)

    def test_mutations_of_requests_of_a_user(self):
        """With credentials, so that they come through to what they are for: bodies and headers of honest requests, mutated."""
        rng = random.Random(SEED + 1)
        sessions = self.room()
        dave = self.user("dave")
        erin = self.user("erin")
        for user in (erin, *(session.member for session in sessions)):
            user.sip.auto["INVITE"] = lambda message: 486
        documents = [("PUBLISH", dave.aor, BARRED_BODY, "application/poc-settings+xml", [("Event", "poc-settings"), ("Expires", "3600")]),
                     ("INVITE", f"{FACTORY};sessiontype=adhoc", None, None, [("Require", "recipient-list-invite")]),
                     ("INVITE", TEAM, dave.description(dave.own_path()), "application/sdp", []),
                     ("REFER", sessions[0].focus, recipients([aor("erin")]), "application/resource-lists+xml",
                      [("Refer-To", "<cid:l1@example.org>"), ("Content-ID", "<l1@example.org>"), ("Require", "multiple-refer")]),
                     ("MESSAGE", sessions[0].focus, b"hello", "text/plain", [])]
        for n in range(MUTATIONS):
            for method, uri, body, kind, headers in documents:
                if body is None:
                    sdp, listed = dave.description(dave.own_path()), recipients([aor("erin"), aor("frank")])
                    if rng.random() < 0.7:
                        listed = mutated(rng, listed)
                    else:
                        sdp = mutated(rng, sdp)
                    body, kind = mixed([([("Content-Type", "application/sdp")], sdp),
                                        ([("Content-Type", "application/resource-lists+xml"), ("Content-Disposition", "recipient-list")], listed)])
                else:
                    body = mutated(rng, body)
                tx = dave.sip.ask(method, uri, body=body, content_type=kind, headers=[*headers, ("Accept-Contact", "*;+g.oma.sip-im")],
                                  contact=dave.contact())
                response = tx.final(40)
                self.assertLess(response.code, 700)
                if response.code == 200 and method == "INVITE":
                    dialog = tx.dialog(response)
                    dialog.ack(tx)
                    dialog.bye()
            if n % 50 == 49:
                self.goes_on(sessions)
        self.goes_on(sessions)
        self.close(sessions)

    def test_mutations_of_what_goes_into_a_room(self):
        """SENDs, NICKNAMEs and REPORTs of a member, on connections of their own kind: whatever they do to themselves."""
        rng = random.Random(SEED + 2)
        a, b, c = sessions = self.room()
        dave, erin = self.users("dave", "erin")
        d, e = self.group_of(dave, [erin])
        e.msrp.tolerate_cut = d.msrp.tolerate_cut = True
        d.msrp.rst()
        d.hostile = None
        at, _, port = d.path.partition("://")[2].partition("/")[0].rpartition(":")
        d.msrp_address = (at, int(port))
        text = cpim(f"<{dave.aor}>", f"<{d.focus}>", b"hello " * 20)
        for n in range(MUTATIONS):
            sends = []
            tid = new_id()
            head = f"MSRP {tid} SEND\r\nTo-Path: {d.path}\r\nFrom-Path: {d.own_path}\r\nMessage-ID: {new_id()}\r\n"
            sends.append(f"{head}Byte-Range: 1-{len(text)}/{len(text)}\r\nSuccess-Report: yes;Include-Sent-Count\r\nContent-Type: message/cpim\r\n\r\n".encode() +
                         mutated(rng, text) + f"\r\n-------{tid}$\r\n".encode())
            cut = rng.randrange(1, len(text))
            sends.append(f"{head}Byte-Range: 1-*/{len(text)}\r\nContent-Type: message/cpim\r\n\r\n".encode() + mutated(rng, text[:cut]) +
                         f"\r\n-------{tid}+\r\n".encode() +
                         f"{head}Byte-Range: {cut + 1}-*/{len(text)}\r\nContent-Type: message/cpim\r\n\r\n".encode() + text[cut:] +
                         f"\r\n-------{tid}$\r\n".encode())
            sends.append(f"MSRP {tid} NICKNAME\r\nTo-Path: {d.path}\r\nFrom-Path: {d.own_path}\r\nUse-Nickname: \"Dave\"\r\n-------{tid}$\r\n".encode())
            sends.append(f"MSRP {tid} REPORT\r\nTo-Path: {d.path}\r\nFrom-Path: {d.own_path}\r\nMessage-ID: x\r\nByte-Range: 1-9/9\r\n"
                         f"Status: 000 413 no\r\n-------{tid}$\r\n".encode())
            with socket.create_connection(d.msrp_address, timeout=5) as sock:
                sock.setblocking(False)
                for send in sends:
                    try:
                        sock.send(mutated(rng, send) if rng.random() < 0.5 else send)
                    except OSError:
                        break
            # And on the connection that is bound, where they are a member's.
            if d.hostile is None:
                d.hostile = self.bound_anew(dave, d)
            try:
                for send in sends:
                    d.hostile.send(mutated(rng, send) if rng.random() < 0.3 else send)
                while d.hostile.recv(65536):
                    pass
                d.hostile = None
            except BlockingIOError:
                pass
            except OSError:
                d.hostile = None
            if n % 50 == 49:
                self.goes_on(sessions)
        self.goes_on(sessions)
        self.close(sessions)

    def bound_anew(self, user, session):
        """The MSRP session of a member on a plain socket; the one before is left."""
        host, _, port = session.path.partition("://")[2].partition("/")[0].rpartition(":")
        sock = socket.create_connection((host, int(port)), timeout=5)
        tid = new_id()
        sock.sendall(f"MSRP {tid} SEND\r\nTo-Path: {session.path}\r\nFrom-Path: {session.own_path}\r\nMessage-ID: {new_id()}\r\n-------{tid}$\r\n".encode())
        sock.recv(4096)
        sock.setblocking(False)
        self.addCleanup(sock.close)
        return sock


for name in [name for name in dir(Story) if name.startswith("test_")]:
    setattr(Abuse, name, None)  # the story itself is test_im_story's


if __name__ == "__main__":
    unittest.main()
