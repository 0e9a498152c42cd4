#!/usr/bin/python3
"""parley-load chat against a small room of our own that loses, doubles, swaps, damages and returns messages.

What a load says about a server is worth nothing unless it also says what is wrong: each fault planted here must be found,
and the clean room must be found clean.
"""
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import unittest

LOAD = os.environ["PARLEY_LOAD"]


class Room:
    """SIP and MSRP of one room, one thread for each connection. `fault(number, member)` names what goes wrong."""

    def __init__(self, fault=lambda number, member: None, refuse=None, report=lambda number: 0):
        self.fault = fault
        self.report = report  # how many failure REPORTs the sender gets
        self.refuse = refuse
        self.lock = threading.Lock()
        self.members = {}  # our session-id -> [socket, peer path, name]
        self.number = 0
        self.held = {}
        self.seen_invites = 0
        self.sip = self.listen(self.serve_sip)
        self.msrp = self.listen(self.serve_msrp)

    def listen(self, serve):
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)

        def accept():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener

    def close(self):
        self.sip.close()
        self.msrp.close()

    # --- SIP
    def serve_sip(self, sock):
        data = b""
        while True:
            try:
                more = sock.recv(65536)
            except ConnectionResetError:
                return
            if not more:
                return
            data += more
            while b"\r\n\r\n" in data:
                head, _, rest = data.partition(b"\r\n\r\n")
                length = int(re.search(rb"(?im)^content-length:\s*(\d+)", head)[1])
                if len(rest) < length:
                    break
                data = rest[length:]
                self.on_request(sock, head.decode(), rest[:length].decode())

    def on_request(self, sock, head, body):
        method = head.split(" ")[0]
        if method in ("ACK", "SIP/2.0"):
            return
        lines = head.split("\r\n")[1:]
        keep = [line for line in lines if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        to = next(line for line in lines if line.startswith("To:"))
        status, extra, sdp = "200 OK", [], ""
        if method == "INVITE":
            self.seen_invites += 1
            if self.refuse and self.seen_invites > self.refuse[0]:
                status = self.refuse[1]
            else:
                session = f"s{self.seen_invites}"
                path = re.search(r"a=path:(\S+)", body)[1]
                with self.lock:
                    self.members[session] = [None, path, re.search(r"<sip:(\w+)@", head)[1]]
                extra = ["Contact: <sip:room@127.0.0.1:%d;transport=tcp>;isfocus" % self.sip.getsockname()[1],
                         "Content-Type: application/sdp"]
                sdp = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 1 TCP/MSRP *\r\n"
                       "a=accept-types:message/cpim\r\na=path:msrp://127.0.0.1:%d/%s;tcp\r\n" % (self.msrp.getsockname()[1], session))
        answer = [f"SIP/2.0 {status}"] + keep + [to + ("" if "tag=" in to else ";tag=r")] + extra + [f"Content-Length: {len(sdp)}"]
        sock.sendall(("\r\n".join(answer) + "\r\n\r\n" + sdp).encode())

    # --- MSRP
    def serve_msrp(self, sock):
        data = b""
        try:
            while True:
                more = sock.recv(65536)
                if not more:
                    return
                data += more
                while True:
                    start = re.match(rb"MSRP (\S+) (\S+)", data)
                    end = start and data.find(b"-------" + start[1])
                    if not start or end < 0 or len(data) < end + len(start[1]) + 10:
                        break
                    size = end + 7 + len(start[1]) + 3
                    frame, data = data[:size], data[size:]
                    if start[2] == b"SEND":
                        self.on_send(sock, start[1].decode(), frame)
        except OSError:
            return

    def on_send(self, sock, tid, frame):
        to = re.search(rb"To-Path: (\S+)", frame)[1].decode()
        own = re.search(rb"From-Path: (\S+)", frame)[1].decode()
        session = re.search(r"/(\w+);tcp", to)[1]
        with self.lock:
            self.members[session][0] = sock
            sock.sendall(f"MSRP {tid} 200 OK\r\nTo-Path: {own}\r\nFrom-Path: {to}\r\n-------{tid}$\r\n".encode())
            if b"\r\n\r\n" not in frame:
                return
            self.number += 1
            body = frame.split(b"\r\n\r\n", 1)[1][: -(len(tid) + 12)]
            message_id = re.search(rb"Message-ID: (\S+)", frame)[1].decode()
            for again in range(self.report(self.number)):
                sock.sendall(f"MSRP R{tid}{again} REPORT\r\nTo-Path: {own}\r\nFrom-Path: {to}\r\nMessage-ID: {message_id}\r\n"
                             f"Byte-Range: 1-{len(body)}/{len(body)}\r\nStatus: 000 408 Timeout\r\n-------R{tid}{again}$\r\n".encode())
            for index, (other, member) in enumerate(sorted(self.members.items())):
                fault = self.fault(self.number, index)
                if member[0] is None or (other == session and fault != "echo"):
                    continue
                self.deliver(member, other, body, message_id, fault)

    def deliver(self, member, session, body, message_id, fault):
        if fault == "lose":
            return
        if fault == "damage":
            body = body[:-1] + b"~"
        tid = f"T{self.number:07}"
        pieces = [(1, body, "$")] if fault != "chunk" else [(1, body[:100], "+"), (101, body[100:], "$")]
        wire = b""
        for start, piece, flag in pieces:
            wire += (f"MSRP {tid} SEND\r\nTo-Path: {member[1]}\r\nFrom-Path: msrp://127.0.0.1:{self.msrp.getsockname()[1]}/{session};tcp\r\n"
                     f"Message-ID: {message_id}\r\nByte-Range: {start}-{start + len(piece) - 1}/{len(body)}\r\nFailure-Report: no\r\n"
                     f"Content-Type: message/cpim\r\n\r\n").encode() + piece + f"\r\n-------{tid}{flag}\r\n".encode()
        if fault == "swap":  # comes after the next one
            self.held[session] = wire
            return
        wire = wire * (2 if fault == "double" else 1) + self.held.pop(session, b"")
        member[0].sendall(wire)


class Faults(unittest.TestCase):
    def run_load(self, fault=lambda number, member: None, refuse=None, more=(), report=lambda number: 0):
        room = Room(fault, refuse, report)
        self.addCleanup(room.close)
        with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
            done = subprocess.run([LOAD, "chat", "--server", "127.0.0.1:%d" % room.sip.getsockname()[1], "--domain", "example.org",
                                   "--members", "5", "--senders", "2", "--rate", "50", "--duration", "0.6", "--warmup", "0.1",
                                   "--drain", "0.5", "--no-progress", "--json", out.name, *more],
                                  capture_output=True, text=True, timeout=60)
            text = out.read()
        return done, json.loads(text) if text else None

    def test_clean_room(self):
        done, result = self.run_load()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(result["window"]["delivered"], 50)
        self.assertEqual(result["total"]["lost"], 0)
        self.assertEqual(result["joined"], 5)

    def test_chunked_delivery_is_put_together(self):
        done, _ = self.run_load(lambda number, member: "chunk")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def found(self, fault, field, at_least=1):
        done, result = self.run_load(lambda number, member: fault if number % 10 == 5 and member == 3 else None)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertGreaterEqual(result["total"][field], at_least, result["total"])

    def test_loss(self):
        self.found("lose", "lost")

    def test_loss_at_the_end(self):
        done, result = self.run_load(lambda number, member: "lose" if number > 20 and member == 2 else None)
        self.assertEqual(done.returncode, 1)
        self.assertGreater(result["total"]["lost"], 5)

    def test_double(self):
        self.found("double", "repeated")

    def test_swapped(self):
        # Of one sender: the two take turns, so only a burst holds neighbours.
        done, result = self.run_load(lambda number, member: "swap" if number % 10 == 5 and member == 3 else None, more=("--burst", "4"))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertGreaterEqual(result["total"]["repeated"], 1, result["total"])

    # What a member that has stopped reading does not get: its sender hears of it once, and of nothing else.
    STALLED = ("--stalled", "20", "--failure-report", "yes")

    @staticmethod
    def behind(number, member):
        return "lose" if 10 < number < 20 and member == 4 else None

    def test_missed_and_told(self):
        done, result = self.run_load(self.behind, more=self.STALLED, report=lambda number: int(10 < number < 20))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(result["total"]["stalled_missed"], 9)
        self.assertEqual(result["total"]["failure_reports"], 9)

    def test_missed_and_not_told(self):
        done, result = self.run_load(self.behind, more=self.STALLED, report=lambda number: int(10 < number < 17))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(result["total"]["reports_missing"], 3)

    def test_told_and_not_missed(self):
        done, result = self.run_load(self.behind, more=self.STALLED, report=lambda number: int(10 < number < 22))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(result["total"]["reports_wrong"], 2)

    def test_told_twice(self):
        done, result = self.run_load(self.behind, more=self.STALLED, report=lambda number: 2 if 10 < number < 20 else 0)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(result["total"]["reports_repeated"], 9)

    def test_damage(self):
        self.found("damage", "corrupted")

    def test_echo(self):
        done, result = self.run_load(lambda number, member: "echo" if number % 10 == 5 else None)
        self.assertEqual(done.returncode, 1)
        self.assertGreaterEqual(result["total"]["echoed"], 1)

    def test_join_refused(self):
        done, _ = self.run_load(refuse=(3, "486 Busy Here"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("486", done.stderr)

    def test_group_documents(self):
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run([LOAD, "chat", "--server", "127.0.0.1:1", "--domain", "example.org", "--rooms", "2", "--members", "7",
                                   "--write-groups", place], timeout=30)
            self.assertEqual(done.returncode, 0)
            with open(os.path.join(place, "room1.xml"), encoding="utf-8") as file:
                text = file.read()
            self.assertIn('uri="sip:room1@example.org"', text)
            self.assertIn("<max-participant-count>7<", text)


if __name__ == "__main__":
    unittest.main()
