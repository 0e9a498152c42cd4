"""strict_sip.py - a strict reader of SIP messages (RFC 3261 sections 7, 18.3, 20 and 25, and the texts that extend them).

Written from the grammar alone and only for the tests: it accepts what a careful sender may write and
nothing else. Every SIP message the server sends in any end-to-end test passes through it: start line, line
ends, each header it knows, the headers that must be there, Content-Length, and what a response owes its request.
"""
import ipaddress
import re

HEAD_BYTES_MAX = 64 * 1024  # more than any head the tests provoke


class Violation(Exception):
    """The bytes do not follow the grammar, or a rule about who may write what is broken."""


def fail(reason, data=b""):
    raise Violation(f"{reason}: {bytes(data)[:1000]!r}" if isinstance(data, (bytes, bytearray)) else f"{reason}: {data}")


# --- grammar (section 25.1), after unfolding: LWS and SWS are blanks and tabs -----------------------------------------

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
WORD = r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+"
SWS = r"[ \t]*"
QUOTED = r'"(?:[ \t!#-\[\]-~\u0080-\U0010ffff]|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*"'
CTEXT = r"[ \t!-'*-\[\]-~\u0080-\U0010ffff]|\\[\x00-\x09\x0b\x0c\x0e-\x7f]"
COMMENT = rf"\((?:{CTEXT}|\((?:{CTEXT}|\((?:{CTEXT})*\))*\))*\)"  # nested three deep; the grammar has no end
ESCAPED = r"%[0-9A-Fa-f]{2}"
UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
IPV4 = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"
NAME = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?"
HOST = rf"(?:{NAME}|{IPV4}|\[[0-9A-Fa-f:.]+\])"
HOSTPORT = rf"{HOST}(?::[0-9]+)?"
USERINFO = rf"(?:(?:[{UNRESERVED}&=+$,;?/]|{ESCAPED})+(?::(?:[{UNRESERVED}&=+$,]|{ESCAPED})*)?@)"
PARAMCHAR = rf"(?:[{UNRESERVED}\[\]/:&+$]|{ESCAPED})"
HNV = rf"(?:[{UNRESERVED}\[\]/?:+$]|{ESCAPED})"
URI_PARAMS = rf"(?:;{PARAMCHAR}+(?:={PARAMCHAR}+)?)*"
URI_HEADERS = rf"(?:\?{HNV}+={HNV}*(?:&{HNV}+={HNV}*)*)?"
SIP_URI = rf"[sS][iI][pP][sS]?:{USERINFO}?{HOSTPORT}{URI_PARAMS}{URI_HEADERS}"
ABSOLUTE_URI = rf"(?![sS][iI][pP][sS]?:)[A-Za-z][A-Za-z0-9+\-.]*:(?:[{UNRESERVED};/?:@&=+$,\[\]]|{ESCAPED})+"
URI = rf"(?:{SIP_URI}|{ABSOLUTE_URI})"
GEN_VALUE = rf"(?:{TOKEN}|{HOST}|{QUOTED})"
PARAMS = rf"(?:{SWS};{SWS}{TOKEN}(?:{SWS}={SWS}{GEN_VALUE})?)*"
NAME_ADDR = rf"(?:{QUOTED}{SWS}|(?:{TOKEN}[ \t]+)*(?:{TOKEN})?{SWS})<{URI}>"
BARE_ADDR = rf"{URI}"
AUTH_VALUE = rf"(?:{TOKEN}|{QUOTED})"
AUTH_PARAMS = rf"{TOKEN}{SWS}={SWS}{AUTH_VALUE}(?:{SWS},{SWS}{TOKEN}{SWS}={SWS}{AUTH_VALUE})*"
MEDIA = rf"{TOKEN}{SWS}/{SWS}{TOKEN}{PARAMS}"
DATE = (r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
        r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
SERVER = rf"(?:{TOKEN}(?:{SWS}/{SWS}{TOKEN})?|{COMMENT})(?:[ \t]+(?:{TOKEN}(?:{SWS}/{SWS}{TOKEN})?|{COMMENT}))*"
TOKENS = rf"{TOKEN}(?:{SWS},{SWS}{TOKEN})*"
VIA = re.compile(rf"SIP{SWS}/{SWS}2\.0{SWS}/{SWS}({TOKEN})[ \t]+({HOST})(?:{SWS}:{SWS}([0-9]+))?{SWS}(.*)\Z", re.S)
VIA_PARAM = re.compile(rf"{SWS};{SWS}({TOKEN})(?:{SWS}={SWS}({TOKEN}|{HOST}|{QUOTED}|[0-9A-Fa-f:.]+))?")
PARAM = re.compile(rf"{SWS};{SWS}({TOKEN})(?:{SWS}={SWS}({GEN_VALUE}))?")

RULES = {name: re.compile(text + r"\Z", re.S) for name, text in {
    "from": rf"(?:{NAME_ADDR}|{BARE_ADDR}){PARAMS}",
    "to": rf"(?:{NAME_ADDR}|{BARE_ADDR}){PARAMS}",
    "reply-to": rf"(?:{NAME_ADDR}|{BARE_ADDR}){PARAMS}",
    "refer-to": rf"(?:{NAME_ADDR}|{BARE_ADDR}){PARAMS}",
    "referred-by": rf"(?:{NAME_ADDR}|{BARE_ADDR}){PARAMS}",
    "call-id": rf"{WORD}(?:@{WORD})?",
    "cseq": rf"[0-9]+[ \t]+{TOKEN}",
    "max-forwards": r"[0-9]+",
    "max-breadth": r"[0-9]+",
    "content-length": r"[0-9]+",
    "content-type": MEDIA,
    "content-disposition": rf"{TOKEN}{PARAMS}",
    "content-language": rf"{TOKEN}(?:{SWS},{SWS}{TOKEN})*",
    "mime-version": r"[0-9]+\.[0-9]+",
    "date": DATE,
    "expires": r"[0-9]+",
    "min-expires": r"[0-9]+",
    "flow-timer": r"[0-9]+",
    "retry-after": rf"[0-9]+{SWS}(?:{COMMENT})?{PARAMS}",
    "timestamp": r"[0-9]+(?:\.[0-9]*)?(?:[ \t]+[0-9]*(?:\.[0-9]*)?)?",
    "allow": rf"(?:{TOKENS})?",
    "supported": rf"(?:{TOKENS})?",
    "require": TOKENS,
    "proxy-require": TOKENS,
    "unsupported": TOKENS,
    "allow-events": TOKENS,
    "accept": rf"(?:(?:\*/\*|{TOKEN}{SWS}/{SWS}\*|{TOKEN}{SWS}/{SWS}{TOKEN}){PARAMS}"
              rf"(?:{SWS},{SWS}(?:\*/\*|{TOKEN}{SWS}/{SWS}\*|{TOKEN}{SWS}/{SWS}{TOKEN}){PARAMS})*)?",
    "accept-encoding": rf"(?:(?:{TOKEN}|\*){PARAMS}(?:{SWS},{SWS}(?:{TOKEN}|\*){PARAMS})*)?",
    "event": rf"{TOKEN}{PARAMS}",
    "subscription-state": rf"{TOKEN}{PARAMS}",
    "session-expires": rf"[0-9]+{PARAMS}",
    "min-se": rf"[0-9]+{PARAMS}",
    "rseq": r"[0-9]+",
    "rack": rf"[0-9]+[ \t]+[0-9]+[ \t]+{TOKEN}",
    "www-authenticate": rf"Digest[ \t]+{AUTH_PARAMS}",
    "proxy-authenticate": rf"Digest[ \t]+{AUTH_PARAMS}",
    "authorization": rf"{TOKEN}[ \t]+{AUTH_PARAMS}",
    "proxy-authorization": rf"{TOKEN}[ \t]+{AUTH_PARAMS}",
    "authentication-info": AUTH_PARAMS,
    "proxy-authentication-info": AUTH_PARAMS,
    "server": SERVER,
    "user-agent": SERVER,
    "warning": rf"[0-9]{{3}} (?:{HOSTPORT}|{TOKEN}) {QUOTED}(?:{SWS},{SWS}[0-9]{{3}} (?:{HOSTPORT}|{TOKEN}) {QUOTED})*",
    "reason": rf"{TOKEN}{PARAMS}(?:{SWS},{SWS}{TOKEN}{PARAMS})*",
    "privacy": rf"{TOKEN}(?:{SWS};{SWS}{TOKEN})*",
    "sip-etag": TOKEN,
    "sip-if-match": TOKEN,
    "priority": TOKEN,
}.items()}
ADDRESSES = re.compile(rf"(?:{NAME_ADDR}|{BARE_ADDR}){PARAMS}\Z", re.S)
BRACKETED = re.compile(rf"{NAME_ADDR}{PARAMS}\Z", re.S)
REQUEST_LINE = re.compile(rf"({TOKEN}) ({URI}) SIP/2\.0\Z")
STATUS_LINE = re.compile(rf"SIP/2\.0 ([1-6][0-9]{{2}}) (.*)\Z", re.S)
HEADER = re.compile(rf"({TOKEN})[ \t]*:{SWS}(.*?){SWS}\Z", re.S)

COMPACT = {"i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length", "c": "content-type",
           "f": "from", "s": "subject", "k": "supported", "t": "to", "v": "via", "o": "event", "u": "allow-events",
           "r": "refer-to", "b": "referred-by", "x": "session-expires", "a": "accept-contact", "j": "reject-contact",
           "d": "request-disposition"}
ONCE = {"from", "to", "call-id", "cseq", "max-forwards", "max-breadth", "content-length", "content-type",
        "content-disposition", "mime-version", "date", "expires", "min-expires", "flow-timer", "retry-after", "timestamp",
        "event", "subscription-state", "session-expires", "min-se", "rseq", "rack", "server", "user-agent", "subject",
        "organization", "priority", "reply-to", "refer-to", "referred-by", "sip-etag", "sip-if-match", "privacy",
        "authentication-info"}
LISTS = {"via", "contact", "route", "record-route", "path", "service-route", "p-asserted-identity",
         "p-preferred-identity", "p-associated-uri", "history-info", "allow", "supported", "require", "proxy-require",
         "unsupported", "allow-events", "accept", "accept-encoding", "warning", "reason", "error-info", "call-info",
         "alert-info", "in-reply-to", "accept-contact", "reject-contact"}
ADDRESS_LISTS = {"contact": ADDRESSES, "route": BRACKETED, "record-route": BRACKETED, "path": BRACKETED,
                 "service-route": BRACKETED, "p-asserted-identity": ADDRESSES, "p-preferred-identity": ADDRESSES,
                 "p-associated-uri": ADDRESSES}
CSEQ_MAX = 2**31 - 1
DIALOG_METHODS = {"INVITE", "SUBSCRIBE", "UPDATE", "NOTIFY", "REFER"}  # requests that carry exactly one Contact
ALGORITHMS = {"MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS", "SHA-512-256", "SHA-512-256-SESS"}


def split_commas(value, separator=","):
    """The items of a comma list; commas inside quotes and angle brackets are data."""
    items, begin, quoted, angle, at = [], 0, False, False, 0
    while at < len(value):
        c = value[at]
        if quoted:
            at += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c == "<":
            angle = True
        elif c == ">":
            angle = False
        elif c == separator and not angle:
            items.append(value[begin:at].strip(" \t"))
            begin = at + 1
        at += 1
    items.append(value[begin:].strip(" \t"))
    return items


def unquote(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _params(text, pattern, what):
    found, at = {}, 0
    while at < len(text.rstrip(" \t")):
        m = pattern.match(text, at)
        if not m:
            fail(f"parameters of {what}", text)
        name = m.group(1).lower()
        if name in found:
            fail(f"parameter twice in {what}", text)
        found[name] = m.group(2)
        at = m.end()
    return found


class Via:
    def __init__(self, text):
        m = VIA.match(text)
        if not m:
            fail("Via", text)
        self.text = text
        self.transport, self.host, self.port = m.group(1).upper(), m.group(2), int(m.group(3)) if m.group(3) else None
        self.params = _params(m.group(4), VIA_PARAM, "Via")
        if self.port is not None and not 0 < self.port < 65536:
            fail("port in Via", text)
        received = self.params.get("received")
        if received is not None:
            try:
                ipaddress.ip_address(received.strip("[]"))
            except ValueError:
                fail("received is no address", text)
        rport = self.params.get("rport")
        if rport is not None and not (rport.isdigit() and 0 < int(rport) < 65536):
            fail("rport", text)

    @property
    def branch(self):
        return self.params.get("branch")

    @property
    def sent_by(self):
        return f"{self.host.lower()}:{self.port or (5061 if self.transport in ('TLS', 'WSS') else 5060)}"

    def __repr__(self):
        return self.text


class Address:
    """A name-addr or addr-spec with header parameters."""

    def __init__(self, text):
        self.text = text
        if "<" in re.sub(QUOTED, "", text):
            self.display, _, rest = self._split(text)
            self.uri, _, tail = rest.partition(">")
        else:
            self.display = ""
            self.uri, semicolon, tail = text.partition(";")
            tail = semicolon + tail
        self.uri = self.uri.strip(" \t")
        self.params = _params(tail, PARAM, "an address")

    @staticmethod
    def _split(text):
        m = re.match(rf"{SWS}({QUOTED})", text)
        at = text.index("<", m.end() if m else 0)
        return text[:at].strip(" \t"), "<", text[at + 1:]

    @property
    def tag(self):
        return self.params.get("tag")

    def __repr__(self):
        return self.text


def uri_parts(uri):
    """(scheme, user part or None, host, port or None, {parameter: value}) of a SIP URI."""
    m = re.match(rf"([sS][iI][pP][sS]?):(?:({USERINFO}))?({HOST})(?::([0-9]+))?({URI_PARAMS})", uri)
    if not m:
        fail("not a SIP URI", uri)
    params = {}
    for item in m.group(5).split(";")[1:]:
        name, _, value = item.partition("=")
        params[name.lower()] = value
    user = m.group(2)[:-1] if m.group(2) else None
    return m.group(1).lower(), user, m.group(3), int(m.group(4)) if m.group(4) else None, params


class Message:
    """One request or response; header names keep their spelling, lookups know compact forms and ignore case."""

    def __init__(self):
        self.raw = b""
        self.method = None  # requests
        self.uri = None
        self.code = None  # responses
        self.reason = None
        self.headers = []  # [(name, value)] as text, unfolded, in order
        self.body = b""
        self.source = None  # address it came from
        self.flow = None  # what it came over
        self.tx = None  # its transaction

    def all(self, name):
        wanted = canonical(name)
        return [v for n, v in self.headers if canonical(n) == wanted]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    def items(self, name):
        """The items of all headers of that name, comma lists taken apart."""
        return [item for value in self.all(name) for item in split_commas(value) if item]

    def addresses(self, name):
        return [Address(item) for item in self.items(name)]

    @property
    def vias(self):
        return [Via(item) for item in self.items("via")]

    @property
    def from_(self):
        return Address(self.get("from"))

    @property
    def to(self):
        return Address(self.get("to"))

    @property
    def call_id(self):
        return self.get("call-id")

    @property
    def cseq(self):
        number, method = self.get("cseq").split()
        return int(number), method

    @property
    def contact(self):
        found = self.items("contact")
        return Address(found[0]) if found else None

    def __repr__(self):
        start = f"{self.method} {self.uri}" if self.method else f"{self.code} {self.reason}"
        return f"<{start} | cseq {self.get('cseq')} call {self.get('call-id')} to {self.get('to')}>"

    def show(self):
        return self.raw.decode("utf-8", "backslashreplace")


def canonical(name):
    low = name.lower()
    return COMPACT.get(low, low)


# --- reading ----------------------------------------------------------------------------------------------------------

def parse_head(head):
    """A message from the bytes of its head, the blank line included."""
    if re.search(rb"(?<!\r)\n|\r(?!\n)", head):
        fail("CR or LF alone", head)
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        fail("head is not UTF-8", head)
    message = Message()
    lines = text[:-4].split("\r\n")
    start = lines[0]
    m = STATUS_LINE.match(start)
    if m:
        message.code, message.reason = int(m.group(1)), m.group(2)
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", message.reason):
            fail("reason phrase", head)
    else:
        m = REQUEST_LINE.match(start)
        if not m:
            fail("start line", start)
        message.method, message.uri = m.group(1), m.group(2)
    unfolded = []
    for line in lines[1:]:
        if line[:1] in (" ", "\t"):
            if not unfolded:
                fail("folded start line", head)
            unfolded[-1] += " " + line.lstrip(" \t")
        else:
            unfolded.append(line)
    for line in unfolded:
        m = HEADER.match(line)
        if not m:
            fail("header line", line)
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", re.sub(r"\\.", "", m.group(2), flags=re.S)):  # quoted pairs may be any
            fail("control character in a header", line)
        message.headers.append((m.group(1), m.group(2)))
    return message


def parse_datagram(data):
    end = data.find(b"\r\n\r\n")
    if end < 0:
        fail("datagram without a blank line", data)
    message = parse_head(data[:end + 4])
    message.body = data[end + 4:]
    message.raw = bytes(data)
    length = message.get("content-length")
    if length is not None and int(length) != len(message.body):
        fail(f"Content-Length {length} over {len(message.body)} bytes", data)
    judge(message)
    return message


class StreamReader:
    """Feed it bytes; it calls on_message(message), and on_pong() for each CRLF between messages (RFC 5626 3.5.1)."""

    def __init__(self, on_message, on_pong=None):
        self.on_message, self.on_pong = on_message, on_pong
        self._buffer = bytearray()

    def idle(self):
        return not self._buffer

    def close(self):
        if self._buffer:
            fail("the stream ends inside a message", self._buffer)

    def feed(self, data):
        self._buffer += data
        while self._buffer:
            if self._buffer[:1] == b"\r":
                if len(self._buffer) < 2:
                    return
                if self._buffer[:2] != b"\r\n":
                    fail("CR alone between messages", self._buffer)
                del self._buffer[:2]
                if self.on_pong:
                    self.on_pong()
                continue
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    fail("endless head", self._buffer)
                return
            message = parse_head(bytes(self._buffer[:end + 4]))
            length = message.get("content-length")
            if length is None:
                fail("no Content-Length on a stream", self._buffer)
            if not length.isdigit():
                fail("Content-Length", self._buffer)
            whole = end + 4 + int(length)
            if len(self._buffer) < whole:
                return
            message.raw = bytes(self._buffer[:whole])
            message.body = message.raw[end + 4:]
            del self._buffer[:whole]
            judge(message)
            self.on_message(message)


# --- judging ----------------------------------------------------------------------------------------------------------

def judge(message):
    """Everything that can be said about a message without knowing who it is for."""
    seen = {}
    for name, value in message.headers:
        low = canonical(name)
        seen[low] = seen.get(low, 0) + 1
        rule = RULES.get(low)
        if rule and not rule.match(value):
            fail(f"value of {name}", value)
        if low in ADDRESS_LISTS:
            _judge_addresses(message, name, low, value)
        if low in LISTS and any(not item for item in split_commas(value)) and value.strip():
            fail(f"empty item in {name}", value)
    for name in ONCE:
        if seen.get(name, 0) > 1:
            fail(f"{name} twice", message.raw)
    for name in ("via", "from", "to", "call-id", "cseq") + (("max-forwards",) if message.method else ()):
        if name not in seen:
            fail(f"no {name}", message.raw)
    number, method = message.cseq
    if number > CSEQ_MAX:
        fail("CSeq out of range", message.raw)
    if not message.from_.tag:
        fail("From without tag", message.raw)
    for address in (message.from_, message.to):
        if "<" not in address.text and re.search(r"[,;?]", address.uri):
            fail("URI that needs angle brackets", address.text)
    if message.body and "content-type" not in seen:
        fail("a body without Content-Type", message.raw)
    for via in message.vias:
        if via.branch is not None and not re.fullmatch(TOKEN, via.branch):
            fail("branch", via.text)
    if message.method:
        _judge_request(message, method)
    else:
        _judge_response(message, method, seen)


def _judge_addresses(message, name, low, value):
    if low == "contact" and value == "*":
        if message.method != "REGISTER":
            fail("Contact: * outside REGISTER", message.raw)
        return
    for item in split_commas(value):
        if not ADDRESS_LISTS[low].match(item):
            fail(f"value of {name}", value)
        address = Address(item)
        if "<" not in item and re.search(r"[,;?]", address.uri):
            fail("URI that needs angle brackets", item)
        if low in ("route", "record-route", "path") and "lr" not in uri_parts(address.uri)[4]:
            fail(f"{name} without lr", item)
        q = address.params.get("q")
        if q is not None and not re.fullmatch(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", q):
            fail("q", item)
        expires = address.params.get("expires")
        if low == "contact" and expires is not None and not expires.isdigit():
            fail("expires of a contact", item)


def _judge_request(message, method):
    if method != message.method:
        fail("CSeq names another method", message.raw)
    if int(message.get("max-forwards")) > 255:
        fail("Max-Forwards", message.raw)
    top = message.vias[0]
    if not (top.branch or "").startswith("z9hG4bK") or len(top.branch) < 10:
        fail("branch of the top Via", message.raw)
    contacts = message.items("contact")
    if message.method in DIALOG_METHODS and len(contacts) != 1:
        fail(f"{message.method} with {len(contacts)} contacts", message.raw)
    if message.method in ("MESSAGE", "PUBLISH", "BYE", "CANCEL") and contacts:
        fail(f"{message.method} with Contact", message.raw)
    if message.method == "CANCEL" and (len(message.vias) != 1 or message.all("require")):
        fail("CANCEL with several Via, or Require", message.raw)
    if message.method == "NOTIFY" and not (message.get("event") and message.get("subscription-state")):
        fail("NOTIFY without Event or Subscription-State", message.raw)
    if message.method == "SUBSCRIBE" and not message.get("event"):
        fail("SUBSCRIBE without Event", message.raw)
    if message.method == "PRACK" and not message.get("rack"):
        fail("PRACK without RAck", message.raw)


# The headers without which a status cannot be understood (RFC 3261 8.2, 10.3, 20.5, 20.23, 22.1; 3329; 4028; 6665).
OWED = {401: "www-authenticate", 405: "allow", 407: "proxy-authenticate", 416: None, 420: "unsupported",
        421: "require", 422: "min-se", 423: "min-expires", 489: "allow-events"}


def _judge_response(message, method, seen):
    code = message.code
    if code > 100 and not message.to.tag:
        fail("response without To tag", message.raw)
    owed = OWED.get(code)
    if owed and owed not in seen:
        fail(f"{code} without {owed}", message.raw)
    if code == 415 and not seen.keys() & {"accept", "accept-encoding", "accept-language"}:
        fail("415 without Accept", message.raw)
    contacts = message.items("contact")
    if method in ("INVITE", "SUBSCRIBE", "UPDATE") and 200 <= code < 300 and len(contacts) != 1:
        fail(f"{code} to {method} with {len(contacts)} contacts", message.raw)
    if method in ("MESSAGE", "PUBLISH", "CANCEL", "BYE") and 200 <= code < 300 and contacts:
        fail(f"{code} to {method} with Contact", message.raw)
    if method == "MESSAGE" and 200 <= code < 300 and message.body:
        fail("2xx to MESSAGE with a body", message.raw)  # RFC 3428 section 7
    if method != "INVITE" and 100 < code < 200:
        fail("provisional response other than 100 to a non-INVITE", message.raw)  # RFC 4320 section 4.1
    if method != "INVITE" and code == 408:
        fail("408 to a non-INVITE", message.raw)  # RFC 4320 section 4.2
    for name in ("www-authenticate", "proxy-authenticate"):
        for value in message.all(name):
            _judge_challenge(value)


def _judge_challenge(value):
    found = challenge(value)
    for name in ("realm", "nonce"):
        if name not in found:
            fail(f"challenge without {name}", value)
    quoted = {m.group(1).lower() for m in re.finditer(rf'({TOKEN}){SWS}={SWS}"', value)}
    for name in ("realm", "nonce", "opaque", "domain", "qop"):
        if name in found and name not in quoted:
            fail(f"{name} of a challenge is not quoted", value)
    for name in ("algorithm", "stale"):
        if name in quoted:
            fail(f"{name} of a challenge is quoted", value)
    if found.get("algorithm", "MD5").upper() not in ALGORITHMS:
        fail("algorithm", value)
    if found.get("stale", "false").lower() not in ("true", "false"):
        fail("stale", value)
    if "qop" in found and "auth" not in re.split(r"[ ,]+", found["qop"]):
        fail("qop without auth", value)


def challenge(value):
    """The parameters of a digest header; names in lower case, values unquoted."""
    found = {}
    for m in re.finditer(rf"({TOKEN}){SWS}={SWS}({QUOTED}|{TOKEN})", value.partition(" ")[2]):
        if m.group(1).lower() in found:
            fail("parameter twice in a digest header", value)
        found[m.group(1).lower()] = unquote(m.group(2))
    return found


def judge_answer(request, response, source=None):
    """What a response owes the request it answers (8.2.6.2, 18.2.1; RFC 3581 4). source: where the server saw it."""
    ours, theirs = request.vias, response.vias
    if len(theirs) != len(ours):
        fail(f"{len(theirs)} Via where {len(ours)} were sent", response.raw)
    for sent, got in zip(ours, theirs):
        if (sent.transport, sent.sent_by, sent.branch) != (got.transport, got.sent_by, got.branch):
            fail(f"Via {got} is not the one sent, {sent}", response.raw)
        if set(sent.params) - set(got.params):
            fail(f"Via {got} has lost parameters of {sent}", response.raw)
    top, echoed = ours[0], theirs[0]
    if "rport" in top.params and echoed.params["rport"] is None:
        fail("rport is not filled in", response.raw)
    if source:
        if "rport" in top.params and int(echoed.params["rport"]) != source[1]:
            fail(f"rport is not the source port {source[1]}", response.raw)
        received = echoed.params.get("received")
        if received is not None and _address(received) != _address(source[0]):
            fail(f"received is not the source {source[0]}", response.raw)
        if received is None and _address(top.host) != _address(source[0]):
            fail("received is missing", response.raw)
    for name in ("call-id", "cseq", "from"):
        if response.get(name).replace("\t", " ") != request.get(name).replace("\t", " "):
            fail(f"{name} differs from the request's {request.get(name)!r}", response.raw)
    to = request.get("to")
    if not response.get("to").startswith(to):
        fail(f"To differs from the request's {to!r}", response.raw)
    if request.to.tag and response.get("to") != to:
        fail(f"To tag differs from the request's {to!r}", response.raw)


def _address(text):
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return text.lower()
    return getattr(address, "ipv4_mapped", None) or address
