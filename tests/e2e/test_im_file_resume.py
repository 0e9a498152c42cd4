"""test_im_file_resume.py - a long file from one user to another, through the server: broken off in the middle, gone on with where
it broke, whole at the end, and in constant memory (OMA-FT-2, OMA-FT-4, RFC 5547 section 6, SEED4-6.1.1.2.2).

PARLEY_E2E_FILE_MIB: how long it is."""
import hashlib
import os
import sys
import time
import unittest

from peer import Peer, new_id
from server import MEMORY_CHECKS, Parleyd
from sip_base import SipCase

MIB = int(os.environ.get("PARLEY_E2E_FILE_MIB", "64"))
SIZE = (MIB << 20) + 4711
BREAK = SIZE // 2 + 12345  # so many bytes have come when his connection breaks
BLOCK = 1 << 20
IN_FLIGHT = 4
RSS_MAX = 128 << 20
IM = ("Accept-Contact", "*;+g.oma.sip-im")


class File:
    """Bytes that are never in memory together; no two blocks are the same."""

    def __init__(self):
        self.block = bytearray(os.urandom(BLOCK))

    def read(self, start, length):
        """From offset `start`, up to the end of its block."""
        number, at = divmod(start, BLOCK)
        self.block[0:8] = number.to_bytes(8, "big")
        return bytes(self.block[at:at + min(length, SIZE - start)])

    def hashes(self):
        sha1, sha256 = hashlib.sha1(), hashlib.sha256()
        for start in range(0, SIZE, BLOCK):
            piece = self.read(start, BLOCK)
            sha1.update(piece)
            sha256.update(piece)
        return sha1.hexdigest(), sha256.digest()


class Resume(SipCase):
    FLAGS = ("--pf-media-path", "always", "--one-to-one", "direct")

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*cls.FLAGS, sip=cls.SIP, msrp=("tcp:127.0.0.1:0",)).start()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob")
        self.file = File()
        self.sha1, self.sha256 = self.file.hashes()
        self.got, self.has = hashlib.sha256(), 0  # of the file, by bob

    def msrp(self):
        peer = Peer(self.server.tcp)
        peer.tolerate_cut = True
        self.peers.append(peer)
        return peer

    def description(self, path, direction, transfer, extra):
        colons = ":".join(self.sha1[i:i + 2].upper() for i in range(0, 40, 2))
        return (f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
                f"a={direction}\r\na=accept-types:*\r\na=setup:{'actpass' if direction == 'sendonly' else 'active'}\r\na=path:{path}\r\n"
                f'a=file-selector:name:"film.mkv" type:video/x-matroska size:{SIZE} hash:sha-1:{colons}\r\n'
                f"a=file-transfer-id:{transfer}\r\na=file-disposition:attachment\r\n{extra}").encode()

    def offers(self, alice, bob, extra=""):
        """A transfer that has begun: (her dialog, her media, its path), (his dialog, his media)."""
        a, b = self.msrp(), self.msrp()
        b.keep_messages = False
        b.sink = self.take
        self.frame, self.came = None, 0
        transfer = new_id()
        tx = alice.ask("INVITE", bob.aor, headers=[IM], body=self.description(a.uri, "sendonly", transfer, extra),
                       content_type="application/sdp")
        invite = bob.take_request("INVITE")
        offer = invite.body.decode()
        # OMA-FT-5: what describes the file comes as it was said.
        for line in self.description("", "sendonly", transfer, extra).decode().split("\r\n"):
            if line.startswith("a=file-"):
                self.assertIn(line + "\r\n", offer)
        to_bob = next(line for line in offer.split("\r\n") if line.startswith("a=path:"))[7:]
        dialog = invite.tx.accept(self.description(b.uri, "recvonly", transfer, extra))
        ok = self.code(tx.final(), 200)
        to_alice = next(line for line in ok.body.decode().split("\r\n") if line.startswith("a=path:"))[7:]
        self.assertNotIn(to_alice, (b.uri, to_bob))
        hers = tx.dialog(ok)
        hers.ack(tx)
        invite.tx.wait_ack()
        self.assertEqual(b.take_response(b.request("SEND", [to_bob], [("Message-ID", new_id()), ("Byte-Range", "1-0/0")])).code, 200)
        return (hers, a, to_alice), (dialog, b)

    def take(self, frame, piece):
        if frame is not self.frame:
            self.frame = frame
            assert frame.byte_range[0] == self.came + 1, (frame.byte_range, self.came)
        self.got.update(piece)
        self.has += len(piece)
        self.came += len(piece)  # of this message

    def sends(self, media, path, begin, until=lambda: False):
        """The file from that octet on, as one message whose own first octet is 1; its Message-ID and how much was written."""
        mid, whole, at, waiting = new_id(), SIZE - begin, 0, []
        while at < whole and not until():
            piece = self.file.read(begin + at, BLOCK)
            tid, _ = media.send([path], piece, mid=mid, sr="yes", content_type="video/x-matroska",
                                byte_range=f"{at + 1}-{at + len(piece)}/{whole}", flag="$" if at + len(piece) == whole else "+")
            at += len(piece)
            waiting.append(tid)
            while len(waiting) > IN_FLIGHT:
                self.assertEqual(media.take_response(waiting.pop(0), 120).code, 200)
        for tid in waiting if at == whole else ():
            self.assertEqual(media.take_response(tid, 120).code, 200)
        return mid, at

    def test_OMA_FT_4_broken_in_the_middle_and_gone_on_with(self):
        alice, bob = self.user("alice"), self.user("bob")
        began = time.monotonic()
        (dialog, a, path), (theirs, b) = self.offers(alice, bob, "a=file-range:1-*\r\n")

        def breaks():
            if self.has < BREAK:
                return False
            b.rst()
            return True

        _, written = self.sends(a, path, 0, breaks)
        self.assertLess(written, SIZE)
        theirs.bye()  # he does not want to come back to it
        alice.take_request("BYE")
        broken = time.monotonic() - began
        self.assertGreaterEqual(self.has, BREAK)
        self.assertLess(self.has, SIZE)
        has = self.has
        began = time.monotonic()
        before = self.server.metric("parley_msrp_end_body_bytes_total", direction="in")
        (dialog, a, path), (theirs, b) = self.offers(alice, bob, f"a=file-range:{has + 1}-{SIZE}\r\n")
        mid, written = self.sends(a, path, has)
        self.assertEqual(written, SIZE - has)
        b.wait(lambda: self.came == SIZE - has, "the rest", 60)
        last = b.take(lambda f: f.method == "SEND" and f.flag == "$" and f.get("Message-ID") == mid, "the end", 60)
        b.report(last, byte_range=f"1-{SIZE - has}/{SIZE - has}")
        report = a.take_request("REPORT", mid)
        self.assertTrue(report.get("Status").startswith("000 200"), report)
        dialog.bye()
        bob.take_request("BYE")
        resumed = time.monotonic() - began
        self.assertEqual(self.has, SIZE, "something came twice")
        self.assertEqual(self.server.metric("parley_msrp_end_body_bytes_total", direction="in") - before, SIZE - has)
        self.assertEqual(self.got.digest(), self.sha256)
        memory = self.server.memory()
        print(f"{self.id()}: {SIZE} bytes; {has} in {broken:.1f} s until it broke, {SIZE - has} in {resumed:.1f} s behind that; highest "
              f"resident size {memory['rss_max'] >> 10} KiB", file=sys.stderr)
        if MEMORY_CHECKS:
            self.assertLess(memory["rss_max"], RSS_MAX)


if __name__ == "__main__":
    unittest.main()
