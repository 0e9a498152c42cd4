"""test_tshark.py - a whole text session on the wire as tshark sees it (its dissector reads one frame per segment)."""
import shutil
import unittest

import foreign
from base import RelayCase, path


@unittest.skipUnless(shutil.which("tshark"), "Debian package tshark is not installed")
@unittest.skipUnless(shutil.which("tcpdump"), "Debian package tcpdump is not installed")
class Wire(RelayCase):
    def test_tshark_finds_nothing_wrong(self):
        port = self.server.tcp[1]
        try:
            capture = foreign.Capture(port)
        except PermissionError as why:
            self.skipTest(f"no capture on the loopback device: {why}")
        self.addCleanup(capture.remove)
        a, b = self.pair()
        text = "text with ä and €, line one\r\nline two"
        for i in range(10):
            x, y = (a, b) if i % 2 else (b, a)
            tid, mid = x.send(path(x, y), f"{text} {i}".encode(), sr="yes",
                              content_type="text/plain;charset=utf-8")
            frame = y.take_request("SEND", mid)
            x.take_response(tid)
            y.report(frame)
            x.take_request("REPORT", mid)
        tid = a.request("NICKNAME", path(a, b), [("Use-Nickname", '"Alice"')])
        b.respond(b.take_request("NICKNAME"), 425, "Nickname usage failed")
        a.take_response(tid)
        tid, mid = a.send(path(a, b), b"the very last message")
        b.take_message(mid)
        a.take_response(tid)
        file = capture.end(b"the very last message")

        ours = f"tcp.srcport=={port}"
        # What TCP does on a busy machine (a second acknowledgement, say) is not ours to judge.
        bad = foreign.tshark(file, port, "-Y", f"{ours} and (_ws.malformed or (msrp and _ws.expert.severity >= 6291456)) "
                                               "and not tcp.analysis.flags")
        self.assertEqual(bad.strip(), "")
        fields = ("transaction.id", "method", "status.code", "to.path", "from.path", "byte.range", "cnt.flg")
        lines = foreign.tshark(file, port, "-Y", f"msrp and {ours}", "-T", "fields", "-E", "separator=|",
                               *(word for name in fields for word in ("-e", "msrp." + name))).splitlines()
        seen = [line.split("|") for line in lines]
        methods = {f[1] for f in seen if f[1]}
        codes = {f[2] for f in seen if f[2]}
        self.assertGreaterEqual(methods, {"SEND", "REPORT", "NICKNAME"})
        self.assertGreaterEqual(codes, {"401", "200", "425"})
        self.assertGreaterEqual(len([f for f in seen if f[1] == "SEND"]), 8)
        self.assertGreaterEqual(len(seen), 24)
        for tid, _, _, to_path, from_path, _, flag in seen:
            self.assertTrue(tid and to_path.startswith("msrp://") and from_path.startswith("msrp://"), seen)
            self.assertEqual(flag, "$")


if __name__ == "__main__":
    unittest.main()
