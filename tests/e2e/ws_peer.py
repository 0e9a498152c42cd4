"""ws_peer.py - an MSRP client over WebSocket (RFC 7977) for the end-to-end tests: Peer with RFC 6455 between it and the socket.

Nothing here knows parleyd. Each write of the test is one WebSocket message; what the server sends is judged as frames
first (unmasked, shortest lengths, text that is UTF-8, one MSRP frame in each message) and then goes to Peer's strict parser.
"""
import base64
import os
import threading

from peer import Gone, Peer
from strict_msrp import Violation
from ws_wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, NoAnswer, frame, handshake, new_key, read_head, what_is_wrong

class _Frames:
    """The server's frames, out of bytes that come in pieces: bytes of messages, and control frames."""

    def __init__(self, on_control):
        self.on_control = on_control
        self.buffer, self.opcode, self.message = bytearray(), None, bytearray()
        self.fragments = 0
        self.left, self.fin = 0, False  # of the data frame that is arriving
        self.messages = []  # (opcode, bytes, fragments) of the last ones

    def feed(self, data):
        """The payload bytes of messages in `data`, as early as they can be known."""
        self.buffer += data
        out = bytearray()
        while True:
            if self.opcode is not None and self.left:
                piece = bytes(self.buffer[:self.left])
                if not piece:
                    return bytes(out)
                del self.buffer[:len(piece)]
                self.left -= len(piece)
                out += piece
                self.message += piece
                if self.left or not self.fin:
                    continue
                self._end()
                continue
            if not self._header():
                return bytes(out)

    def _header(self):
        buffer = self.buffer
        if len(buffer) < 2:
            return False
        first, size, at = buffer[0], buffer[1], 2
        if first & 0x70 or size & 0x80:
            raise Violation(f"reserved bits or a masked frame from the server: {bytes(buffer[:8])!r}")
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return False
            size = int.from_bytes(buffer[2:at], "big")
            if size < (126 if at == 4 else 65536):
                raise Violation(f"a length not in its shortest form: {bytes(buffer[:at])!r}")
        opcode, fin = first & 0x0f, bool(first & 0x80)
        if opcode >= 8:
            if not fin or size > 125 or opcode > PONG:
                raise Violation(f"a bad control frame: {bytes(buffer[:2])!r}")
            if len(buffer) < at + size:
                return False
            payload = bytes(buffer[at:at + size])
            del buffer[:at + size]
            self.on_control(opcode, payload)
            return True
        if (opcode == CONTINUATION) != (self.opcode is not None) or opcode > BINARY:
            raise Violation(f"opcode {opcode} here")
        del buffer[:at]
        self.opcode = opcode or self.opcode
        self.fragments += 1
        self.left, self.fin = size, fin
        if not size and fin:
            self._end()
        return True

    def _end(self):
        whole, opcode = bytes(self.message), self.opcode
        if opcode == TEXT:
            try:
                whole.decode("utf-8")
            except UnicodeDecodeError:
                raise Violation(f"a text message that is not UTF-8: {whole[:80]!r}") from None
        tid = whole[5:whole.find(b" ", 5)]
        if not whole.startswith(b"MSRP ") or not whole.endswith(b"\r\n") or whole.rfind(b"-------" + tid) != len(whole) - 10 - len(tid):
            raise Violation(f"not one MSRP frame in a message: {whole[:200]!r} ... {whole[-60:]!r}")
        self.messages = self.messages[-200:] + [(opcode, len(whole), self.fragments)]
        self.opcode, self.message, self.fragments = None, bytearray(), 0


class WsPeer(Peer):
    def __init__(self, address, tls=None, server_name=None, path="/", origin=None, opcode=TEXT, sid=None, **how):
        """opcode: of the messages that are sent; a callable turns the bytes of one write into frames."""
        self.opcode = opcode
        self.close_code = None
        self.pongs, self.pings = [], 0
        self.ws = _Frames(self._control)
        self._how = (address, path, origin)
        super().__init__(address, tls=tls, server_name=server_name, sid=sid, **how)

    # Peer calls it when the socket is connected and nobody reads yet.
    def _connected(self):
        address, path, origin = self._how
        self.sock.setblocking(True)
        key = new_key()
        self.sock.sendall(handshake(f"{address[0]}:{address[1]}", key, path, origin))
        try:
            status, found, rest = read_head(self.sock)
        except NoAnswer as bad:
            raise Gone(str(bad)) from None
        if status != 101:
            raise Gone(f"the handshake was answered {status} {found}")
        if wrong := what_is_wrong(found, key, "msrp"):
            raise Violation(wrong)
        self.answer = found
        self.sock.setblocking(False)
        host = base64.b32encode(os.urandom(8)).decode().rstrip("=").lower()
        self.uri = f"{self.scheme}://{host}.invalid:2855/{self.uri.rpartition('/')[2].partition(';')[0]};ws"
        self._early = rest

    def _recv(self):
        data = self._early or super()._recv()
        self._early = b""
        if not data:
            return data
        return self.ws.feed(data) or None

    def _control(self, opcode, payload):
        with self._changed:
            if opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
            elif opcode == PING:
                self.pings += 1
            else:
                self.pongs.append(payload)
            self._changed.notify_all()
        if opcode == PING and threading.current_thread() is self._thread:
            self.frame(PONG, payload)

    def frame(self, opcode, payload=b"", fin=True, mask=True):
        super().write(frame(opcode, payload, fin, mask))

    def write(self, data, timeout=None):
        data = bytes(data)
        super().write(self.opcode(data) if callable(self.opcode) else frame(self.opcode, data), timeout)

    def take_pong(self, payload):
        self.wait(lambda: payload in self.pongs, "a pong")
