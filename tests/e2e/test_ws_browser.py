"""test_ws_browser.py - the WebSocket object of a real browser as an MSRP client over wss (RFC 7977).

The page only opens, sends and keeps what comes; AUTH, SEND and the judging of frames are done here, by Peer, for which the
page is a socket. Chromium is driven as in test_browser.py; nothing is downloaded.
"""
import base64
import collections
import os
import threading
import unittest

import certificates
from base import RelayCase, SECRETS, path
from peer import Gone, Peer, new_id
from server import Parleyd
from strict_msrp import Parser
from test_browser import BROWSER, browser_with

PAGE = """
const sockets = {};
function open_socket(name, url) {
  const ws = new WebSocket(url, "msrp");
  ws.binaryType = "arraybuffer";
  const s = sockets[name] = {ws, got: [], waiting: null, closed: null};
  const wake = () => { if (s.waiting) { s.waiting(); s.waiting = null; } };
  ws.onmessage = (e) => { s.got.push(e.data); wake(); };
  ws.onclose = (e) => { s.closed = e.code; wake(); };
  return new Promise((done) => { ws.onopen = () => done(ws.protocol); ws.onerror = () => done(null); });
}
function send_text(name, text) { sockets[name].ws.send(text); }
function send_bytes(name, base64) { sockets[name].ws.send(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))); }
function send_blocks(name, head, block, count, tail) {
  sockets[name].ws.send(new Blob([head, ...Array(count).fill(block), tail]));
}
async function got(name, ms) {
  const s = sockets[name];
  if (!s.got.length && s.closed === null) {
    await new Promise((done) => { s.waiting = done; setTimeout(done, ms); });
  }
  const taken = s.got.map((data) => {
    if (typeof data === "string") return ["text", data];
    let bytes = "";
    const all = new Uint8Array(data);
    for (let i = 0; i < all.length; i += 8192) bytes += String.fromCharCode(...all.subarray(i, i + 8192));
    return ["binary", btoa(bytes)];
  });
  s.got = [];
  return {taken, closed: s.closed};
}
"""


class Page(Peer):
    """A Peer whose socket is a WebSocket object of the browser. Nothing is read but while the test waits."""

    def __init__(self, browser, url, name):
        self.browser, self.name, self.url = browser, name, url
        if browser.do("open_socket", name, url) != "msrp":
            raise Gone(f"the browser could not open {url}")
        self.kinds = []  # of the messages that came: text or binary
        self.scheme, self.auto, self.sink = "msrps", True, None
        host = base64.b32encode(os.urandom(8)).decode().rstrip("=").lower()
        self.uri = f"msrps://{host}.invalid:2855/{new_id()};ws"
        self.use_path, self.frames, self.messages = [], collections.deque(), {}
        self.trouble, self.closed, self.reset = None, False, False
        self.keep_messages, self._open_tids, self._theirs = True, collections.Counter(), set()
        self._changed = threading.Condition()
        self._parser = Parser(self._on_frame, self._on_body)

    def wait(self, ready, what, timeout=None):
        for _ in range(150):
            value = ready()
            if value:
                return value
            if self.closed:
                raise Gone(f"{self.name}: closed while waiting for {what}")
            answer = self.browser.do("got", self.name, 100)
            for kind, data in answer["taken"]:
                self.kinds.append(kind)
                self._parser.feed(data.encode() if kind == "text" else base64.b64decode(data))
                assert self._parser.frame is None, "a message that is not one frame"
            self.closed = answer["closed"] is not None
        raise AssertionError(f"{self.name}: {what} did not come; has {list(self.frames)[:10]}")

    def write(self, data, timeout=None):
        try:
            self.browser.do("send_text", self.name, bytes(data).decode())
        except UnicodeDecodeError:
            self.browser.do("send_bytes", self.name, base64.b64encode(bytes(data)).decode())

    def close(self):
        self.browser.run(f"sockets[{self.name!r}].ws.close()")
        self.check()


@unittest.skipUnless(BROWSER, "Debian package chromium is not installed")
class WsBrowser(RelayCase):
    MSRP = ("tls:127.0.0.1:0", "wss:127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        made = certificates.make(cls, "localhost", "example.org")
        cls.client_tls = certificates.client_context(made["ca"])
        cls.FLAGS = ("--tls-cert", made["cert"], "--tls-key", made["key"], "--ws-origin", "null")
        super().setUpClass()
        cls.browser = browser_with(cls, made["cert"], PAGE)
        cls.url = f"wss://localhost:{cls.server.listeners('wss')[0][1]}/"

    def page(self, name):
        page = Page(self.browser, self.url, name)
        self.peers.append(page)
        page.auth(self.server.uri("wss"), name, SECRETS[name], algorithm="SHA-256")
        return page

    def tls_user(self, name):
        peer = Peer(self.server.tls, tls=self.client_tls, server_name="localhost", name=name)
        self.peers.append(peer)
        peer.auth(self.server.uri("tls"), name, SECRETS[name], algorithm="SHA-256")
        return peer

    def pass_on(self, here, there, body):
        tid, mid = here.send(path(here, there), body, content_type="application/octet-stream")
        self.assertEqual(here.take_response(tid).code, 200)
        self.assertEqual(there.take_message(mid).body, body)

    def test_R7977_1_page_and_tls_client(self):
        alice, bob = self.page("alice"), self.tls_user("bob")
        for body in (b"hello", "ä € 😀\r\n".encode() * 50, bytes(range(256)), os.urandom(40000), os.urandom(300_000)):
            self.pass_on(alice, bob, body)
            self.pass_on(bob, alice, body)
        self.assertEqual(set(alice.kinds), {"text", "binary"})

    def test_R7977_1_page_to_page(self):
        alice, carol = self.page("alice"), self.page("carol")
        for i in range(5):
            self.pass_on(alice, carol, f"number {i}".encode())
            self.pass_on(carol, alice, f"number {i} too".encode())

    def test_T_77_a_file_in_one_message_of_the_browser(self):
        """Chromium sends a large Blob in fragments of its own; all of it is one SEND."""
        alice, bob = self.page("alice"), self.tls_user("bob")
        got = {"bytes": 0}

        def sink(_, piece):
            got["bytes"] += len(piece)

        bob.keep_messages, bob.sink = False, sink
        tid, mid, count, block = new_id(), new_id(), 320, "0123456789abcdef" * 4096
        head = (f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(alice, bob))}\r\nFrom-Path: {alice.uri}\r\nMessage-ID: {mid}\r\n"
                f"Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n")
        alice.note(head.encode())
        self.browser.do("send_blocks", "alice", head, block, count, f"\r\n-------{tid}$\r\n")
        self.assertEqual(alice.take_response(tid).code, 200)
        bob.take(lambda f: f.get("Message-ID") == mid and f.flag == "$", "the end of the file", 60)
        self.assertEqual(got["bytes"], count * len(block))

    def test_X_26_a_page_of_another_origin_is_refused(self):
        flags = [f if f != "null" else "https://chat.example.org" for f in self.FLAGS]
        with Parleyd(*flags, msrp=("wss:127.0.0.1:0",)) as strict:
            self.assertIsNone(self.browser.do("open_socket", "stranger", f"wss://localhost:{strict.listeners('wss')[0][1]}/"))
            self.assertEqual(strict.metric("parley_msrp_websockets_refused_total", reason="origin"), 1)


if __name__ == "__main__":
    unittest.main()
