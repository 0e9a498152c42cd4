"""im_peer.py - a participant of IM sessions for the end-to-end tests: a SIP user agent and one MSRP connection for each
session (RFC 4975, RFC 7701, RFC 3862, RFC 4575), put together from sip_peer and peer, which judge everything strictly.

Nothing here knows parleyd. A participant connects to the path that a description names (a=setup:active, RFC 6135) and
binds the connection with a SEND without a body.
"""
import re
import xml.etree.ElementTree as ElementTree

from peer import Peer, new_id
from sip_peer import SipPeer, token
from strict_sip import Address, fail

TAG = "+g.oma.sip-im"
CHATROOM = "a=chatroom:nickname private-messages\r\n"
CONFERENCE = "{urn:ietf:params:xml:ns:conference-info}"
OFFER = ("v=0\r\no=- {number} {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
         "m=message 9 TCP/MSRP *\r\na=accept-types:{types}\r\na=accept-wrapped-types:*\r\n{more}a=setup:{setup}\r\n"
         "a=path:{path}\r\n")
LIST = ('<?xml version="1.0" encoding="UTF-8"?>\r\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" '
        'xmlns:cp="urn:ietf:params:xml:ns:copyControl"><list>{entries}</list></resource-lists>')


def attributes(sdp, name):
    """The values of a=name in a description."""
    return re.findall(rf"(?m)^a={re.escape(name)}(?::(.*?))?\r?$", sdp.decode() if isinstance(sdp, bytes) else sdp)


def recipients(uris, copy="to"):
    return LIST.format(entries="".join(f'<entry uri="{u}" cp:copyControl="{copy}"/>' for u in uris)).encode()


def mixed(parts):
    """A multipart/mixed body of (headers, bytes) and its Content-Type."""
    boundary = "b" + token()
    body = b""
    for headers, content in parts:
        body += f"--{boundary}\r\n".encode() + "".join(f"{n}: {v}\r\n" for n, v in headers).encode() + b"\r\n" + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f'multipart/mixed;boundary="{boundary}"'


def cpim(sender, to, content, content_type="text/plain", headers=()):
    """A message/cpim body (RFC 3862)."""
    head = f"From: {sender}\r\nTo: {to}\r\nDateTime: 2026-03-04T05:06:07Z\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers)
    return (head + f"\r\nContent-Type: {content_type}\r\n\r\n").encode() + content


class Cpim:
    """A message/cpim body taken apart."""

    def __init__(self, body):
        parts = bytes(body).split(b"\r\n\r\n", 2)
        if len(parts) != 3:
            fail("no CPIM message", body)
        self.headers = self._headers(parts[0])
        self.mime = self._headers(parts[1])
        self.content = parts[2]

    @staticmethod
    def _headers(head):
        found = {}
        for line in head.decode().split("\r\n"):
            name, colon, value = line.partition(": ")
            if not colon:
                fail("a CPIM header line", line)
            found.setdefault(name, value)
        return found

    def uri(self, name):
        return Address(self.headers[name]).uri


class Roster:
    """The conference state that one subscriber has put together from its NOTIFYs (RFC 4575 section 4.6)."""

    def __init__(self):
        self.version = None
        self.documents = 0
        self.full = 0
        self.root = None
        self.ended = None  # the reason, when the subscription has ended
        self.history = []  # (entity, status) as endpoints changed

    def notify(self, message):
        state = message.get("subscription-state")
        if state.startswith("terminated"):
            self.ended = state
        if not message.body:
            return
        document = ElementTree.fromstring(message.body)
        if document.tag != CONFERENCE + "conference-info":
            fail("another document than conference-info", message.raw)
        version = int(document.get("version"))
        state = document.get("state", "full")
        self.documents += 1
        if state == "full":
            if self.version is not None and version < self.version:
                fail(f"version {version} after {self.version}", message.raw)
            self.full += 1
            self.root = document
        elif state == "partial":
            if self.version is None or version != self.version + 1:
                fail(f"a partial document of version {version} after {self.version}", message.raw)
            self._merge(self.root, document)
        else:
            self.root = None
        self.version = version
        for user in document.iter(CONFERENCE + "user"):
            for status in user.iter(CONFERENCE + "status"):
                self.history.append((user.get("entity"), status.text))

    def _merge(self, old, new):
        for child in new:
            key = child.get("entity") or child.get("id")
            known = [c for c in old if c.tag == child.tag and (c.get("entity") or c.get("id")) == key]
            state = child.get("state", "full")
            if state == "deleted":
                if len(child):
                    fail("a deleted element with children", child.tag)
                for c in known:
                    old.remove(c)
            elif state == "partial" and known:
                self._merge(known[0], child)
            else:
                for c in known:
                    old.remove(c)
                old.append(child)

    @property
    def users(self):
        """{entity: {status of each endpoint}}"""
        if self.root is None:
            return {}
        return {u.get("entity"): {s.text for s in u.iter(CONFERENCE + "status")} for u in self.root.iter(CONFERENCE + "user")}

    def connected(self):
        return {entity for entity, states in self.users.items() if "connected" in states}


class Session:
    """One session of a participant: its dialog and its MSRP connection."""

    def __init__(self, member, dialog, own_path, answer):
        self.member, self.dialog, self.own_path = member, dialog, own_path
        self.focus = dialog.target  # the session identity, or what stands for it
        self.answer = answer        # the other side's description
        self.roster = None
        self.subscription = None
        self.msrp = None

    @property
    def path(self):
        return attributes(self.answer, "path")[0]

    def connect(self):
        """The MSRP connection, bound."""
        _, _, rest = self.path.partition("://")
        host, _, port = rest.partition("/")[0].rpartition(":")
        self.msrp = Peer((host.strip("[]"), int(port)), name=f"{self.member.user} msrp")
        self.msrp.uri = self.own_path
        self.member.case.addCleanup(self._close)
        tid = self.msrp.request("SEND", self.path, [("Message-ID", new_id()), ("Byte-Range", "1-0/0")])
        response = self.msrp.take_response(tid)
        if response.code != 200:
            raise AssertionError(f"{self.member.user}: the first SEND was answered {response}")
        return self

    def _close(self):
        self.msrp.tolerate_cut = True
        self.msrp.close()

    def say(self, text, to=None, content_type="text/plain", sender=None, code=200, cpim_headers=(), **how):
        """One message in CPIM; its Message-ID."""
        body = cpim(f"<{sender or self.member.aor}>", f"<{to or self.focus}>", text.encode(), content_type, cpim_headers)
        tid, mid = self.msrp.send(self.path, body, content_type="message/cpim", **how)
        if how.get("fr") in (None, "yes"):
            self.told(tid, mid, code)
        return mid

    def told(self, tid, mid, code):
        """What became of a message: by its response, or where others stand between, who answer for themselves alone, by a
        REPORT (RFC 4975 section 7.1.2)."""
        response = self.msrp.take_response(tid)
        status = response.code
        if status == 200 and code != 200:
            status = int(self.msrp.take_request("REPORT", mid).get("Status").split()[1])
        if status != code:
            raise AssertionError(f"{self.member.user}: a message was answered {response}, {status} and not {code}")

    def hear(self):
        """The next message, taken apart; its frames were strictly judged. A switch gives messages ids of its own."""
        frame = self.msrp.wait(lambda: next((f for f in self.msrp.frames if f.method == "SEND" and f.has_body), None), "a message")
        mid = frame.get("Message-ID")
        message = self.msrp.take_message(mid)
        heard = Cpim(message.body)
        heard.mid = mid
        heard.chunks = message.chunks
        return heard

    def hears_nothing(self, seconds=0.4):
        try:
            frame = self.msrp.take(lambda f: f.method == "SEND" and f.has_body, "nothing", seconds)
        except AssertionError:
            self.msrp.check()
            return
        raise AssertionError(f"{self.member.user} hears {frame}")

    def nickname(self, name):
        tid = self.msrp.request("NICKNAME", self.path, [("Use-Nickname", f'"{name}"')])
        return self.msrp.take_response(tid).code

    # --- conference state

    def subscribe(self, expires=3600):
        self.roster = self.roster or Roster()
        self.member.rosters.append((self, self.roster))
        tx = self.member.sip.subscribe(self.focus, "conference", expires, accept="application/conference-info+xml")
        response = tx.final()
        if response.code == 200:
            self.subscription = tx.dialog(response)
            self.call_id = tx.request.call_id
        return response

    def sees(self, *users, timeout=12):
        """Until exactly these are connected, as the NOTIFYs tell."""
        wanted = set(users)
        self.member.sip.wait(lambda: self.roster.connected() == wanted,
                             f"the roster {wanted}; it is {self.roster.users}", timeout)

    def leave(self):
        self.dialog.bye()  # 481 when the other side's came first

    def bye_came(self, timeout=15):
        """The other side's BYE."""
        return self.member.sip.take_request("BYE", lambda r: r.call_id == self.dialog.call_id, timeout)

    def refer(self, target, headers=(), **how):
        return self.dialog.request("REFER", headers=[("Refer-To", f"<{target}>"), *headers], **how).final()


class Participant:
    """One user with one device."""

    def __init__(self, case, address, user, secret, domain="example.org", transport="tcp", register=True, device=False):
        """`device`: says in its Contact which one it is."""
        self.case, self.user = case, user
        self.rosters = []
        self.sip = SipPeer(address, transport, user, secret=secret, domain=domain)
        self.sip.auto["NOTIFY"] = self._notify
        self.device = device
        self.contact_params = f";{TAG}" + (f';+sip.instance="<{self.sip.instance}>"' if device else "")
        case.peers.append(self.sip)
        if register:
            response = self.sip.register(3600, contacts=[self.sip.contact_header(f";{TAG}")])
            case.assertEqual(response.code, 200, response.show())

    @property
    def aor(self):
        return self.sip.aor

    def _notify(self, message):
        if (message.get("event") or "").split(";")[0].strip() != "conference":
            return 200
        for session, roster in self.rosters:
            if session.subscription is None or message.call_id == session.call_id:
                roster.notify(message)
                return 200
        return 481

    def description(self, path, setup="active", types="message/cpim text/plain", more=CHATROOM, version=1):
        return OFFER.format(number=int.from_bytes(path[-4:].encode(), "big"), version=version, types=types, path=path, setup=setup, more=more).encode()

    def own_path(self):
        return f"msrp://127.0.0.1:9/{new_id()};tcp"

    HEADERS = (("Accept-Contact", f"*;{TAG}"), ("User-Agent", "IM-client/OMA1.0 test/1"), ("Supported", "timer"),
               ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, NOTIFY, REFER, UPDATE"), ("Session-Expires", "1800;refresher=uac"))

    def contact(self):
        return self.sip.contact_header(self.contact_params)

    def call(self, uri, recipients_body=None, headers=(), path=None, more=CHATROOM, **how):
        """An INVITE for an IM session; the transaction. `path` of ours: tx.own_path."""
        own = path or self.own_path()
        sdp = self.description(own, more=more)
        body, kind = sdp, "application/sdp"
        headers = [*self.HEADERS, *headers]
        if recipients_body is not None:
            headers.append(("Require", "recipient-list-invite"))
            body, kind = mixed([([("Content-Type", "application/sdp")], sdp),
                                ([("Content-Type", "application/resource-lists+xml"), ("Content-Disposition", "recipient-list")],
                                 recipients_body)])
        tx = self.sip.ask("INVITE", uri, body=body, content_type=kind, headers=headers, contact=self.contact(), **how)
        tx.own_path = own
        return tx

    def answered(self, tx, response=None):
        """The session that a 200 to our INVITE begins, its media connected."""
        response = response or tx.final(40)
        if response.code != 200:
            raise AssertionError(f"INVITE was answered {response.show()}")
        dialog = tx.dialog(response)
        dialog.ack(tx)
        session = Session(self, dialog, tx.own_path, response.body)
        session.response = response
        return session.connect()

    def join(self, uri, **how):
        return self.answered(self.call(uri, **how))

    def invited(self, timeout=15):
        """The next INVITE that comes for us."""
        return self.sip.take_request("INVITE", lambda r: not r.to.tag, timeout)

    def accept(self, request=None, headers=(), ring=True):
        """Takes an invitation; the session, its media connected."""
        request = request or self.invited()
        tx = request.tx
        if ring:
            tx.respond(180)
        own = self.own_path()
        headers = [("Server", "IM-client/OMA1.0 test/1"), *headers]
        body = self.description(own, more=CHATROOM if attributes(request.body, "chatroom") else "")
        if self.device:
            headers.append(("Contact", self.contact()))
        dialog = tx.accept(body=body, headers=headers, contact=not self.device)
        tx.wait_ack()
        session = Session(self, dialog, own, request.body)
        session.invite = request
        return session.connect()


__all__ = ["Address", "Cpim", "Participant", "Roster", "Session", "TAG", "attributes", "cpim", "mixed", "recipients"]
