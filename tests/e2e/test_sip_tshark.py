"""test_sip_tshark.py - a representative run of SIP on the wire as tshark sees it: nothing malformed, no expert error."""
import shutil
import unittest

import foreign
from sip_base import SipCase, sdp

BOB = "sip:bob@example.org"


@unittest.skipUnless(shutil.which("tshark"), "Debian package tshark is not installed")
@unittest.skipUnless(shutil.which("tcpdump"), "Debian package tcpdump is not installed")
class Wire(SipCase):
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "ws:127.0.0.1:0")

    def setUp(self):
        super().setUp()
        self.ports = {kind: self.server.listeners(kind, "sip")[0][1] for kind in ("udp", "tcp", "ws")}
        self.a, self.b, self.c = self.peer("udp", "alice"), self.peer("tcp", "bob"), self.peer("ws", "carol")
        self.dialled = self.b.listener.port  # where the server may connect to by itself
        try:
            self.capture = foreign.Capture(filter=" or ".join(f"port {p}" for p in (*self.ports.values(), self.dialled)))
        except PermissionError as why:
            self.skipTest(f"no capture on the loopback device: {why}")
        self.addCleanup(self.capture.remove)

    def tshark(self, file, *arguments):
        how = [("udp", "sip"), ("tcp", "sip"), ("ws", "http")]
        decode = [w for kind, name in how
                  for w in ("-d", f"{'udp' if kind == 'udp' else 'tcp'}.port=={self.ports[kind]},{name}")]
        decode += ["-d", f"tcp.port=={self.dialled},sip"]
        return foreign.run_tshark(file, *decode, *arguments)

    def run_it(self):
        """Registrations, messages, a call with re-INVITE and UPDATE, a refused and a cancelled one, refusals."""
        a, b, c = self.a, self.b, self.c
        for peer in (a, b, c):
            self.code(peer.register(), 200)
        for x, y in ((a, b), (b, a), (a, c), (c, b)):
            self.code(x.message(y.aor, "text with ä and €\r\nline two".encode(), "text/plain;charset=utf-8"), 200)
            y.take_request("MESSAGE")
        tx = a.invite(BOB)
        invite = b.take_request("INVITE")
        invite.tx.respond(180)
        tx.provisional(180)
        theirs = invite.tx.accept()
        ours = tx.dialog(tx.final())
        ours.ack()
        again = ours.request("INVITE", body=sdp(number=2), content_type="application/sdp")
        b.take_request("INVITE").tx.accept(sdp(number=3))
        again.final()
        ours.ack(again)
        self.code(theirs.request("UPDATE", body=sdp(number=4), content_type="application/sdp").final(), 200)
        ours.bye()
        tx = a.invite(BOB)
        b.take_request("INVITE").tx.respond(486)
        self.code(tx.final(), 486)
        tx = a.invite(BOB)
        b.take_request("INVITE").tx.respond(180)
        tx.provisional(180)
        self.code(tx.cancel().final(), 200)
        self.code(tx.final(), 487)
        self.code(a.options(), 200)
        self.code(a.message("sip:nobody@example.org"), 404)
        self.code(a.ask("MESSAGE", BOB, max_forwards=0, body=b"x", content_type="text/plain").final(), 483)
        self.code(a.message(BOB, b"the very last message"), 200)

    def test_tshark_finds_nothing_wrong(self):
        self.run_it()
        file = self.capture.end(b"the very last message")
        ours = " or ".join(f"{'udp' if k == 'udp' else 'tcp'}.srcport=={p}" for k, p in self.ports.items())
        ours += f" or tcp.dstport=={self.dialled}"
        # What TCP does on a busy machine (a second acknowledgement, say) is not ours to judge.
        bad = self.tshark(file, "-Y", f"({ours}) and (_ws.malformed or ((sip or sdp or websocket) and "
                                      "_ws.expert.severity >= 6291456)) and not tcp.analysis.flags")
        self.assertEqual(bad.strip(), "")
        names = ("sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.CSeq", "sip.Via.branch", "sip.to.addr", "sip.from.tag")
        lines = self.tshark(file, "-Y", f"({ours}) and sip", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f",
                            *(w for name in names for w in ("-e", name))).splitlines()
        seen = [line.split("|") for line in lines]
        self.assertGreaterEqual({f[0] for f in seen if f[0]}, {"MESSAGE", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE"})
        self.assertGreaterEqual({f[1] for f in seen if f[1]},
                                {"180", "200", "401", "404", "407", "483", "486", "487"})
        for _, _, call, cseq, branch, to, _ in seen:
            self.assertTrue(call and cseq and branch and to, seen)
        bodies = self.tshark(file, "-Y", f"({ours}) and sdp", "-T", "fields", "-e", "sdp.owner.version").split()
        self.assertGreaterEqual(set(bodies), {"1"})
        self.assertGreaterEqual(len(bodies), 5)


if __name__ == "__main__":
    unittest.main()
