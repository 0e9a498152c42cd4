"""strict_msrp.py - a strict reader of MSRP frames (RFC 4975 section 9, RFC 4976 section 7).

Written from the grammar alone and only for the tests: it accepts what a careful sender may write and
nothing else. Every byte the server sends in any end-to-end test passes through it. A stream of any
size is read with constant memory when the caller takes the body pieces itself (`on_body`).
"""
import re


class Violation(Exception):
    """The bytes do not follow the grammar, or their numbers contradict each other."""


TID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}\Z")
METHOD = re.compile(rb"[A-Z]+\Z")
TOKEN = rb"[!#-'*+\-.0-9A-Z^-~]+"
HNAME = re.compile(rb"[A-Za-z]" + TOKEN + rb"?\Z")
UTF8TEXT = re.compile(
    rb"(?:[\t\x20-\x7e]|[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}"
    rb"|[\xf8-\xfb][\x80-\xbf]{4}|[\xfc-\xfd][\x80-\xbf]{5})*\Z")
QUOTED = rb'"(?:[ \t!#-\[\]-~]|[\x80-\xff]|\\\\|\\")*"'
URI = re.compile(
    rb"(?i:msrps?)://"
    rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:%]*@)?"
    rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,=]+)(?::[0-9]+)?"
    rb"(?:/[A-Za-z0-9\-._~+=/]+)?"
    rb";[A-Za-z0-9]+"
    rb"(?:;" + TOKEN + rb"(?:=" + TOKEN + rb")?)*\Z")
MEDIA_TYPE = re.compile(
    TOKEN + rb"/" + TOKEN + rb"(?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*\Z")
BYTE_RANGE = re.compile(rb"([0-9]+)-([0-9]+|\*)/([0-9]+|\*)\Z")
STATUS = re.compile(rb"[0-9]{3} [0-9]{3}(?: .*)?\Z", re.S)
DIGITS = re.compile(rb"[0-9]+\Z")
PARAM = rb"(?:" + TOKEN + rb"=(?:" + TOKEN + rb"|" + QUOTED + rb"))"
CHALLENGE = re.compile(rb"Digest " + PARAM + rb"(?:, " + PARAM + rb")*\Z")
AUTH_INFO = re.compile(PARAM + rb"(?:, ?" + PARAM + rb")*\Z")

ONCE = {b"to-path", b"from-path", b"message-id", b"success-report", b"failure-report", b"byte-range", b"status",
        b"content-type", b"expires", b"min-expires", b"max-expires", b"use-path", b"authorization",
        b"authentication-info"}
MSRP_HEADERS = {b"message-id", b"success-report", b"failure-report", b"byte-range", b"status", b"expires",
                b"min-expires", b"max-expires", b"use-path", b"authorization", b"authentication-info",
                b"www-authenticate"}
MIME_HEADERS = {b"content-id", b"content-description", b"content-disposition"}
HEAD_BYTES_MAX = 64 * 1024  # more than any head a relay may write


class Frame:
    """One request or response; header names keep their spelling, lookups ignore case."""

    def __init__(self):
        self.tid = ""
        self.method = None  # requests
        self.code = None  # responses
        self.comment = None
        self.headers = []  # [(name, value)] as text, paths included, in order
        self.to_path = []
        self.from_path = []
        self.has_body = False
        self.body = None  # bytes; stays None when the body went to on_body
        self.body_len = 0
        self.flag = ""
        self.byte_range = None  # (start, end or None for '*', total or None for '*')

    def get(self, name):
        values = self.get_all(name)
        return values[0] if values else None

    def get_all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def __repr__(self):
        what = self.method or f"{self.code} {self.comment}"
        rest = [h for h in self.headers if h[0].lower() not in ("to-path", "from-path")]
        return (f"<{self.tid} {what} to={self.to_path} from={self.from_path} {rest} body={self.body_len}"
                f" {self.flag!r}>")


def _fail(reason, data=b""):
    raise Violation(f"{reason}: {bytes(data[:200])!r}")


def _path(value):
    uris = value.split(b" ")
    for uri in uris:
        if not URI.match(uri):
            _fail("not an MSRP-URI", uri)
    return [u.decode("ascii") for u in uris]


def parse_head(lines):
    """The lines of a head, without CRLF, as a Frame; raises Violation."""
    frame = Frame()
    start = lines[0].split(b" ", 3)
    if len(start) < 3 or start[0] != b"MSRP":
        _fail("start line", lines[0])
    if not TID.match(start[1]):
        _fail("transact-id", lines[0])
    frame.tid = start[1].decode("ascii")
    if len(start[2]) == 3 and start[2].isdigit():
        frame.code = int(start[2])
        if len(start) == 4:
            if not UTF8TEXT.match(start[3]):
                _fail("comment", lines[0])
            frame.comment = start[3].decode("utf-8", "replace")
    else:
        if len(start) != 3 or not METHOD.match(start[2]):
            _fail("start line", lines[0])
        frame.method = start[2].decode("ascii")

    seen = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not HNAME.match(name):
            _fail("header name", line)
        if not value.startswith(b" "):
            _fail("no space after the colon", line)
        value = value[1:]
        if not UTF8TEXT.match(value):
            _fail("header value", line)
        low = name.lower()
        if low in ONCE and low in seen:
            _fail("header twice", line)
        seen.append(low)
        frame.headers.append((name.decode("ascii"), value.decode("utf-8", "replace")))
        _check_value(frame, low, value, line)
    if seen[:2] != [b"to-path", b"from-path"]:
        _fail("To-Path and From-Path do not come first", b" ".join(seen))
    if b"content-type" in seen[:-1]:
        _fail("Content-Type is not last", b" ".join(seen))
    mime = [i for i, n in enumerate(seen) if n in MIME_HEADERS]
    if mime and b"content-type" not in seen:
        _fail("MIME header without Content-Type", b" ".join(seen))
    if mime and any(n in MSRP_HEADERS for n in seen[mime[0]:]):
        _fail("MSRP header after a MIME header", b" ".join(seen))
    _check_kind(frame, seen)
    return frame


def _check_value(frame, low, value, line):
    if low == b"to-path":
        frame.to_path = _path(value)
    elif low == b"from-path":
        frame.from_path = _path(value)
    elif low == b"use-path":
        _path(value)
    elif low == b"message-id":
        if not TID.match(value):
            _fail("Message-ID", line)
    elif low == b"success-report":
        if value not in (b"yes", b"no"):
            _fail("Success-Report", line)
    elif low == b"failure-report":
        if value not in (b"yes", b"no", b"partial"):
            _fail("Failure-Report", line)
    elif low == b"byte-range":
        m = BYTE_RANGE.match(value)
        if not m:
            _fail("Byte-Range", line)
        start, end, total = (None if g == b"*" else int(g) for g in m.groups())
        if start < 1:
            _fail("Byte-Range starts at 0", line)
        if end is not None and end < start - 1:
            _fail("Byte-Range ends before it starts", line)
        if end is not None and total is not None and end > total:
            _fail("Byte-Range ends behind its total", line)
        frame.byte_range = (start, end, total)
    elif low == b"status":
        if not STATUS.match(value):
            _fail("Status", line)
    elif low in (b"expires", b"min-expires", b"max-expires"):
        if not DIGITS.match(value):
            _fail("not a number of seconds", line)
    elif low == b"content-type":
        if not MEDIA_TYPE.match(value):
            _fail("Content-Type", line)
        frame.has_body = True
    elif low == b"www-authenticate":
        if not CHALLENGE.match(value):
            _fail("WWW-Authenticate", line)
    elif low == b"authentication-info":
        if not AUTH_INFO.match(value):
            _fail("Authentication-Info", line)


def _check_kind(frame, seen):
    if frame.method is None:
        if frame.has_body or any(n in MIME_HEADERS for n in seen):
            _fail("a response with a body", repr(frame).encode())
        if len(frame.from_path) < 1:
            _fail("a response without From-Path")
    elif frame.method == "REPORT":
        if b"status" not in seen:
            _fail("REPORT without Status", repr(frame).encode())
        if b"message-id" not in seen:
            _fail("REPORT without Message-ID", repr(frame).encode())
        if b"success-report" in seen or b"failure-report" in seen:
            _fail("REPORT that asks for reports", repr(frame).encode())


class Parser:
    """Feed it bytes; it calls on_frame(frame) at each end-line, and on_body(frame, piece) when given.

    on_body may return True: it has taken the piece and nothing is kept.
    """

    def __init__(self, on_frame, on_body=None):
        self.on_frame = on_frame
        self.on_body = on_body
        self.frame = None  # the frame whose body is arriving
        self._hold = b""
        self._pieces = []
        self._mark = b""

    def idle(self):
        return self.frame is None and not self._hold

    def close(self):
        """The stream has ended; it must not end inside a frame."""
        if not self.idle():
            _fail("the stream ends inside a frame", self._hold)

    def feed(self, data):
        buf = self._hold + data if self._hold else data
        self._hold = b""
        at = 0
        while at < len(buf):
            at, more = self._body(buf, at) if self.frame else self._head(buf, at)
            if more:
                break
        self._hold = bytes(buf[at:])
        if self.frame is None and len(self._hold) > HEAD_BYTES_MAX:
            _fail("endless head", self._hold)

    def _head(self, buf, at):
        begin = at
        if not b"MSRP ".startswith(buf[at:at + 5]):
            _fail("not the start of a frame", buf[at:])
        lines = []
        while True:
            eol = buf.find(b"\r\n", at)
            bare = buf.find(b"\n", at, eol if eol >= 0 else len(buf))
            if bare >= 0:
                _fail("LF without CR", buf[begin:])
            if eol < 0:
                if b"\r" in buf[at:len(buf) - 1]:
                    _fail("CR without LF", buf[begin:])
                return begin, True
            line = bytes(buf[at:eol])
            if b"\r" in line:
                _fail("CR without LF", line)
            at = eol + 2
            if line == b"":
                frame = parse_head(lines) if lines else _fail("blank line", buf[begin:])
                if not frame.has_body:
                    _fail("blank line without Content-Type", buf[begin:at])
                self.frame = frame
                self._mark = b"\r\n-------" + frame.tid.encode()
                # An empty body: the CRLF before the end-line directly follows the blank line.
                return at, False
            if line.startswith(b"-------") and lines:
                frame = parse_head(lines)
                if line[7:-1].decode("latin-1") != frame.tid:
                    _fail("end-line of another transaction", line)
                if frame.has_body:
                    _fail("Content-Type without a body", buf[begin:at])
                self._finish(frame, line[-1:])
                return at, False
            lines.append(line)

    def _body(self, buf, at):
        mark, size = self._mark, len(self._mark)
        search = at
        while True:
            hit = buf.find(mark, search)
            if hit < 0:
                keep = max(at, len(buf) - size - 2)
                self._piece(buf, at, keep)
                return keep, True
            tail = bytes(buf[hit + size:hit + size + 3])
            if len(tail) < 3 and re.match(rb"(?:[+$#](?:\r)?)?\Z", tail):
                self._piece(buf, at, hit)
                return hit, True
            if re.match(rb"[+$#]\r\n", tail):
                self._piece(buf, at, hit)
                frame, self.frame = self.frame, None
                self._finish(frame, tail[:1])
                return hit + size + 3, False
            search = hit + 1

    def _piece(self, buf, begin, end):
        if end <= begin:
            return
        piece = memoryview(buf)[begin:end]
        self.frame.body_len += end - begin
        if self.on_body and self.on_body(self.frame, piece):
            return
        self._pieces.append(bytes(piece))

    def _finish(self, frame, flag):
        if flag not in (b"$", b"+", b"#"):
            _fail("continuation flag", flag)
        frame.flag = flag.decode()
        if frame.has_body:
            frame.body = b"".join(self._pieces) if self._pieces or not frame.body_len else None
        self._pieces = []
        if frame.method is None and frame.flag != "$":
            _fail("a response with another flag than '$'", repr(frame).encode())
        if frame.method not in (None, "SEND") and frame.flag != "$":
            _fail("only SEND may be cut", repr(frame).encode())
        if frame.method == "SEND" and frame.byte_range:
            start, end, _ = frame.byte_range
            if end is not None and end - start + 1 != frame.body_len:
                _fail(f"Byte-Range disagrees with the body of {frame.body_len} bytes", repr(frame).encode())
        self.on_frame(frame)


def parse_all(data, piece=None):
    """All frames of a complete stream, fed in pieces of the given size."""
    frames = []
    parser = Parser(frames.append)
    for at in range(0, len(data), piece or len(data) or 1):
        parser.feed(data[at:at + (piece or len(data))])
    parser.close()
    return frames
