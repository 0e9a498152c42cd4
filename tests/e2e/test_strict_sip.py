"""test_strict_sip.py - the tests' own judge and peers are judged: what is good passes, each single fault is found."""
import os
import unittest
from unittest import mock

import sip_peer
import sip_transaction
from sip_peer import SipPeer, read, sdp
from sip_wire import Loss
from strict_sip import Address, StreamReader, Via, Violation, challenge, judge_answer, parse_datagram, split_commas

GOOD = (b"INVITE sip:bob@b.example;x=%41 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bKabcdef;rport\r\n"
        b"v: SIP / 2.0 / TCP [::1]:5060 ;branch=z9hG4bK12 ; received=::1, SIP/2.0/WS x.invalid;branch=z9hG4bKq\r\n"
        b"Max-Forwards: 70\r\nFrom: \"A \\\" <b>, c\" <sip:alice@a.example>;tag=1\r\nTo: Bob B <sip:bob@b.example>\r\n"
        b"Call-ID: x<y>@z\r\nCSeq: 0009 INVITE\r\nContact: <sip:alice@127.0.0.1;ob>;+sip.instance=\"<urn:uuid:1>\"\r\n"
        b"Record-Route: <sip:127.0.0.1;lr>, <sip:p.example:5080;lr;x=y>\r\nSubject:\r\nX-Odd: \xc3\xa4 \t b\r\n folded\r\n"
        b"Supported: 100rel, timer\r\nContent-Type: text/plain;charset=\"utf-8\"\r\nContent-Length: 3\r\n\r\na\x00b")
RESPONSE = (b"SIP/2.0 401 \xd0\x9d\xd0\xb5\xd1\x82\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bKabcdef;rport=5062\r\n"
            b"From: <sip:alice@a.example>;tag=1\r\nTo: <sip:bob@b.example>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"
            b"WWW-Authenticate: Digest realm=\"a, b\", nonce=\"c\", algorithm=SHA-256, qop=\"auth\", stale=TRUE\r\n"
            b"Warning: 399 a.example \"odd\"\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\nContent-Length: 0\r\n\r\n")
REQUEST = RESPONSE.replace(b"SIP/2.0 401 \xd0\x9d\xd0\xb5\xd1\x82", b"REGISTER sip:b.example SIP/2.0").replace(
    b"rport=5062", b"rport").replace(b";tag=2", b"").replace(b"Call-ID", b"Max-Forwards: 7\r\nCall-ID")


class Judge(unittest.TestCase):
    def test_good_messages(self):
        message = parse_datagram(GOOD)
        self.assertEqual([v.sent_by for v in message.vias], ["127.0.0.1:5062", "[::1]:5060", "x.invalid:5060"])
        self.assertEqual(message.from_.display, '"A \\" <b>, c"')
        self.assertEqual(message.to.uri, "sip:bob@b.example")
        self.assertEqual(message.body, b"a\x00b")
        self.assertEqual(message.get("x-odd"), "ä \t b folded")
        self.assertEqual(message.contact.params["+sip.instance"], '"<urn:uuid:1>"')
        response = parse_datagram(RESPONSE)
        self.assertEqual(challenge(response.get("WWW-Authenticate"))["realm"], "a, b")

    def test_streams_at_every_cut(self):
        stream = b"\r\n\r\n" + GOOD + RESPONSE + b"\r\n" + GOOD
        for cut in range(1, len(stream)):
            found, pongs = [], []
            reader = StreamReader(found.append, lambda p=pongs: p.append(1))
            reader.feed(stream[:cut])
            reader.feed(stream[cut:])
            reader.close()
            self.assertEqual([m.method or m.code for m in found], ["INVITE", 401, "INVITE"])
            self.assertEqual(len(pongs), 3)

    def test_each_fault_is_found(self):
        for what, old, new in (
                ("two blanks", b" SIP/2.0\r\n", b"  SIP/2.0\r\n"), ("LF alone", b"70\r\n", b"70\n"),
                ("version", b" SIP/2.0\r\n", b" SIP/3.0\r\n"), ("brackets", b"sip:bob@b.example;x", b"<sip:bob@b>;x"),
                ("no colon", b"Subject:", b"Subject"), ("bad escape", b"%41", b"%4"),
                ("method", b"0009 INVITE", b"0009 MESSAGE"), ("cseq", b"0009", b"4294967296"),
                ("cookie", b"branch=z9hG4bKabcdef", b"branch=abcdef"), ("branch", b"z9hG4bKabcdef", b"z9hG4bK"),
                ("max-forwards", b"70", b"300"), ("no max-forwards", b"Max-Forwards: 70\r\n", b""),
                ("from tag", b";tag=1", b""), ("twice", b"Max-Forwards: 70", b"Max-Forwards: 70\r\nmax-forwards: 1"),
                ("length", b"Length: 3", b"Length: 4"), ("short length", b"Length: 3", b"Length: 2"),
                ("no type", b"Content-Type: text/plain;charset=\"utf-8\"\r\n", b""),
                ("quote", b"c\" <sip", b"c <sip"), ("utf-8", b"\xc3\xa4", b"\xc3"), ("control", b" \t b", b"\x01"),
                ("no lr", b";lr>,", b">,"), ("empty item", b"100rel, timer", b"100rel,, timer"),
                ("contacts", b"Contact: ", b"Contact: <sip:x@y>, "), ("star", b"Contact: <sip:alice@127.0.0.1;ob>", b"m: *"),
                ("question", b"Bob B <sip:bob@b.example>", b"sip:bob@b.example?a=b"), ("rport", b";rport", b";rport=0"),
                ("port", b"127.0.0.1:5062", b"127.0.0.1:99999"), ("received", b"received=::1", b"received=host")):
            with self.subTest(what):
                self.assertIn(old, GOOD)
                with self.assertRaises(Violation):
                    parse_datagram(GOOD.replace(old, new, 1))
        for what, old, new in (
                ("code", b"401", b"999"), ("no challenge", b"WWW-Authenticate", b"X-Authenticate"),
                ("to tag", b";tag=2", b""), ("nonce", b"nonce=\"c\", ", b""), ("quoted", b"SHA-256", b"\"SHA-256\""),
                ("unquoted", b"nonce=\"c\"", b"nonce=c"), ("warning", b"399 a.example", b"a.example"),
                ("date", b"GMT", b"EST"), ("allow", b"401", b"405"), ("408", b"401", b"408"), ("1xx", b"401", b"183")):
            with self.subTest(what):
                self.assertIn(old, RESPONSE)
                with self.assertRaises(Violation):
                    parse_datagram(RESPONSE.replace(old, new, 1))

    def test_answers(self):
        request, source = parse_datagram(REQUEST), ("127.0.0.1", 5062)
        judge_answer(request, parse_datagram(RESPONSE), source)
        for what, old, new in (
                ("branch", b"abcdef", b"abcdeF"), ("rport", b"rport=5062", b"rport=5063"), ("no rport", b";rport=5062", b""),
                ("received", b"rport=5062", b"rport=5062;received=127.0.0.2"), ("call", b"Call-ID: 1", b"Call-ID: 2"),
                ("cseq", b"CSeq: 1", b"CSeq: 2"), ("from", b"tag=1", b"tag=3"), ("to", b"To: <sip:bob@b", b"To: <sip:Bob@b"),
                ("vias", b"From:", b"Via: SIP/2.0/UDP x;branch=z9hG4bKxyz\r\nFrom:")):
            with self.subTest(what):
                self.assertIn(old, RESPONSE)
                with self.assertRaises(Violation):
                    judge_answer(request, parse_datagram(RESPONSE.replace(old, new, 1)), source)
        with self.assertRaises(Violation):
            judge_answer(request, parse_datagram(RESPONSE), ("127.0.0.9", 5062))

    def test_lists_and_addresses(self):
        self.assertEqual(split_commas('"a,b" <sip:c,d@e>, f'), ['"a,b" <sip:c,d@e>', "f"])
        self.assertEqual(Address("sip:a@b;tag=1").params, {"tag": "1"})
        self.assertEqual(Address('"<x>" <sip:a@b;u=v>;q=0.5').uri, "sip:a@b;u=v")
        self.assertEqual(Via("SIP/2.0/TLS h").sent_by, "h:5061")


class Peers(unittest.TestCase):
    """Two peers that talk to each other, without any server."""

    def setUp(self):
        self.peers = []
        self.addCleanup(lambda: [p.close() for p in self.peers])

    def pair(self, loss=None):
        b = SipPeer(("127.0.0.1", 9), "udp", "bob", loss=loss)
        a = SipPeer(b.flow.local, "udp", "alice", loss=loss)
        self.peers += [a, b]
        return a, b

    def test_message(self):
        a, b = self.pair()
        body = bytes(range(256))
        self.assertEqual(a.message("sip:bob@example.org", body, "application/octet-stream").code, 200)
        self.assertEqual(b.take_request("MESSAGE").body, body)

    def call(self, a, b):
        tx = a.invite(b.contact, auth=False)
        invite = b.take_request("INVITE")
        invite.tx.respond(180)
        tx.provisional(180)
        theirs = invite.tx.accept()
        ours = tx.dialog(tx.final())
        ours.ack()
        invite.tx.wait_ack()
        return ours, theirs

    def test_a_call_and_both_byes(self):
        a, b = self.pair()
        ours, theirs = self.call(a, b)
        self.assertEqual(theirs.request("INFO").final().code, 200)
        ours.bye()
        b.take_request("BYE")

    def test_cancel(self):
        a, b = self.pair()
        tx = a.invite(b.contact, auth=False)
        b.take_request("INVITE").tx.respond(180)
        tx.provisional(180)
        self.assertEqual(tx.cancel().final().code, 200)
        self.assertEqual(tx.final().code, 487)

    def test_with_a_fifth_of_the_datagrams_lost(self):
        with mock.patch.multiple(sip_transaction, T1=0.05, T2=0.4):
            self.lossy()

    def lossy(self):
        a, b = self.pair(Loss(0.2, 7))
        for i in range(3):
            self.assertEqual(a.message(b.contact, b"%d" % i).code, 200)
            self.assertEqual(b.take_request("MESSAGE").body, b"%d" % i)
        ours, _ = self.call(a, b)
        ours.bye()

    def test_faults_of_the_other_side_are_found(self):
        for change in (lambda m: m.replace(b"CSeq: 1 ", b"CSeq: 2 "), lambda m: m + m[:1],
                       lambda m: m.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx"), lambda m: m.replace(b";tag=", b";gat=")):
            a, b = self.pair()
            b.auto["MESSAGE"] = None
            tx = a.ask("MESSAGE", b.contact, auth=False)
            request = b.take_request("MESSAGE")
            b.raw(change(request.tx.compose(200)), request.source)
            with self.assertRaises(Violation):
                tx.final(5)
            a.trouble = None

    def test_two_finals(self):
        a, b = self.pair()
        b.auto["MESSAGE"] = None
        tx = a.ask("MESSAGE", b.contact, auth=False)
        request = b.take_request("MESSAGE")
        request.tx.respond(200)
        tx.final()
        request.tx.respond(480)
        with self.assertRaises(Violation):
            a.quiet(0.5)
        a.trouble = None

    def test_a_digest_by_the_book(self):
        """The example of RFC 7616 section 3.9.1, for SHA-256 and MD5."""
        for algorithm, wanted in (("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
                                  ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")):
            found = sip_peer.digest(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life",
                                    "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
                                    "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "/dir/index.html", "GET")
            self.assertEqual(found, wanted)

    def test_own_messages_are_good(self):
        a, _ = self.pair()
        for method in ("REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS"):
            headers = [("Event", "reg")] if method == "SUBSCRIBE" else []
            parse_datagram(a.compose(method, "sip:bob@example.org", headers=headers, body=sdp(),
                                     content_type="application/sdp").raw)
        self.assertEqual(read(a.compose("ACK", "sip:b@c").raw).body, b"")
        self.assertEqual(os.path.basename(sip_peer.__file__), "sip_peer.py")


if __name__ == "__main__":
    unittest.main()
