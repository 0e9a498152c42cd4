"""sip_wire.py - how the SIP peers of the tests move bytes: UDP, TCP, TLS and WebSocket (RFC 7118), over IPv4 and IPv6.

Each flow has a reader thread of its own and gives whole, judged messages to its owner's `arrived(flow, message)`;
what is wrong goes to `owner.wrong(violation)`, an end to `owner.ended(flow)`. One clock thread serves all timers.
"""
import heapq
import itertools
import os
import random
import select
import socket
import ssl
import struct
import threading
import time

import strict_sip
import ws_wire
from strict_sip import Violation

TIMEOUT = float(os.environ.get("PARLEY_E2E_TIMEOUT", "15"))  # seconds; no test waits for its end when all is well


class Gone(Exception):
    """The other side closed or reset the connection."""


def host_text(host):
    return f"[{host}]" if ":" in host else host


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Clock:
    """One thread that calls functions at their time."""

    def __init__(self):
        self._heap, self._number = [], itertools.count()
        self._changed = threading.Condition()
        self._thread = None

    def after(self, seconds, function):
        """A handle whose cancel() withdraws the call."""
        entry = Timer(time.monotonic() + seconds, next(self._number), function)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="clock")
                self._thread.start()
            heapq.heappush(self._heap, entry)
            self._changed.notify()
        return entry

    def _run(self):
        while True:
            with self._changed:
                while not self._heap or self._heap[0].when > time.monotonic():
                    self._changed.wait(self._heap[0].when - time.monotonic() if self._heap else None)
                entry = heapq.heappop(self._heap)
            function = entry.function
            if function:
                try:
                    function()
                except (Gone, OSError):
                    pass  # the flow has ended; its owner knows


class Timer:
    def __init__(self, when, number, function):
        self.when, self.number, self.function = when, number, function

    def __lt__(self, other):
        return (self.when, self.number) < (other.when, other.number)

    def cancel(self):
        self.function = None


clock = Clock()


class Loss:
    """Drops this share of datagrams in both directions; the same seed drops the same ones of a sequence."""

    def __init__(self, share=0.1, seed=1):
        self.share, self.random = share, random.Random(seed)
        self.dropped = 0
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            drop = self.random.random() < self.share
            self.dropped += drop
            return drop


class Flow:
    """What a message came over and an answer goes back on."""

    reliable = True
    transport = "TCP"

    def __init__(self, owner):
        self.owner = owner
        self.closed = False  # by the other side
        self.sent = 0  # messages and datagrams
        self._run = True

    def _guard(self, read):
        try:
            read()
        except Violation as bad:
            self.owner.wrong(bad)
        except Exception as bad:  # a test's own handler
            self.owner.wrong(bad)
        if self._run:
            self.closed = True
            self.owner.ended(self)

    def _deliver(self, message, source=None):
        message.flow, message.source = self, source or self.remote
        self.owner.arrived(self, message)


class Datagrams(Flow):
    """One UDP socket. `loss` drops in both directions."""

    reliable = False
    transport = "UDP"

    def __init__(self, owner, remote, bind=None, loss=None):
        super().__init__(owner)
        self.remote, self.loss = remote, loss
        self.sock = socket.socket(family(remote[0]), socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(bind or ("::1" if ":" in remote[0] else "127.0.0.1", 0))
        self.local = self.sock.getsockname()[:2]
        self._thread = threading.Thread(target=self._guard, args=(self._read,), daemon=True, name=f"udp {self.local}")
        self._thread.start()

    def send(self, data, to=None):
        if self.loss and self.loss():
            return
        self.sent += 1
        try:
            self.sock.sendto(data, to or self.remote)
        except ConnectionError:
            pass  # an ICMP error of an earlier datagram

    def _read(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        while self._run:
            if not poll.poll(100):
                continue
            try:
                data, source = self.sock.recvfrom(65536)
            except ConnectionError:
                continue
            except OSError:
                return
            if self.loss and self.loss():
                continue
            if self.owner.raw_datagram(data, source[:2]):
                continue
            self._deliver(strict_sip.parse_datagram(data), source[:2])

    def close(self):
        self._run = False
        self._thread.join(2)
        self.sock.close()


class Stream(Flow):
    """One TCP or TLS connection, dialled or accepted."""

    def __init__(self, owner, remote=None, sock=None, tls=None, server_name=None, bind=None, server_side=False):
        super().__init__(owner)
        if sock is None:
            sock = socket.socket(family(remote[0]), socket.SOCK_STREAM)
            try:
                if bind:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.bind(bind)
                sock.settimeout(TIMEOUT)
                sock.connect(remote)
            except OSError:
                sock.close()
                raise
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local, self.remote = sock.getsockname()[:2], sock.getpeername()[:2]
        self.tls = tls is not None
        self.transport = "TLS" if tls else "TCP"
        if tls:
            sock = tls.wrap_socket(sock, server_hostname=None if server_side else server_name or "localhost",
                                   server_side=server_side)
        self.sock = sock
        self.pongs = 0
        self.reset = False
        self.tolerate_cut = False  # the server may close inside a message: it was killed, or we broke the rules
        self.ended = False  # our side of it
        self._tls_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._thread = threading.Thread(target=self._guard, args=(self._read,), daemon=True, name=f"tcp {self.local}")
        self._reader = strict_sip.StreamReader(self._deliver, self._pong)
        try:
            self._open()
        except BaseException:
            sock.close()
            raise
        sock.setblocking(False)
        self._thread.start()

    def _open(self):
        pass

    def _pong(self):
        self.pongs += 1
        self.owner.changed()

    def _feed(self, data):
        self._reader.feed(data)

    def _at_end(self):
        if not self.tolerate_cut:
            self._reader.close()

    def _recv(self):
        """Bytes, b"" at the end, None when there is nothing now."""
        try:
            if not self.tls:
                return self.sock.recv(262144)
            with self._tls_lock:
                return self.sock.recv(262144)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (ssl.SSLError, OSError):
            self.reset = True
            return b""

    def _read(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        while self._run:
            if not (self.tls and self.sock.pending()) and not poll.poll(100):
                continue
            if not self._run:
                return
            data = self._recv()
            if data is None:
                continue
            if not data:
                break
            self._feed(data)
        if self._run and not self.reset:
            self._at_end()

    def write(self, data, timeout=None):
        view = memoryview(bytes(data))
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        with self._write_lock:
            while view:
                try:
                    if self.tls:
                        with self._tls_lock:
                            sent = self.sock.send(view[:131072])
                    else:
                        sent = self.sock.send(view)
                    view = view[sent:]
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    if not poll.poll(1000 * (timeout or TIMEOUT)):
                        raise TimeoutError(f"{self.local}: the socket takes nothing") from None
                except (OSError, ssl.SSLError) as bad:
                    raise Gone(f"{self.local}: {bad}") from None

    def send(self, data, to=None):
        self.sent += 1
        if not self.ended:
            self.write(data)

    def half_close(self):
        """Ends our side; what the transactions still want to send is dropped."""
        self.ended = True
        self.sock.shutdown(socket.SHUT_WR)

    def rst(self):
        """Ends the connection by a reset."""
        self._run = False
        self._thread.join(2)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        if not self._run:
            return
        self._run = False
        self._thread.join(2)
        try:
            self.sock.close()
        except OSError:
            pass


class WebSocket(Stream):
    """The client's side of RFC 6455 with the subprotocol `sip`: one SIP message in each WebSocket message."""

    def __init__(self, owner, remote, tls=None, path="/", origin=None, subprotocol="sip", **how):
        self.path, self.origin, self.subprotocol = path, origin, subprotocol
        self.status = None  # of the handshake
        self.close_code = None
        self.ws_pongs = 0
        self._in, self._message, self._opcode = bytearray(), bytearray(), None
        super().__init__(owner, remote, tls=tls, **how)
        self.transport = "WSS" if tls else "WS"

    def _open(self):
        key = ws_wire.new_key()
        host = f"{host_text(self.remote[0])}:{self.remote[1]}"
        self.sock.sendall(ws_wire.handshake(host, key, self.path, self.origin, self.subprotocol))
        try:
            self.status, found, rest = ws_wire.read_head(self.sock)
        except ws_wire.NoAnswer as bad:
            raise Gone(str(bad)) from None
        if self.status != 101:
            raise Gone(f"the handshake was answered {self.status}")
        if wrong := ws_wire.what_is_wrong(found, key, self.subprotocol):
            raise Violation(wrong)
        self._in += rest

    def _at_end(self):
        if not self.tolerate_cut and (self._in or self._message):
            raise Violation(f"the stream ends inside a frame: {bytes(self._in[:80])!r}")

    def _feed(self, data):
        self._in += data
        while True:
            if len(self._in) < 2:
                return
            first, second = self._in[0], self._in[1]
            size, at = second & 0x7f, 2
            if first & 0x70 or second & 0x80:
                raise Violation(f"reserved bits or a masked frame from the server: {bytes(self._in[:8])!r}")
            if size == 126:
                size, at = int.from_bytes(self._in[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(self._in[2:10], "big"), 10
            if len(self._in) < at + size:
                return
            payload = bytes(self._in[at:at + size])
            del self._in[:at + size]
            self._frame(first & 0x0f, bool(first & 0x80), payload)

    def _frame(self, opcode, fin, payload):
        if opcode >= 8:
            if not fin or len(payload) > 125:
                raise Violation("a control frame cut or too long")
            if opcode == 8:
                self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
                if self.close_code == 1005 or 1000 <= self.close_code < 5000:
                    self.owner.changed()
                    return
                raise Violation(f"close code {self.close_code}")
            if opcode == 9:
                self.frame(10, payload)
            elif opcode == 10:
                self.ws_pongs += 1
                self.owner.changed()
            else:
                raise Violation(f"opcode {opcode}")
            return
        if (opcode == 0) != (self._opcode is not None) or opcode > 2:
            raise Violation(f"opcode {opcode} here")
        self._opcode = opcode or self._opcode
        self._message += payload
        if not fin:
            return
        whole, text = bytes(self._message), self._opcode == 1
        self._message, self._opcode = bytearray(), None
        if text:
            try:
                whole.decode("utf-8")
            except UnicodeDecodeError:
                raise Violation(f"a text message that is not UTF-8: {whole[:80]!r}") from None
        if whole in (b"\r\n", b"\r\n\r\n"):
            self._pong()
            return
        self._deliver(strict_sip.parse_datagram(whole))

    def frame(self, opcode, payload=b"", **odd):
        self.write(ws_wire.frame(opcode, payload, **odd))

    def send(self, data, to=None):
        try:
            data.decode("utf-8")
            opcode = 1
        except UnicodeDecodeError:
            opcode = 2
        self.sent += 1
        if not self.ended:
            self.frame(opcode, data)


class Listener:
    """Accepts the server's own connections to a peer; each becomes a Stream of the same owner."""

    def __init__(self, owner, host, tls=None, port=0):
        self.owner, self.tls = owner, tls
        self.sock = socket.create_server((host, port), family=family(host))
        self.port = self.sock.getsockname()[1]
        self._run = True
        self._thread = threading.Thread(target=self._accept, daemon=True, name=f"listener {self.port}")
        self._thread.start()

    def _accept(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        while self._run:
            if not poll.poll(100):
                continue
            try:
                sock, _ = self.sock.accept()
                self.owner.accepted(Stream(self.owner, sock=sock, tls=self.tls, server_side=self.tls is not None))
            except (OSError, ssl.SSLError) as bad:
                if self._run:
                    self.owner.wrong(Violation(f"a connection to our listener failed: {bad}"))

    def close(self):
        self._run = False
        self._thread.join(2)
        self.sock.close()
