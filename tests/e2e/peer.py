"""peer.py - an MSRP client on a plain socket or TLS, for the end-to-end tests.

A reader thread gives every received byte to the strict parser and keeps the frames; the test takes them
with a timeout. SENDs are answered 200 on their own unless `auto` says otherwise, bodies are put together
by Message-ID and Byte-Range. Any violation of the grammar, a response to nothing, a second response or a
transaction id used twice at a time fails the test at the next call.
"""
import base64
import collections
import hashlib
import os
import re
import select
import socket
import ssl
import struct
import threading
import time

from strict_msrp import Parser, Violation

TIMEOUT = float(os.environ.get("PARLEY_E2E_TIMEOUT", "15"))  # seconds; no test waits for its end when all is well
REQUEST = re.compile(rb"(?:\A|\r\n|\n)MSRP (\S+) ([A-Z]+)\r\n")


class Gone(Exception):
    """The other side closed or reset the connection while the test waited for something."""


class NoAnswer(AssertionError):
    """What the test waits for did not come in time."""


def new_id(bytes_random=8):
    return "p" + base64.b32encode(os.urandom(bytes_random)).decode().rstrip("=").lower()


class Message:
    """One SEND message put together from its chunks."""

    def __init__(self, mid):
        self.mid = mid
        self.data = bytearray()
        self.covered = 0  # bytes from the start without a gap
        self.chunks = []  # the frames, in order of arrival
        self.total = None
        self.aborted = False
        self._later = []  # [(start, end)] beyond a gap

    def add(self, frame):
        self.chunks.append(frame)
        start = frame.byte_range[0] if frame.byte_range else 1
        end = start - 1 + frame.body_len
        if frame.body is not None:
            if len(self.data) < end:
                self.data.extend(bytes(end - len(self.data)))
            self.data[start - 1:end] = frame.body
        self._later.append((start, end))
        self._later.sort()
        while self._later and self._later[0][0] <= self.covered + 1:
            self.covered = max(self.covered, self._later.pop(0)[1])
        if frame.flag == "$":
            self.total = end
        self.aborted = self.aborted or frame.flag == "#"

    @property
    def complete(self):
        return self.total is not None and self.covered >= self.total and not self.aborted

    @property
    def body(self):
        return bytes(self.data)


def parse_params(text):
    """The parameters of a digest header as a dict with lower-case names."""
    text = re.sub(r"^Digest\s+", "", text)
    found = {}
    for m in re.finditer(r'([A-Za-z0-9_-]+)=("((?:[^"\\]|\\.)*)"|[^\s,"]+)', text):
        found[m.group(1).lower()] = m.group(3) if m.group(3) is not None else m.group(2)
    return found


def _hash(algorithm, text):
    name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm.upper()]
    return hashlib.new(name, text.encode()).hexdigest()


def digest(algorithm, user, realm, secret, nonce, nc, cnonce, uri, method="AUTH"):
    ha1 = _hash(algorithm, f"{user}:{realm}:{secret}")
    ha2 = _hash(algorithm, f"{method}:{uri}")
    return _hash(algorithm, f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}")


def make_request(tid, method, to_path, from_path, headers=(), body=None, content_type="text/plain", flag="$"):
    text = lambda p: p if isinstance(p, str) else " ".join(p)
    head = f"MSRP {tid} {method}\r\nTo-Path: {text(to_path)}\r\nFrom-Path: {text(from_path)}\r\n"
    head += "".join(f"{n}: {v}\r\n" for n, v in headers)
    if body is None:
        return head.encode() + f"-------{tid}{flag}\r\n".encode()
    return head.encode() + f"Content-Type: {content_type}\r\n\r\n".encode() + bytes(body) + \
        f"\r\n-------{tid}{flag}\r\n".encode()


def make_response(frame, code=200, comment="OK", headers=()):
    """The response to a received request (RFC 4975 7.2: the first URI for SEND, the whole path for others)."""
    to_path = frame.from_path[0] if frame.method == "SEND" else " ".join(frame.from_path)
    tail = "".join(f"{n}: {v}\r\n" for n, v in headers)
    return (f"MSRP {frame.tid} {code} {comment}\r\nTo-Path: {to_path}\r\nFrom-Path: {frame.to_path[0]}\r\n{tail}"
            f"-------{frame.tid}$\r\n").encode()


class Peer:
    def __init__(self, address, tls=None, server_name=None, auto=True, name=None, rcvbuf=None, sid=None, bind=None,
                 sock=None):
        """auto: True answers 200, False nothing, a callable gets the frame and returns a code or None."""
        if sock is None:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            if rcvbuf:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            try:
                if bind:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.bind(bind)
                sock.settimeout(TIMEOUT)
                sock.connect(address)
            except OSError:
                sock.close()
                raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = tls is not None
        if self.tls:
            sock = tls.wrap_socket(sock, server_hostname=server_name)
        sock.setblocking(False)
        self.sock = sock
        self.auto = auto
        self.local = sock.getsockname()
        host = f"[{self.local[0]}]" if ":" in self.local[0] else self.local[0]
        self.scheme = "msrps" if self.tls else "msrp"
        self.uri = f"{self.scheme}://{host}:{self.local[1]}/{sid or new_id()};tcp"
        self.name = name or self.uri
        self.use_path = []
        self.sink = None  # sink(frame, piece) takes the bodies of SENDs; nothing of them is kept then
        self.frames = collections.deque()
        self.messages = {}
        self.trouble = None  # the first violation seen
        self.closed = False  # by the other side
        self.reset = False
        self.bytes_in = 0
        self.tolerate_cut = False  # the server may close inside a frame (it was killed, or we broke the rules)
        self.keep_messages = True
        self._open_tids = collections.Counter()  # our requests that may still be answered
        self._theirs = set()  # the server's requests not answered by us yet
        self._auto_busy = False  # a SEND is among `frames` and its answer on its way out
        self._changed = threading.Condition()
        self._tls_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._run = True
        self._reading = threading.Event()
        self._reading.set()
        self._parser = Parser(self._on_frame, self._on_body)
        self._connected()
        self._thread = threading.Thread(target=self._read_loop, daemon=True, name=f"peer {self.name}")
        self._thread.start()

    def _connected(self):
        """For transports that begin with more than a connection."""

    # --- reading -----------------------------------------------------------------------------------------------

    def _recv(self):
        """Bytes, b"" at the end, None when there is nothing now."""
        if not self.tls:
            try:
                return self.sock.recv(262144)
            except BlockingIOError:
                return None
        with self._tls_lock:
            try:
                return self.sock.recv(262144)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None

    def _read_loop(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        try:
            while self._run:
                self._reading.wait()
                pending = self.tls and self.sock.pending()
                if not pending and not poll.poll(100):
                    continue
                if not self._run or not self._reading.is_set():
                    continue
                data = self._recv()
                if data is None:
                    continue
                if not data:
                    break
                with self._changed:
                    self.bytes_in += len(data)
                self._parser.feed(data)
                with self._changed:
                    self._changed.notify_all()
            if self._run and not self.tolerate_cut:
                self._parser.close()
        except Violation as bad:
            self.trouble = bad
        except ssl.SSLError:
            self.reset = True  # also a TLS stream cut without close_notify
        except OSError:
            self.reset = True
        except Exception as bad:  # a test's own sink or auto callable
            self.trouble = bad
        with self._changed:
            self.closed = self._run
            self._changed.notify_all()

    def _on_body(self, frame, piece):
        if self.sink and frame.method == "SEND":
            self.sink(frame, piece)
            return True
        with self._changed:
            self._changed.notify_all()
        return False

    def _on_frame(self, frame):
        if frame.method is None:
            if self._open_tids[frame.tid] <= 0:
                raise Violation(f"a response to nothing: {frame}")
            self._open_tids[frame.tid] -= 1
            if frame.to_path[0] != self.uri and not frame.to_path[0].startswith(self.scheme):
                raise Violation(f"a response for somebody else: {frame}")
        elif frame.method != "REPORT":
            if frame.tid in self._theirs:
                raise Violation(f"a transaction id used twice at a time: {frame}")
            answered = frame.method != "SEND" or frame.get("Failure-Report") in (None, "yes")
            if answered:
                self._theirs.add(frame.tid)
        with self._changed:
            if frame.method == "SEND" and frame.has_body and self.keep_messages:
                mid = frame.get("Message-ID")
                message = self.messages.get(mid)
                if message is None:
                    message = self.messages[mid] = Message(mid)
                message.add(frame)
            self.frames.append(frame)
            self._auto_busy = frame.method == "SEND" and bool(self.auto)
            self._changed.notify_all()
        if self._auto_busy:
            code = self.auto(frame) if callable(self.auto) else 200
            wants = frame.get("Failure-Report") or "yes"
            if code and (wants == "yes" or (wants == "partial" and code != 200)):
                try:
                    self.respond(frame, code, "OK" if code == 200 else "No")
                except Gone:
                    pass  # the test has closed the connection, or the reader will see that the server has
            with self._changed:
                self._auto_busy = False
                self._changed.notify_all()

    def pause(self):
        """Stop reading from the socket."""
        self._reading.clear()

    def resume(self):
        self._reading.set()

    @property
    def arriving(self):
        """(frame, body bytes so far) of the frame whose body is arriving, or None."""
        frame = self._parser.frame
        return (frame, frame.body_len) if frame else None

    # --- waiting -----------------------------------------------------------------------------------------------

    def wait(self, ready, what, timeout=None):
        """Until ready() is true; fails when the connection ends or time runs out first."""
        deadline = time.monotonic() + (timeout or TIMEOUT)
        with self._changed:
            while True:
                if self.trouble:
                    raise self.trouble
                value = ready()
                if value:
                    return value
                if self.closed:
                    raise Gone(f"{self.name}: connection closed while waiting for {what}; has {list(self.frames)}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NoAnswer(f"{self.name}: {what} did not come; has {list(self.frames)[:10]}")
                self._changed.wait(left)

    def take(self, match, what="a frame", timeout=None):
        """The first frame that matches, taken out of the queue."""
        def find():
            for frame in self.frames:
                if match(frame):
                    self.frames.remove(frame)
                    return frame
            return None
        return self.wait(find, what, timeout)

    def take_response(self, tid, timeout=None):
        return self.take(lambda f: f.method is None and f.tid == tid, f"the response to {tid}", timeout)

    def take_request(self, method="SEND", mid=None, timeout=None):
        return self.take(lambda f: f.method == method and (mid is None or f.get("Message-ID") == mid),
                         f"{method} {mid or ''}", timeout)

    def take_message(self, mid, timeout=None):
        """The whole message, when it is complete; its frames leave the queue."""
        message = self.wait(lambda: self.messages[mid] if mid in self.messages and self.messages[mid].complete
                            else None, f"message {mid}", timeout)
        with self._changed:
            kept = [f for f in self.frames if f.method != "SEND" or f.get("Message-ID") != mid]
            self.frames.clear()
            self.frames.extend(kept)
        return message

    def wait_answered(self):
        """Until what is among `frames` has been answered: a frame stands there before its answer is written."""
        self.wait(lambda: not self._auto_busy, "an answer of our own")

    def wait_closed(self, timeout=None):
        deadline = time.monotonic() + (timeout or TIMEOUT)
        with self._changed:
            while not self.closed:
                if self.trouble:
                    raise self.trouble
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NoAnswer(f"{self.name}: the connection was not closed; has {list(self.frames)[:10]}")
                self._changed.wait(left)
        if self.trouble:
            raise self.trouble

    def check(self):
        if self.trouble:
            raise self.trouble

    # --- writing -----------------------------------------------------------------------------------------------

    def write(self, data, timeout=None):
        """All of the bytes; raises TimeoutError when the socket takes nothing for the whole timeout."""
        view = memoryview(data)
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        with self._write_lock:
            while view:
                view = view[self._send_some(view, poll, timeout):]

    def _send_some(self, view, poll, timeout):
        for tried in (False, True):
            try:
                if self.tls:
                    with self._tls_lock:
                        return self.sock.send(view[:16384 * 8])
                return self.sock.send(view)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                if tried or not poll.poll(1000 * (timeout or TIMEOUT)):
                    raise TimeoutError(f"{self.name}: the socket takes nothing") from None
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as bad:
                raise Gone(f"{self.name}: {bad}") from None
        return 0

    def write_until_blocked(self, data, seconds):
        """Writes until the socket takes nothing for that long; returns the bytes taken."""
        view = memoryview(data)
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        sent = 0
        while view[sent:]:
            try:
                sent += self.sock.send(view[sent:sent + 65536])
            except BlockingIOError:
                if not poll.poll(1000 * seconds):
                    break
        return sent

    def raw(self, data, timeout=None):
        """Bytes as they are; the transaction ids of requests in them are noted, so that answers are legal."""
        self.note(data)
        self.write(data, timeout)

    def note(self, data):
        for m in REQUEST.finditer(bytes(data)):
            if m.group(2) != b"REPORT":
                with self._changed:
                    self._open_tids[m.group(1).decode("latin-1")] += 1

    def request(self, method, to_path, headers=(), body=None, content_type="text/plain", flag="$", tid=None,
                from_path=None):
        tid = tid or new_id()
        if method != "REPORT":
            with self._changed:
                self._open_tids[tid] += 1
        self.write(make_request(tid, method, to_path, from_path or self.uri, headers, body, content_type, flag))
        return tid

    def send(self, to_path, body=b"hello", mid=None, fr=None, sr=None, byte_range="whole", flag="$", headers=(),
             content_type="text/plain", tid=None, from_path=None):
        """One SEND; returns (tid, Message-ID)."""
        mid = mid or new_id()
        head = [("Message-ID", mid)]
        if sr:
            head.append(("Success-Report", sr))
        if fr:
            head.append(("Failure-Report", fr))
        if byte_range == "whole":
            byte_range = f"1-{len(body or b'')}/{len(body or b'')}"
        if byte_range is not None:
            head.append(("Byte-Range", byte_range))
        head.extend(headers)
        return self.request("SEND", to_path, head, body, content_type, flag, tid, from_path), mid

    def respond(self, frame, code=200, comment="OK", headers=()):
        self._theirs.discard(frame.tid)
        self.write(make_response(frame, code, comment, headers))

    def report(self, frame, code=200, byte_range=None, to_path=None, namespace="000"):
        """A REPORT about a received SEND, along its From-Path."""
        size = frame.body_len
        start = frame.byte_range[0] if frame.byte_range else 1
        total = frame.byte_range[2] if frame.byte_range and frame.byte_range[2] is not None else start - 1 + size
        headers = [("Message-ID", frame.get("Message-ID")),
                   ("Byte-Range", byte_range or f"{start}-{start - 1 + size}/{total}"),
                   ("Status", f"{namespace} {code} {'OK' if code == 200 else 'No'}")]
        return self.request("REPORT", to_path or frame.from_path, headers)

    # --- AUTH --------------------------------------------------------------------------------------------------

    def auth_once(self, to_path, authorization=None, expires=None, tid=None, headers=(), from_path=None):
        """One AUTH request and its response."""
        head = []
        if expires is not None:
            head.append(("Expires", str(expires)))
        if authorization:
            head.append(("Authorization", authorization))
        tid = self.request("AUTH", to_path, head + list(headers), tid=tid, from_path=from_path)
        return self.take_response(tid)

    @staticmethod
    def challenges(response):
        return [parse_params(v) for v in response.get_all("WWW-Authenticate")]

    @staticmethod
    def authorization(challenge, user, secret, uri, nc="00000001", cnonce=None, with_uri=True, quoted=False,
                      algorithm=None, opaque=True):
        algorithm = algorithm or challenge.get("algorithm", "MD5")
        cnonce = cnonce or new_id()
        q = '"' if quoted else ""
        parts = [f'username="{user}"', f'realm="{challenge["realm"]}"', f'nonce="{challenge["nonce"]}"',
                 f"qop={q}auth{q}", f"nc={q}{nc}{q}", f'cnonce="{cnonce}"']
        if with_uri:
            parts.append(f'uri="{uri}"')
        value = digest(algorithm, user, challenge["realm"], secret, challenge["nonce"], nc, cnonce, uri)
        parts.append(f'response="{value}"')
        if "algorithm" in challenge:
            parts.append(f"algorithm={algorithm}")
        if opaque and "opaque" in challenge:
            parts.append(f'opaque="{challenge["opaque"]}"')
        return "Digest " + ", ".join(parts)

    def auth(self, to_path, user="alice", secret="secret", algorithm=None, expires=None, from_path=None, **how):
        """AUTH with one challenge; returns the 200 and keeps its Use-Path."""
        path = [to_path] if isinstance(to_path, str) else list(to_path)
        first = self.auth_once(path, from_path=from_path)
        if first.code != 401:
            raise AssertionError(f"{self.name}: no challenge but {first}")
        offers = self.challenges(first)
        offer = offers[0] if algorithm is None else \
            next(c for c in offers if c.get("algorithm", "MD5").upper() == algorithm)
        answer = self.auth_once(path, self.authorization(offer, user, secret, path[-1], **how), expires,
                                from_path=from_path)
        if answer.code != 200:
            raise AssertionError(f"{self.name}: AUTH of {user} was answered {answer}")
        self.use_path = answer.get("Use-Path").split(" ")
        return answer

    # --- ending ------------------------------------------------------------------------------------------------

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def rst(self):
        """Closes with a reset instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stop()

    def _stop(self):
        self._run = False
        self._reading.set()
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RD)  # wakes the reader, tells the other side nothing
        except OSError:
            pass
        if threading.current_thread() is not self._thread:
            self._thread.join(TIMEOUT)
        self.sock.close()

    def close(self):
        """Ends the connection; raises when anything wrong was received."""
        if self._run:
            try:
                # Not SSLSocket.shutdown: that lets the reader take ciphertext for plaintext.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                pass
            self._stop()
        self.check()
