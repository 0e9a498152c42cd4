"""test_strict_msrp.py - the tests' own judge is judged: good frames pass at every cut, each bad one fails."""
import unittest

from strict_msrp import Parser, Violation, parse_all

HEAD = (b"MSRP d93kswow SEND\r\nTo-Path: msrp://b.example:8888/9di4eae923wzd;tcp\r\n"
        b"From-Path: msrp://a.example:7777/iau39soe2843z;tcp\r\n")
GOOD = HEAD + (b"Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\nX-Thing: \xc3\xa4 b\r\nContent-Type: text/plain\r\n"
               b"\r\nHi, I'm Alice!\r\n\r\n-------d93kswow$\r\n")
RESPONSE = (b"MSRP d93kswow 200 OK\r\nTo-Path: msrp://a.example:7777/iau39soe2843z;tcp\r\n"
            b"From-Path: msrp://b.example:8888/9di4eae923wzd;tcp\r\n-------d93kswow$\r\n")
REPORT = (b"MSRP dkei38sd REPORT\r\nTo-Path: msrps://[::1]:7777/iau;tcp;x=y msrp://u@a.example;tcp\r\n"
          b"From-Path: msrp://b.example:8888/9di;tcp\r\nMessage-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\n"
          b"Status: 000 200 OK\r\n-------dkei38sd$\r\n")
CHALLENGE = (b"MSRP 49fh 401 Unauthorized\r\nTo-Path: msrps://a.example:9892/98cjs;tcp\r\n"
             b"From-Path: msrps://alice@intra.example.com;tcp\r\n"
             b'WWW-Authenticate: Digest realm="intra", qop="auth", nonce="dcd98b", algorithm=SHA-256\r\n'
             b'WWW-Authenticate: Digest realm="intra", qop="auth", nonce="dcd98b", algorithm=MD5, stale=TRUE\r\n'
             b"-------49fh$\r\n")


def send(body, byte_range, flag=b"$", extra=b""):
    return (HEAD + b"Message-ID: 12339sdqwer\r\nByte-Range: " + byte_range + b"\r\n" + extra +
            b"Content-Type: text/plain\r\n\r\n" + body + b"\r\n-------d93kswow" + flag + b"\r\n")


class StrictParser(unittest.TestCase):
    def test_good_frames_pass_at_every_cut(self):
        stream = GOOD + RESPONSE + REPORT + CHALLENGE + send(b"", b"1-0/0") + send(b"x", b"5-*/*", b"+")
        whole = parse_all(stream)
        self.assertEqual([f.method or f.code for f in whole], ["SEND", 200, "REPORT", 401, "SEND", "SEND"])
        self.assertEqual(whole[0].body, b"Hi, I'm Alice!\r\n")
        self.assertEqual(whole[0].byte_range, (1, 16, 16))
        self.assertEqual(whole[4].body, b"")
        self.assertEqual(whole[5].byte_range, (5, None, None))
        self.assertEqual(whole[2].to_path, ["msrps://[::1]:7777/iau;tcp;x=y", "msrp://u@a.example;tcp"])
        for cut in range(1, len(stream)):
            frames = []
            parser = Parser(frames.append)
            parser.feed(stream[:cut])
            parser.feed(stream[cut:])
            parser.close()
            self.assertEqual([f.body for f in frames], [f.body for f in whole], cut)
        self.assertEqual(len(parse_all(stream, piece=1)), 6)

    def test_end_line_look_alikes_are_data(self):
        body = b"\r\n-------d93kswow\r\n-------d93kswo$\r\n-------d93kswowx$\r\n--------d93kswow$\r\n-------d93kswow$x"
        for piece in (None, 1, 7):
            frames = parse_all(send(body, b"1-*/*"), piece)
            self.assertEqual(frames[0].body, body)

    def test_body_pieces_can_be_taken_away(self):
        taken = []
        frames = []
        parser = Parser(frames.append, lambda frame, piece: taken.append(bytes(piece)) or True)
        parser.feed(send(b"a" * 5000, b"1-5000/5000"))
        self.assertEqual(b"".join(taken), b"a" * 5000)
        self.assertEqual(frames[0].body_len, 5000)
        self.assertIsNone(frames[0].body)

    def test_each_deviation_is_a_violation(self):
        bad = {
            "lower case method": GOOD.replace(b" SEND", b" Send"),
            "other protocol": GOOD.replace(b"MSRP d", b"MSRQ d"),
            "text behind the method": GOOD.replace(b" SEND\r\n", b" SEND x\r\n"),
            "tid of 3": GOOD.replace(b"d93kswow", b"d93"),
            "tid of 33": GOOD.replace(b"d93kswow", b"d" * 33),
            "tid begins with -": GOOD.replace(b"d93kswow", b"-93kswow"),
            "tid with _": GOOD.replace(b"d93kswow", b"d93_swow"),
            "From-Path first": GOOD.replace(b"To-Path", b"Xx-Path").replace(b"From-Path", b"To-Path")
                                   .replace(b"Xx-Path", b"From-Path"),
            "To-Path not first": GOOD.replace(b"To-Path", b"A: b\r\nTo-Path"),
            "From-Path not second": GOOD.replace(b"From-Path", b"A: b\r\nFrom-Path"),
            "no From-Path": GOOD.replace(b"From-Path", b"X-Path"),
            "two To-Path": GOOD.replace(b"Message-ID", b"To-Path: msrp://a:1/b;tcp\r\nMessage-ID", 1),
            "no space after colon": GOOD.replace(b"Message-ID: ", b"Message-ID:"),
            "space before colon": GOOD.replace(b"Message-ID:", b"Message-ID :"),
            "folding": GOOD.replace(b"X-Thing: ", b"X-Thing: a\r\n b"),
            "control character in a header": GOOD.replace(b"X-Thing: ", b"X-Thing: \x01"),
            "broken UTF-8 in a header": GOOD.replace(b"\xc3\xa4", b"\xc3"),
            "two spaces in a path": GOOD.replace(b"To-Path: ", b"To-Path:  "),
            "URI without transport": GOOD.replace(b"wzd;tcp", b"wzd"),
            "URI of another scheme": GOOD.replace(b"To-Path: msrp:", b"To-Path: http:"),
            "bad Message-ID": GOOD.replace(b"12339sdqwer", b"1 2"),
            "Content-Type not last": GOOD.replace(b"X-Thing: \xc3\xa4 b\r\nContent-Type: text/plain",
                                                  b"Content-Type: text/plain\r\nX-Thing: b"),
            "Content-Type without subtype": GOOD.replace(b"text/plain", b"text"),
            "body without Content-Type": GOOD.replace(b"Content-Type: text/plain\r\n", b""),
            "Content-Type without a body": HEAD + b"Content-Type: text/plain\r\n-------d93kswow$\r\n",
            "MIME header without body": HEAD + b"Content-ID: <a@b>\r\n-------d93kswow$\r\n",
            "Byte-Range too small": send(b"abc", b"1-2/3"),
            "Byte-Range too large": send(b"abc", b"1-4/4"),
            "Byte-Range from 0": send(b"abc", b"0-2/3"),
            "Byte-Range backwards": send(b"abc", b"5-3/9"),
            "Byte-Range behind total": send(b"abc", b"1-3/2"),
            "Byte-Range without total": send(b"abc", b"1-3"),
            "Byte-Range with a star in front": send(b"abc", b"*-3/3"),
            "Failure-Report maybe": send(b"abc", b"1-3/3", extra=b"Failure-Report: maybe\r\n"),
            "Success-Report partial": send(b"abc", b"1-3/3", extra=b"Success-Report: partial\r\n"),
            "LF only": GOOD.replace(b"\r\n", b"\n"),
            "CR only": GOOD.replace(b"SEND\r\n", b"SEND\r"),
            "CRLF between frames": GOOD + b"\r\n" + RESPONSE,
            "end-line of another tid, no body": RESPONSE.replace(b"-------d93kswow", b"-------d93kswox"),
            "response cut": RESPONSE.replace(b"w$", b"w+"),
            "response with two-digit code": RESPONSE.replace(b" 200 ", b" 20 "),
            "response with a body": RESPONSE.replace(b"-------d", b"Content-Type: text/plain\r\n\r\nx\r\n-------d"),
            "REPORT without Status": REPORT.replace(b"Status: 000 200 OK\r\n", b""),
            "REPORT without Message-ID": REPORT.replace(b"Message-ID: 12339sdqwer\r\n", b""),
            "REPORT with a bad Status": REPORT.replace(b"000 200", b"200"),
            "REPORT with Success-Report": REPORT.replace(b"Status", b"Success-Report: no\r\nStatus"),
            "REPORT with Failure-Report": REPORT.replace(b"Status", b"Failure-Report: no\r\nStatus"),
            "REPORT cut": REPORT.replace(b"sd$", b"sd+"),
            "challenge without comma": CHALLENGE.replace(b'intra", qop', b'intra" qop'),
            "challenge folded": CHALLENGE.replace(b", qop", b",\r\n qop"),
            "Basic": CHALLENGE.replace(b"Digest", b"Basic"),
            "stream ends inside a frame": GOOD[:-1],
        }
        for name, stream in bad.items():
            for piece in (None, 1):
                with self.subTest(name, piece=piece), self.assertRaises(Violation):
                    parse_all(stream, piece)


if __name__ == "__main__":
    unittest.main()
