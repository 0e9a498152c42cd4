"""sip_transaction.py - transactions of the user agents of sip_peer, by the book (RFC 3261 section 17, RFC 3262, RFC 4320,
RFC 6026), on UDP with the RFC's retransmissions."""
import collections
import copy
import os
import re
import time

import strict_sip
from sip_dialog import Dialog
from sip_text import REASONS, finish, lines, read, sdp, token
from sip_wire import clock
from strict_sip import Violation, fail

T1, T2, T4 = 0.5, 4.0, 5.0  # seconds, RFC 3261 table 4
EARLY = 0.3  # seconds; how much sooner than a limit of the RFC a busy machine may seem to be


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
