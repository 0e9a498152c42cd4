"""sip_peer.py - a SIP endpoint of its own for the end-to-end tests (RFC 3261, 3262, 3311, 3581, 5626, 6026, 6665, 7118).

Nothing here knows parleyd. Whatever arrives goes through strict_sip; transactions are kept by the book, on UDP with
the RFC's retransmissions. A response to nothing, a changed retransmission, two final answers, a CANCEL that does not
fit its INVITE, a request in a dialog that is out of order: each fails the test at its next call. Requests other
than INVITE are answered by themselves (`auto`); all of them can be taken with `take_request`.
"""
import collections
import re
import threading
import time
import uuid

import strict_sip
from peer import digest
from sip_text import NoAnswer, finish, lines, read, sdp, token
from sip_transaction import ClientTransaction, ServerTransaction
from sip_wire import TIMEOUT, Datagrams, Gone, Listener, Stream, WebSocket, host_text
from strict_sip import Address, fail


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
            if listen:  # large requests come by TCP, to the port of the datagrams (18.1.1)
                self.listener, self.flow = self._both(host, loss)
            else:
                self.flow = Datagrams(self, self.address, bind, loss)
        elif transport in ("tcp", "tls"):
            if listen if listen is not None else transport == "tcp":
                self.listener = Listener(self, host, listener_tls)
            self.flow = Stream(self, self.address, tls=tls, server_name=server_name, bind=bind)
        else:
            self.flow = WebSocket(self, self.address, tls=tls, server_name=server_name, bind=bind, origin=origin)

    def _both(self, host, loss):
        """A stream listener and datagrams on one port, which somebody else may have taken for one of the two."""
        for _ in range(50):
            listener = Listener(self, host)
            try:
                return listener, Datagrams(self, self.address, (host, listener.port), loss)
            except OSError:
                listener.close()
        raise AssertionError("no port is free for both")

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
