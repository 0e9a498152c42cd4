#!/usr/bin/python3
# tools/parley-load/test/sip_faults_test.py - a small SIP server with planted faults stands between the generator's ends:
# each fault must be found and named, and without a fault the run must be clean.
import base64
import hashlib
import json
import os
import re
import select
import socket
import subprocess
import threading
import unittest

PARLEY_LOAD = os.environ["PARLEY_LOAD"]
REALM = "test"
SECRET = "secret"


def header(text, name):
    found = re.search(rf"^{name}: *(.*)\r$", text, re.MULTILINE | re.IGNORECASE)
    return found.group(1) if found else None


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Server:
    """Registrar and stateless proxy. `fault(message, count)` gets every message that is about to be sent to the
    generator or taken from it, as text, and returns the texts to use instead; None closes the connection. `count` is
    how many of the same kind ("MESSAGE", "200 MESSAGE", ...) went before."""

    def __init__(self, transport, fault=None, challenge=()):
        self.fault = fault or (lambda kind, text, count: [text])
        self.challenge = set(challenge) | {"REGISTER"}
        self.seen = {}
        self.location = {}  # user -> (peer, contact)
        self.origin = {}    # our branch -> peer
        self.branches = 0
        self.stream = transport != "udp"
        self.websocket = transport == "ws"
        self.upgraded = set()
        self.pongs = 0
        self.main = socket.create_server(("127.0.0.1", 0)) if self.stream else socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if not self.stream:
            self.main.bind(("127.0.0.1", 0))
        self.port = self.main.getsockname()[1]
        self.connections = {}
        self.wake, self.wake_end = socket.socketpair()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def stop(self):
        self.wake_end.send(b"x")
        self.thread.join()
        for end in (self.main, self.wake, self.wake_end, *self.connections):
            end.close()

    def run(self):
        while True:
            readable, _, _ = select.select([self.main, self.wake, *self.connections], [], [])
            if self.wake in readable:
                return
            for end in readable:
                if end is self.main and self.stream:
                    self.connections[end.accept()[0]] = b""
                elif end is self.main:
                    data, peer = end.recvfrom(65536)
                    self.take(peer, data.decode("latin-1"))
                elif end in self.connections:
                    self.read(end)

    def read(self, end):
        try:
            data = end.recv(65536)
        except OSError:
            data = b""
        if not data:
            del self.connections[end]
            return end.close()
        self.connections[end] += data
        if self.websocket:
            return self.read_frames(end)
        while end in self.connections and (at := self.connections[end].find(b"\r\n\r\n")) >= 0:
            data = self.connections[end]
            size = at + 4 + int(header(data[:at + 4].decode("latin-1"), "Content-Length"))
            if len(data) < size:
                break
            self.connections[end] = data[size:]
            self.take(end, data[:size].decode("latin-1"))
        return None

    def read_frames(self, end):
        data = self.connections[end]
        if end not in self.upgraded:
            key = header(data.decode("latin-1"), "Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            end.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").encode())
            end.sendall(b"\x89\x01p")  # a ping; its pong is asked for below
            self.upgraded.add(end)
            data = b""
        while len(data) >= 6:
            size, at = data[1] & 127, 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            if len(data) < at + 4 + size:
                break
            mask, payload = data[at:at + 4], data[at + 4:at + 4 + size]
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
            data = data[at + 4 + size:]
            if payload == b"p":
                self.pongs += 1
            else:
                self.take(end, payload.decode("latin-1"))
        self.connections[end] = data

    def send_frame(self, peer, payload):
        """In two frames, and the second in two pieces."""
        for first, part in ((True, payload[:100]), (False, payload[100:])):
            size = bytes([len(part)]) if len(part) < 126 else b"\x7e" + len(part).to_bytes(2, "big")
            frame = bytes([0x01 if first else 0x80]) + size + part
            peer.sendall(frame[:50])
            peer.sendall(frame[50:])

    def send(self, peer, text):
        first = text.split(" ", 2)
        kind = first[0] if first[0] != "SIP/2.0" else first[1] + " " + header(text, "CSeq").split()[1]
        count = self.seen[kind] = self.seen.get(kind, -1) + 1
        for out in self.fault(kind, text, count):
            if out is None:
                self.connections.pop(peer, None)
                peer.close()
            elif self.websocket:
                self.send_frame(peer, out.encode("latin-1"))
            elif self.stream:
                peer.sendall(out.encode("latin-1"))
            else:
                self.main.sendto(out.encode("latin-1"), peer)

    def reply(self, peer, text, status, more=""):
        head = text[:text.index("\r\n\r\n") + 2].split("\r\n")
        kept = [line for line in head if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        self.send(peer, "\r\n".join([f"SIP/2.0 {status}", *kept, f"To: {header(text, 'To')};tag=s",
                                     more + "Content-Length: 0", "", ""]))

    def logged_in(self, peer, text, method):
        if method not in self.challenge:
            return True
        own = method == "REGISTER"
        line = header(text, "Authorization" if own else "Proxy-Authorization")
        if line:
            p = {k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|[^, ]+)', line)}
            ha1 = md5(f"{p['username']}:{REALM}:{SECRET}")
            want = md5(f"{ha1}:{p['nonce']}:{p['nc']}:{p['cnonce']}:auth:{md5(method + ':' + p['uri'])}")
            if p["response"] == want:
                return True
        name = "WWW" if own else "Proxy"
        self.reply(peer, text, "401 Unauthorized" if own else "407 Proxy Authentication Required",
                   f'{name}-Authenticate: Digest realm="{REALM}", nonce="n1", qop="auth", algorithm=MD5\r\n')
        return False

    def take(self, peer, text):
        first = text.split(" ", 2)
        if first[0] == "SIP/2.0":
            branch = re.search(r"branch=(\w+)", text).group(1)
            if branch in self.origin:
                self.send(self.origin[branch], re.sub(r"Via: .*\r\n", "", text, count=1))
            return None
        method, uri = first[0], first[1]
        if method != "ACK" and not self.logged_in(peer, text, method):
            return None
        user = re.match(r"sip:(?:(\w+)@)?", uri).group(1)
        if method == "REGISTER":
            user = re.search(r"sip:(\w+)@", header(text, "To")).group(1)
            self.location[user] = (peer, re.search("<(.*)>", header(text, "Contact")).group(1))
            return self.reply(peer, text, "200 OK", f"Contact: <{self.location[user][1]}>;expires=60\r\n")
        if user is None:
            return self.reply(peer, text, "200 OK")
        if user not in self.location:
            return self.reply(peer, text, "404 Not Found")
        if method == "INVITE":
            self.reply(peer, text, "100 Trying")
        self.branches += 1
        branch = "z9hG4bKs" + md5(re.search(r"branch=(\w+)", text).group(1))
        self.origin[branch] = peer
        there, contact = self.location[user]
        route = f"Record-Route: <sip:127.0.0.1:{self.port};lr>\r\n" if method == "INVITE" else ""
        text = re.sub("Route: .*\r\n", "", text)
        via = f"Via: SIP/2.0/X 127.0.0.1:{self.port};branch={branch}\r\n"
        text = re.sub(r"^(\w+) \S+ SIP/2.0\r\n", rf"\1 {contact} SIP/2.0\r\n{via}{route}", text)
        return self.send(there, text)


def at(kind, number, change):
    """A fault that `change`s the number-th message of a kind."""
    return lambda seen, text, count: change(text) if seen == kind and count == number else [text]


class SipFaults(unittest.TestCase):
    def load(self, mode, fault=None, *flags, transport="udp", challenge=()):
        server = Server(transport, fault, challenge)
        try:
            done = subprocess.run(
                [PARLEY_LOAD, "sip", mode, "--server", f"127.0.0.1:{server.port}", "--transport", transport, "--domain",
                 "example.org", "--users", "4", "--duration", "0.3", "--warmup", "0", "--drain", "2", "--setup-timeout",
                 "10", "--no-progress", "--json", "-", *flags], capture_output=True, text=True, timeout=60)
        finally:
            server.stop()
        self.assertTrue(done.stdout, done.stderr)
        self.assertEqual(server.pongs, len(server.upgraded))
        return done.returncode, json.loads(done.stdout.removeprefix("ready\n"))

    def clean(self, mode, fault=None, *flags, **more):
        status, result = self.load(mode, fault, *flags, **more)
        self.assertEqual((status, result["failures"]), (0, []), result)
        self.assertEqual(result["total"]["begun"], result["total"]["finished"], result)
        self.assertGreater(result["transactions"], 0)
        return result["total"]

    def found(self, counter, mode, fault, *flags, **more):
        status, result = self.load(mode, fault, *flags, **more)
        self.assertEqual(status, 1, result)
        self.assertGreater(result["total"][counter], 0, result)
        return result

    def test_without_a_fault_every_load_is_clean(self):
        for transport in ("udp", "tcp", "ws"):
            for mode in ("register", "message", "call", "options"):
                with self.subTest(mode=mode, transport=transport):
                    total = self.clean(mode, transport=transport)
                    self.assertEqual((total["retransmitted"], total["stray"], total["repeated"]), (0, 0, 0))

    def test_several_threads_and_sockets_an_open_loop_and_a_ringing_callee(self):
        self.clean("message", None, "--threads", "2", "--sockets", "0", "--window", "3")
        self.clean("message", None, "--rate", "200")
        total = self.clean("call", None, "--ring", "--hold", "0.1", "--rate", "50")
        self.assertEqual(total["provisional"], 2 * total["begun"])

    def test_every_registration_can_be_challenged_or_few(self):
        total = self.clean("register", None, "--challenge-each")
        self.assertEqual(total["challenged"], total["begun"])
        self.assertEqual(self.clean("register")["challenged"], 4)

    def test_a_proxy_that_asks_for_credentials_gets_them(self):
        for mode in ("message", "call"):
            self.assertGreater(self.clean(mode, challenge=("MESSAGE", "INVITE", "BYE"))["challenged"], 4)

    def test_a_wrong_secret_ends_the_set_up(self):
        server = Server("udp")
        try:
            done = subprocess.run([PARLEY_LOAD, "sip", "message", "--server", f"127.0.0.1:{server.port}", "--users", "2",
                                   "--password", "wrong", "--no-progress"], capture_output=True, text=True, timeout=60)
        finally:
            server.stop()
        self.assertEqual(done.returncode, 1)
        self.assertIn("was answered 401", done.stderr)

    def test_idle_users_are_registered_and_held(self):
        status, result = self.load("register", None, "--idle", "3", transport="tcp")
        self.assertEqual((status, result["mode"]), (0, "sip-idle"))

    def test_a_lost_request_is_sent_again(self):
        total = self.clean("message", at("MESSAGE", 2, lambda text: []))
        self.assertGreater(total["retransmitted"], 0)

    def test_a_lost_answer_makes_a_repetition(self):
        total = self.clean("message", at("200 MESSAGE", 2, lambda text: []))
        self.assertGreater(total["retransmitted"], 0)
        self.assertGreater(total["repeated"], 0)

    def test_a_lost_ack_makes_the_callee_repeat_its_answer(self):
        self.assertGreater(self.clean("call", at("ACK", 1, lambda text: []))["answers_again"], 0)

    def test_on_a_connection_a_lost_request_is_loss(self):
        self.found("lost", "message", at("MESSAGE", 2, lambda text: []), "--timeout", "0.5", transport="tcp")

    def test_a_missing_answer_is_told(self):
        self.found("unanswered", "message", at("200 MESSAGE", 2, lambda text: []), "--timeout", "0.5", transport="tcp")
        self.found("unanswered", "call", at("200 BYE", 2, lambda text: []), "--timeout", "0.5", transport="tcp")

    def test_a_changed_byte_is_corruption(self):
        def flip(text):
            place = text.index("\r\n\r\n") + 100
            return [text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1:]]
        result = self.found("corrupted", "message", at("MESSAGE", 2, flip))
        self.assertIn("differs at byte 97", result["notes"][0])
        self.found("corrupted", "call", at("INVITE", 2, flip))
        self.found("corrupted", "call", at("200 INVITE", 2, flip))

    def test_a_byte_too_few_is_corruption(self):
        self.found("corrupted", "message", at("MESSAGE", 2, lambda text: [text[:-1].replace("Length: 200", "Length: 199")]))

    def test_a_message_for_another_user_is_corruption(self):
        self.found("corrupted", "message", at("MESSAGE", 2, lambda text: [re.sub("sip:u[02]@", "sip:u1@", text, count=1)]))

    def test_a_second_delivery_is_duplication(self):
        again = at("MESSAGE", 2, lambda text: [text, text.replace("z9hG4bKs", "z9hG4bKx", 1)])
        self.found("duplicated", "message", again, "--allow-errors")
        self.found("duplicated", "message", at("MESSAGE", 2, lambda text: [text, text]), transport="tcp")

    def test_a_refusal_is_counted_by_status(self):
        def refuse(text):
            return [text.replace("200 OK", "480 No")]
        result = self.found("refused", "message", at("200 MESSAGE", 2, refuse))
        self.assertEqual(result["refusals"], {"480": 1})
        result = self.found("refused", "call", at("200 BYE", 2, refuse))
        self.assertEqual(result["refusals"], {"480": 1})

    def test_a_registration_that_is_not_listed_is_none(self):
        self.found("corrupted", "register", at("200 REGISTER", 2, lambda text: [re.sub("Contact: .*\r\n", "", text)]))

    def test_an_answer_with_a_foreign_via_is_malformed(self):
        def add(text):
            return [text.replace("\r\n", "\r\nVia: SIP/2.0/UDP proxy.example;branch=z9hG4bK1\r\n", 1)]
        self.found("bad_messages", "message", at("200 MESSAGE", 2, add), "--timeout", "0.5")

    def test_garbage_is_malformed(self):
        self.found("bad_messages", "message", at("200 MESSAGE", 2, lambda text: ["HTTP/1.1 200 OK\r\n\r\n"]), "--timeout",
                   "0.5")

    def test_what_a_websocket_breaks_is_told(self):
        self.found("bad_messages", "message", at("200 MESSAGE", 2, lambda text: [text.replace("SIP/2.0 ", "SIP/2.1 ")]),
                   "--timeout", "0.5", transport="ws")
        self.found("duplicated", "message", at("MESSAGE", 2, lambda text: [text, text]), transport="ws")

    def test_a_broken_connection_is_told(self):
        self.found("connections_lost", "message", at("200 MESSAGE", 2, lambda text: [None]), "--timeout", "0.5",
                   transport="tcp")


if __name__ == "__main__":
    unittest.main()
