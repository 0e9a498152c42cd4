"""sip_peer.py - a SIP endpoint of its own for the end-to-end tests (RFC 3261, 3262, 3311, 3581, 5626, 6026, 6665, 7118).

Nothing here knows parleyd. Whatever arrives goes through strict_sip; transactions are kept by the book, on UDP with
the RFC's retransmissions. A response to nothing, a changed retransmission, two final answers, a CANCEL that does not
fit its INVITE, a request in a dialog that is out of order: each fails the test at its next call. Requests other
than INVITE are answered by themselves (`auto`); all of them can be taken with `take_request`.
"""
import collections
import copy
import os
import re
import threading
import time
import uuid

import strict_sip
from peer import digest
from sip_wire import TIMEOUT, Datagrams, Gone, Listener, Stream, WebSocket, clock, host_text
from strict_sip import Address, Violation, fail

T1, T2, T4 = 0.5, 4.0, 5.0  # seconds, RFC 3261 table 4
EARLY = 0.3  # seconds; how much sooner than a limit of the RFC a busy machine may seem to be
REASONS = {100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK",
           202: "Accepted", 302: "Moved Temporarily", 400: "Bad Request", 404: "Not Found", 415: "Unsupported Media Type",
           480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here",
           487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
           503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline"}
SDP = ("v=0\r\no=- {number} 1 IN IP{version} {host}\r\ns=-\r\nc=IN IP{version} {host}\r\nt=0 0\r\n"
       "m=message 2855 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://{bracketed}:2855/{number};tcp\r\n")


class NoAnswer(AssertionError):
    """What the test waits for did not come in time."""


def token(size=8):
    return os.urandom(size).hex()


def sdp(host="127.0.0.1", number=1):
    return SDP.format(number=number, host=host, bracketed=host_text(host), version=6 if ":" in host else 4).encode()


def lines(headers):
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


def finish(head, body=b"", content_type=None):
    """The bytes of a message from its head so far."""
    if body and content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode("utf-8") + f"Content-Length: {len(body)}\r\n\r\n".encode() + bytes(body)


def read(data):
    """A message of our own as an object; not judged, for a test may want it to be odd."""
    end = data.index(b"\r\n\r\n") + 4
    message = strict_sip.parse_head(data[:end])
    message.raw, message.body = bytes(data), data[end:]
    return message


class ClientTransaction:
    """One request of ours and everything that came back for it."""

    def __init__(self, peer, request, flow, to, again=None):
        self.peer, self.flow, self.to, self._again = peer, flow, to, again
        self.challenged = []  # the 401s and 407s that were answered with credentials
        self._use(request)

    def _use(self, request):
        self.request = request
        self.method, self.branch = request.cseq[1], request.vias[0].branch
        self.responses = collections.deque()  # not taken yet
        self.all = []
        self.finals = []
        self.sent = 0  # copies of the request
        self.timed_out = False
        self.began = time.monotonic()
        self.acks = {}  # To tag -> (flow, address, bytes) of the ACK for a 2xx, repeated for each repeated 2xx
        self._end = None
        self._interval = T1

    def start(self):
        self._transmit()
        self._end = clock.after(64 * T1, self._give_up)

    def _transmit(self):
        with self.peer.lock:
            if self.sent and (self.finals or self.timed_out or (self.method == "INVITE" and self.all)):
                return
            self.sent += 1
            if not self.flow.reliable:
                clock.after(self._interval, lambda branch=self.branch: self._transmit_again(branch))
                self._interval *= 2
                if self.method != "INVITE":
                    self._interval = T2 if self.all else min(self._interval, T2)
            self.flow.send(self.request.raw, self.to)

    def _transmit_again(self, branch):
        with self.peer.lock:
            if branch == self.branch and not self.peer.closed:
                self._transmit()

    def _give_up(self):
        with self.peer.lock:
            self.timed_out = not self.finals
            self.peer.lock.notify_all()

    def arrived(self, response):
        """Called with the lock held."""
        strict_sip.judge_answer(self.request, response, self.flow.local)
        if not self.flow.reliable and "rport" in self.request.vias[0].params and response.source != self._target():
            fail(f"the response came from {response.source}, the request went to {self._target()}", response.raw)
        response.tx = self
        if response.code < 200:
            if self.method != "INVITE" and not self.flow.reliable and time.monotonic() - self.began < 3.5 - EARLY:
                fail("100 to a non-INVITE before Timer E has reached T2", response.raw)  # RFC 4320 4.1
            if self.finals and self.flow.reliable:
                fail("a provisional response after a final one", response.raw)
        elif not self._new_final(response) or self._challenged(response):
            return
        self.all.append(response)
        self.responses.append(response)

    def _challenged(self, response):
        """Goes on with credentials as another transaction; a husk stays for what still comes for the old one."""
        if response.code not in (401, 407) or not self._again:
            return False
        self.challenged.append(response)
        request = self._again(self, response)
        if request is None:
            return False
        husk = copy.copy(self)
        husk._again = None
        self.peer.client[(self.branch, self.method)] = husk
        self._end.cancel()
        self._use(request)
        self.peer.client[(self.branch, self.method)] = self
        self.start()
        return True

    def _target(self):
        return tuple((self.to or self.flow.remote)[:2])

    def _new_final(self, response):
        if self.method != "INVITE":
            if self.finals:
                self._same(response, self.finals[0])
                self.finals.append(response)
                if len(self.finals) > self.sent:
                    fail("more final responses than requests", response.raw)
                return False
            self.finals.append(response)
            return True
        same = [r for r in self.finals if r.to.tag == response.to.tag]
        if response.code >= 300:
            if self.finals:
                self._same(response, self.finals[0])
            self.finals.append(response)
            self._ack_failure(response)
            if same and self.flow.reliable:
                fail("a final response repeated on a reliable transport", response.raw)  # 17.2.1: Timer G
            return not same
        if [r for r in self.finals if r.code >= 300]:
            fail(f"{response.code} after {self.finals[0].code}", response.raw)
        self.finals.append(response)
        if same:
            if (response.code, response.body) != (same[0].code, same[0].body):
                fail("a 2xx repeated with another content", response.raw)
            if response.to.tag in self.acks:
                flow, to, data = self.acks[response.to.tag]
                flow.send(data, to)
        return not same

    @staticmethod
    def _same(response, first):
        """A repeated final response is the same one; a challenge without state has a new nonce, but its To tag (8.2.7)."""
        kept = lambda r: [h for h in r.headers if h[0].lower() not in ("www-authenticate", "proxy-authenticate")]
        if response.code in (401, 407) and response.code == first.code and kept(response) == kept(first):
            return
        if response.raw != first.raw:
            fail(f"two final responses that differ: {first.raw!r}", response.raw)

    def _ack_failure(self, response):
        request = self.request
        head = (f"ACK {request.uri} SIP/2.0\r\nVia: {request.vias[0].text}\r\nMax-Forwards: 70\r\n"
                f"From: {request.get('from')}\r\nTo: {response.get('to')}\r\nCall-ID: {request.call_id}\r\n"
                f"CSeq: {request.cseq[0]} ACK\r\n" + lines(("Route", r) for r in request.items("route")))
        self.flow.send(finish(head), self.to)

    # --- for the test ---

    def take(self, match=None, what="a response", timeout=None):
        """The next response that matches, taken out; earlier ones stay."""
        def find():
            for response in self.responses:
                if match is None or match(response):
                    self.responses.remove(response)
                    return response
            return None
        return self.peer.wait(find, f"{what} to {self.request}", timeout, lambda: self.timed_out)

    def final(self, timeout=None):
        return self.take(lambda r: r.code >= 200, "the final response", timeout)

    def provisional(self, code, timeout=None):
        return self.take(lambda r: r.code == code, str(code), timeout)

    def cancel(self, headers=()):
        """The CANCEL of this INVITE as a transaction (9.1); a provisional response must have come."""
        request = self.request
        head = (f"CANCEL {request.uri} SIP/2.0\r\nVia: {request.vias[0].text}\r\nMax-Forwards: 70\r\n"
                f"From: {request.get('from')}\r\nTo: {request.get('to')}\r\nCall-ID: {request.call_id}\r\n"
                f"CSeq: {request.cseq[0]} CANCEL\r\n" + lines(("Route", r) for r in request.items("route")) +
                lines(headers))
        return self.peer.start(read(finish(head)), self.flow, self.to)

    def dialog(self, response):
        return Dialog.uac(self, response)


class ServerTransaction:
    """One request of theirs and our answer to it."""

    def __init__(self, peer, request, flow):
        self.peer, self.request, self.flow = peer, request, flow
        self.method = request.method
        self.tag = token()
        self.received = 1  # copies of the request
        self.last = None  # bytes of the last response
        self.code = None
        self.acked = False
        self.ack = None
        self.cancelled = False
        self.dialog = None
        self._rseq = int.from_bytes(os.urandom(3), "big") + 1
        self._timers = {}

    def respond(self, code, reason=None, headers=(), body=b"", content_type=None, tag=None, reliable=False,
                contact=True):
        """Sends a response; final ones to INVITE are repeated until the ACK, reliable 1xx until the PRACK."""
        with self.peer.lock:
            data = self.compose(code, reason, headers, body, content_type, tag, reliable, contact)
            self.last, self.code = data, code
            self._send(data)
            if self.method == "INVITE":
                if code >= 300 and not self.flow.reliable or 200 <= code < 300:
                    self._repeat("final", data, lambda: self.acked, cap=T2)
                elif reliable:
                    rseq = self._rseq
                    self._repeat(rseq, data, lambda: rseq in self.peer.pracked or self.code >= 200)
            return read(data)

    def compose(self, code, reason=None, headers=(), body=b"", content_type=None, tag=None, reliable=False,
                contact=True):
        request = self.request
        to = request.get("to")
        if code > 100 and not request.to.tag:
            to += f";tag={tag or self.tag}"
        head = f"SIP/2.0 {code} {reason or REASONS.get(code, 'Whatever')}\r\n"
        head += lines(("Via", text) for text in self._vias())
        head += f"From: {request.get('from')}\r\nTo: {to}\r\nCall-ID: {request.call_id}\r\nCSeq: {request.get('cseq')}\r\n"
        if code > 100 and code < 300:
            head += lines(("Record-Route", r) for r in request.all("record-route"))
            if contact and self.method in ("INVITE", "SUBSCRIBE", "UPDATE", "REFER"):
                head += f"Contact: {self.peer.contact_header()}\r\n"
        if reliable:
            self._rseq += 1
            self.peer.pracked.discard(self._rseq)
            head += f"Require: 100rel\r\nRSeq: {self._rseq}\r\n"
        head += lines(headers)
        if body and not content_type:
            content_type = "application/sdp"
        return finish(head, body, content_type)

    def _vias(self):
        """The request's Vias, the top one with what a receiver adds (18.2.1, RFC 3581 4)."""
        top, *rest = self.request.vias
        text, source = top.text, self.request.source
        if "rport" in top.params and top.params["rport"] is None:
            text = re.sub(r"(?i);[ \t]*rport(?=[ \t;]|\Z)", f";rport={source[1]}", text) + f";received={source[0]}"
        return [text] + [via.text for via in rest]

    def _send(self, data):
        self.flow.send(data, self.destination())

    def destination(self):
        """Where an answer on UDP goes (18.2.2, RFC 3581 4)."""
        if self.flow.reliable:
            return None
        via = self.request.vias[0]
        if "rport" in via.params:
            return self.request.source
        return (via.params.get("received") or via.host).strip("[]"), via.port or 5060

    def _repeat(self, key, data, enough, interval=T1, cap=None, spent=0.0):
        def again():
            with self.peer.lock:
                if enough() or self.peer.closed:
                    return
                if spent + interval > 64 * T1:
                    self.peer.wrong(Violation(f"nobody acknowledges {data[:60]!r}"))
                    return
                self._send(data)
                longer = 2 * interval
                self._repeat(key, data, enough, min(longer, cap) if cap else longer, cap, spent + interval)
        self._timers[key] = clock.after(interval, again)

    def accept(self, body=None, headers=(), tag=None, **how):
        """200 with a session description; the dialog."""
        host = self.peer.flow.local[0]
        self.respond(200, headers=headers, body=sdp(host) if body is None else body, tag=tag, **how)
        self.dialog = Dialog.uas(self, self.request.to.tag or tag or self.tag)
        return self.dialog

    def wait_ack(self, timeout=None):
        self.peer.wait(lambda: self.acked, f"the ACK for {self.request}", timeout)
        return self.ack

    def wait_cancel(self, timeout=None):
        self.peer.wait(lambda: self.cancelled, f"the CANCEL of {self.request}", timeout)


class Dialog:
    """One side of a dialog (section 12)."""

    def __init__(self, peer, call_id, local, remote, local_seq, remote_seq, target, routes):
        self.peer, self.call_id, self.local, self.remote = peer, call_id, local, remote
        self.local_seq, self.remote_seq, self.target, self.routes = local_seq, remote_seq, target, routes
        self.invite = None
        peer.dialogs[(call_id, Address(local).tag, Address(remote).tag)] = self

    @classmethod
    def uac(cls, tx, response):
        request = tx.request
        key = (request.call_id, request.from_.tag, response.to.tag)
        found = tx.peer.dialogs.get(key)
        if found:
            if response.contact:
                found.target = response.contact.uri
            if 200 <= response.code < 300:
                found.routes = list(reversed(response.items("record-route")))
            return found
        dialog = cls(tx.peer, request.call_id, request.get("from"), response.get("to"), request.cseq[0], None,
                     response.contact.uri, list(reversed(response.items("record-route"))))
        dialog.invite = tx
        return dialog

    @classmethod
    def uas(cls, tx, tag):
        request = tx.request
        key = (request.call_id, tag, request.from_.tag)
        found = tx.peer.dialogs.get(key)
        if found:
            found.target = request.contact.uri
            return found
        return cls(tx.peer, request.call_id, request.get("to") + f";tag={tag}", request.get("from"), 0,
                   request.cseq[0], request.contact.uri, request.items("record-route"))

    def arrived(self, request):
        number, method = request.cseq
        if method in ("ACK", "CANCEL"):
            return
        if self.remote_seq is not None and number <= self.remote_seq:
            fail(f"CSeq {number} after {self.remote_seq} in a dialog", request.raw)
        self.remote_seq = number
        if method in strict_sip.DIALOG_METHODS and request.contact:
            self.target = request.contact.uri

    def request(self, method, headers=(), body=b"", content_type=None, cseq=None, auth=True, **how):
        if cseq is None:
            self.local_seq += 1
            cseq = self.local_seq
        return self.peer.ask(method, self.target, to=self.remote, from_=self.local, call_id=self.call_id, cseq=cseq,
                             headers=headers, body=body, content_type=content_type, route=self.routes, auth=auth,
                             dialog=self, **how)

    def ack(self, tx=None, body=b"", headers=()):
        """The ACK for a 2xx; repeated by itself when the 2xx is."""
        tx = tx or self.invite
        credentials = [(n, v) for n, v in tx.request.headers if n.lower() in ("proxy-authorization", "authorization")]
        flow, to = self.peer.hop(self.routes[0] if self.routes else self.target)
        message = self.peer.compose("ACK", self.target, to=self.remote, from_=self.local, call_id=self.call_id,
                                    cseq=tx.request.cseq[0], headers=credentials + list(headers), body=body,
                                    content_type="application/sdp" if body else None, route=self.routes, flow=flow)
        with self.peer.lock:
            tx.acks[Address(self.remote).tag] = (flow, to, message.raw)
            flow.send(message.raw, to)
        return message

    def bye(self, **how):
        response = self.request("BYE", **how).final()
        if response.code not in (200, 481):
            raise AssertionError(f"BYE was answered {response.show()}")
        return response


class SipPeer:
    """One user agent. transport: udp, tcp, tls, ws, wss; address: the server's listener of that kind."""

    def __init__(self, address, transport="udp", user="alice", secret=None, domain="example.org", tls=None, name=None,
                 bind=None, loss=None, outbound=None, listen=None, listener_tls=None, server_name=None, algorithm=None,
                 origin=None):
        self.address, self.transport, self.user, self.domain = tuple(address), transport, user, domain
        self.secret, self.algorithm = secret, algorithm
        self.name = name or f"{user}/{transport}"
        self.lock = threading.Condition(threading.RLock())
        self.trouble = None  # the first violation seen
        self.closed = False
        self.client, self.server, self.dialogs = {}, {}, {}
        self.requests = collections.deque()  # theirs, not taken yet
        self.seen = []  # all messages in order of arrival
        self.pracked = set()
        self.stun = []
        self.auto = {"MESSAGE": 200, "BYE": 200, "OPTIONS": 200, "NOTIFY": 200, "PRACK": 200, "UPDATE": 200,
                     "INFO": 200, "REFER": 202, "CANCEL": 200}
        self.extra = []  # flows besides our own: accepted from the server, or dialled because a route said so
        self.instance = f"urn:uuid:{uuid.uuid4()}"
        self.outbound = transport in ("tls", "ws", "wss") if outbound is None else outbound
        self.register_call, self.register_seq = token() + "@reg", 0
        self.invalid = token(6) + ".invalid"
        self.challenges = []  # those of the last 401 or 407
        self.listener = None
        host = (bind or ("::1" if ":" in address[0] else "127.0.0.1", 0))[0]
        if transport == "udp":
            self.flow = Datagrams(self, self.address, bind, loss)
            if listen:  # large requests come by TCP (18.1.1)
                self.listener = Listener(self, host, port=self.flow.local[1])
        elif transport in ("tcp", "tls"):
            if listen if listen is not None else transport == "tcp":
                self.listener = Listener(self, host, listener_tls)
            self.flow = Stream(self, self.address, tls=tls, server_name=server_name, bind=bind)
        else:
            self.flow = WebSocket(self, self.address, tls=tls, server_name=server_name, bind=bind, origin=origin)

    # --- names ------------------------------------------------------------------------------------------------------

    @property
    def aor(self):
        return f"sip:{self.user}@{self.domain}"

    @property
    def sent_by(self):
        if self.transport in ("ws", "wss"):
            return self.invalid
        port = self.listener.port if self.listener else self.flow.local[1]
        return f"{host_text(self.flow.local[0])}:{port}"

    @property
    def contact(self):
        """Our Contact URI."""
        suffix = "" if self.transport == "udp" else f";transport={'ws' if self.transport == 'wss' else self.transport}"
        return f"sip:{self.user}@{self.sent_by}{suffix}"

    def contact_header(self, params=""):
        return f"<{self.contact}{';ob' if self.outbound and self.transport != 'udp' else ''}>{params}"

    # --- arrivals (called by reader threads) ------------------------------------------------------------------------

    def changed(self):
        with self.lock:
            self.lock.notify_all()

    def wrong(self, bad):
        with self.lock:
            self.trouble = self.trouble or bad
            self.lock.notify_all()

    def ended(self, flow):
        self.changed()

    def accepted(self, flow):
        with self.lock:
            self.extra.append(flow)

    def raw_datagram(self, data, source):
        """True for what is no SIP: STUN answers (RFC 5626 3.5.2)."""
        if data[:1] in (b"\x00", b"\x01"):
            with self.lock:
                self.stun.append(data)
                self.lock.notify_all()
            return True
        return False

    def arrived(self, flow, message):
        with self.lock:
            self.seen.append(message)
            if message.code is not None:
                self._response(message)
            elif message.method == "ACK":
                self._ack(message)
            else:
                self._request(flow, message)
            self.lock.notify_all()

    def _response(self, message):
        tx = self.client.get((message.vias[0].branch, message.cseq[1]))
        if tx is None:
            fail("a response to nothing", message.raw)
        tx.arrived(message)

    def _ack(self, message):
        tx = self.server.get((message.vias[0].branch, message.vias[0].sent_by, "INVITE"))
        if tx is None:  # for a 2xx: a transaction of its own (13.2.2.4)
            fits = lambda t: (t.method == "INVITE" and t.request.call_id == message.call_id and t.code and
                              200 <= t.code < 300 and t.request.cseq[0] == message.cseq[0] and
                              t.request.from_.tag == message.from_.tag and
                              message.to.tag == read(t.last).to.tag)
            found = [t for t in self.server.values() if fits(t)]
            if not found:
                fail("an ACK for nothing", message.raw)
            tx = found[0]
            if message.uri != strict_sip.Address(read(tx.last).get("contact")).uri:
                fail(f"the ACK's Request-URI is not our Contact {self.contact}", message.raw)
        elif tx.code is None or tx.code < 300:
            fail("an ACK with the branch of an INVITE that was not refused", message.raw)
        tx.acked, tx.ack = True, message

    def _request(self, flow, message):
        via = message.vias[0]
        if via.transport != flow.transport:
            fail(f"Via says {via.transport} on {flow.transport}", message.raw)
        key = (via.branch, via.sent_by, message.method)
        tx = self.server.get(key)
        if tx:
            if message.raw != tx.request.raw:
                fail("a branch used twice, or a changed retransmission", message.raw)
            if flow.reliable:
                fail("a retransmission on a reliable transport", message.raw)
            tx.received += 1
            if tx.last:
                tx._send(tx.last)
            return
        self._check_route(message)
        tx = ServerTransaction(self, message, flow)
        message.tx = tx
        self.server[key] = tx
        if message.method == "CANCEL":
            self._cancel(tx)
            return
        if message.to.tag:
            dialog = self.dialogs.get((message.call_id, message.to.tag, message.from_.tag))
            if dialog:
                dialog.arrived(message)
        if message.method == "PRACK":
            self.pracked.add(int(message.get("rack").split()[0]))
        self.requests.append(message)
        answer = self.auto.get(message.method)
        if callable(answer):
            answer = answer(message)
        if answer:
            tx.respond(answer)

    def _check_route(self, message):
        routes = message.addresses("route")
        if routes:
            _, _, host, port, _ = strict_sip.uri_parts(routes[0].uri)
            if f"{host}:{port or 5060}" != self.sent_by:
                fail("a Route that is not ours", message.raw)

    def _cancel(self, tx):
        request, via = tx.request, tx.request.vias[0]
        invite = self.server.get((via.branch, via.sent_by, "INVITE"))
        if invite is None:
            fail("a CANCEL without INVITE", request.raw)
        theirs = invite.request
        if invite.code is None and not invite.flow.reliable and invite.last is None:
            fail("a CANCEL before any provisional response", request.raw)  # 9.1
        for name in ("from", "to", "call-id"):
            if request.get(name) != theirs.get(name):
                fail(f"{name} of the CANCEL differs from the INVITE's {theirs.get(name)!r}", request.raw)
        if (request.uri, request.cseq[0], via.text) != (theirs.uri, theirs.cseq[0], theirs.vias[0].text):
            fail(f"a CANCEL that does not fit {theirs}", request.raw)
        if request.items("route") != theirs.items("route"):
            fail("a CANCEL with another Route", request.raw)
        invite.cancelled = True
        if self.auto.get("CANCEL"):
            tx.tag = invite.tag
            tx.respond(200)
            if invite.code is None or invite.code < 200:
                invite.respond(487)

    # --- waiting ----------------------------------------------------------------------------------------------------

    def wait(self, ready, what, timeout=None, over=lambda: False):
        """Until ready() is true; fails when time runs out, over() is true or our connection has ended."""
        deadline = time.monotonic() + (timeout or TIMEOUT)
        with self.lock:
            while True:
                if self.trouble:
                    raise self.trouble
                value = ready()
                if value:
                    return value
                if self.flow.closed:
                    raise Gone(f"{self.name}: connection closed while waiting for {what}; {self.story()}")
                left = deadline - time.monotonic()
                if left <= 0 or over():
                    raise NoAnswer(f"{self.name}: {what} did not come; {self.story()}")
                self.lock.wait(left)

    def story(self):
        return "seen so far:\n" + "\n".join(m.show() for m in self.seen[-6:])

    def take_request(self, method, match=None, timeout=None):
        def find():
            for request in self.requests:
                if request.method == method and (match is None or match(request)):
                    self.requests.remove(request)
                    return request
            return None
        return self.wait(find, method, timeout)

    def check(self):
        if self.trouble:
            raise self.trouble

    def wait_closed(self, timeout=None):
        deadline = time.monotonic() + (timeout or TIMEOUT)
        with self.lock:
            while not self.flow.closed:
                self.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NoAnswer(f"{self.name}: the connection was not closed; {self.story()}")
                self.lock.wait(left)
        self.check()

    def quiet(self, seconds, what=None):
        """Nothing (or nothing for which what(message) is true) arrives for that long."""
        with self.lock:
            at = len(self.seen)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                self.lock.wait(deadline - time.monotonic())
            extra = [m for m in self.seen[at:] if what is None or what(m)]
        self.check()
        if extra:
            raise AssertionError(f"{self.name}: unexpected\n" + "\n".join(m.show() for m in extra))

    # --- sending ----------------------------------------------------------------------------------------------------

    def raw(self, data, to=None):
        self.flow.send(data, to)

    def via(self, branch=None, flow=None):
        flow = flow or self.flow
        rport = "" if flow.reliable else ";rport"
        return f"SIP/2.0/{flow.transport} {self.sent_by};branch={branch or 'z9hG4bK' + token()}{rport}"

    def compose(self, method, uri, to=None, from_=None, call_id=None, cseq=1, headers=(), body=b"", content_type=None,
                route=(), branch=None, max_forwards=70, contact=None, flow=None, vias=()):
        """A request as an object; `vias` go below our own."""
        from_ = from_ or f"<{self.aor}>;tag={token(5)}"
        head = f"{method} {uri} SIP/2.0\r\nVia: {self.via(branch, flow)}\r\n" + lines(("Via", v) for v in vias)
        if max_forwards is not None:
            head += f"Max-Forwards: {max_forwards}\r\n"
        head += lines(("Route", r) for r in route)
        head += f"From: {from_}\r\nTo: {to or '<' + uri + '>'}\r\nCall-ID: {call_id or token()}\r\nCSeq: {cseq} {method}\r\n"
        names = {strict_sip.canonical(n) for n, _ in headers}
        if method in strict_sip.DIALOG_METHODS and "contact" not in names and contact is None:
            head += f"Contact: {self.contact_header()}\r\n"
        elif contact:
            head += f"Contact: {contact}\r\n"
        return read(finish(head + lines(headers), body, content_type))

    def start(self, request, flow=None, to=None, again=None):
        """Sends a composed request as a client transaction; again(tx, challenge) makes the next try."""
        tx = ClientTransaction(self, request, flow or self.flow, to, again)
        with self.lock:
            key = (tx.branch, tx.method)
            if key in self.client:
                raise AssertionError(f"branch {tx.branch} is in use")
            self.client[key] = tx
            tx.start()
        return tx

    def hop(self, uri):
        """(flow, address) for a Route or Contact URI; what the URI says is what is done."""
        if self.transport in ("ws", "wss"):
            return self.flow, None  # RFC 7118 section 5: a browser has nothing but its connection
        uri = Address(uri).uri if "<" in uri else uri
        scheme, _, host, port, params = strict_sip.uri_parts(uri)
        kind = params.get("transport", "udp").lower()
        if scheme == "sips" and kind in ("udp", "tcp"):
            kind = "tls"
        host, port = host.strip("[]"), port or (5061 if kind == "tls" else 5060)
        if not re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]+", host):
            fail("a route that no test client can resolve", uri)
        if kind != self.transport:
            fail(f"a route by {kind} for a peer that speaks {self.transport}", uri)
        if kind == "udp":
            return self.flow, (host, port)
        for flow in [self.flow, *self.extra]:
            if flow.remote == (host, port) and not flow.closed:
                return flow, None
        if kind == "tls":
            fail("a route to another TLS address than the connection's", uri)
        flow = Stream(self, (host, port))
        self.extra.append(flow)
        return flow, None

    def ask(self, method, uri, auth=True, headers=(), cseq=1, route=(), dialog=None, from_=None, to=None, call_id=None,
            algorithm=None, flow=None, **how):
        """A request as a transaction; unless auth is False it answers challenges by itself."""
        from_ = from_ or f"<{self.aor}>;tag={token(5)}"
        call_id = call_id or token()
        target = None
        if dialog:
            flow, target = self.hop(route[0] if route else uri)

        def again(tx, response):
            """The request with credentials, or None when the answer is final."""
            stale = any(strict_sip.challenge(v).get("stale", "").lower() == "true"
                        for v in response.all("www-authenticate") + response.all("proxy-authenticate"))
            known = {n for n, _ in tx.request.headers} & {"Authorization", "Proxy-Authorization"}
            mine = self.credentials(response, method, tx.request.uri, algorithm=algorithm)
            if len(tx.challenged) > 3 or (mine[0] in known and not stale):
                return None
            kept = [(n, v) for n, v in tx.request.headers if n in known and n != mine[0]]
            number = tx.request.cseq[0] + 1
            if dialog:
                dialog.local_seq = max(dialog.local_seq, number)
            return self.compose(method, uri, to=to, from_=from_, call_id=call_id, cseq=number, route=route, flow=flow,
                                headers=[*headers, *kept, mine], **how)

        request = self.compose(method, uri, to=to, from_=from_, call_id=call_id, cseq=cseq, headers=headers,
                               route=route, flow=flow, **how)
        return self.start(request, flow, target, again if auth and self.secret is not None else None)

    def credentials(self, response, method, uri, algorithm=None, user=None, secret=None, nc=1, nonce=None, cnonce=None):
        """(header name, value) that answers a 401 or 407."""
        kind = "www-authenticate" if response.code == 401 else "proxy-authenticate"
        self.challenges = [strict_sip.challenge(v) for v in response.all(kind)]
        wanted = (algorithm or self.algorithm or "").upper()
        fitting = [c for c in self.challenges if not wanted or c.get("algorithm", "MD5").upper() == wanted]
        if not fitting:
            raise AssertionError(f"no challenge for {wanted}: {response.show()}")
        return self.answer(fitting[0], method, uri, "Authorization" if response.code == 401 else "Proxy-Authorization",
                           user, secret, nc, nonce, cnonce)

    def answer(self, found, method, uri, header="Authorization", user=None, secret=None, nc=1, nonce=None, cnonce=None):
        user, secret, cnonce = user or self.user, secret or self.secret, cnonce or token()
        nonce, algorithm = nonce or found["nonce"], found.get("algorithm", "MD5")
        response = digest(algorithm, user, found["realm"], secret, nonce, f"{nc:08x}", cnonce, uri, method)
        value = (f'Digest username="{user}", realm="{found["realm"]}", nonce="{nonce}", uri="{uri}", '
                 f'response="{response}", algorithm={algorithm}, cnonce="{cnonce}", qop=auth, nc={nc:08x}')
        if "opaque" in found:
            value += f', opaque="{found["opaque"]}"'
        return header, value

    # --- what a user does -------------------------------------------------------------------------------------------

    def register(self, expires=3600, contacts=None, headers=(), aor=None, call_id=None, cseq=None, registrar=None, **how):
        """The final answer to a REGISTER; contacts: header values, [] to ask for the bindings."""
        if cseq is None:
            self.register_seq += 2
            cseq = self.register_seq - 1
        headers = list(headers)
        if contacts is None:
            contacts = [self.contact_header(f';reg-id=1;+sip.instance="<{self.instance}>"' if self.outbound else "")]
            if self.outbound:
                headers.append(("Supported", "path, outbound"))
        headers += [("Contact", c) for c in contacts]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        aor = aor or self.aor
        return self.ask("REGISTER", registrar or f"sip:{self.domain}", to=f"<{aor}>",
                        from_=f"<{self.aor}>;tag={token(5)}", call_id=call_id or self.register_call, cseq=cseq,
                        headers=headers, **how).final()

    def message(self, uri, body=b"hello", content_type="text/plain", **how):
        """The final answer to a MESSAGE."""
        return self.ask("MESSAGE", uri, body=body, content_type=content_type, **how).final(40)

    def invite(self, uri, body=None, headers=(), **how):
        """The transaction of an INVITE that was not challenged (any more)."""
        body = sdp(self.flow.local[0]) if body is None else body
        return self.ask("INVITE", uri, body=body, content_type="application/sdp" if body else None, headers=headers,
                        **how)

    def subscribe(self, uri, event="reg", expires=3600, headers=(), accept="application/reginfo+xml", **how):
        headers = [("Event", event), ("Expires", str(expires)), ("Accept", accept), *headers]
        return self.ask("SUBSCRIBE", uri, headers=headers, **how)

    def options(self, uri=None, **how):
        return self.ask("OPTIONS", uri or f"sip:{self.domain}", **how).final()

    def close(self):
        """Ends all flows; raises what was found wrong."""
        with self.lock:
            self.closed = True
        if self.listener:
            self.listener.close()
        for flow in [self.flow, *self.extra]:
            flow.close()
        self.check()
