"""large_party.py - who sends and takes large messages while the server is killed again and again: sends each one until it is
reported, takes whatever comes, and writes down both. For test_deferred_kills.py; over UDP, so that it needs no new socket."""
import hashlib
import random
import threading
import time

import peer as msrp_peer
import sip_wire
from im_peer import OFFER, TAG, attributes, mixed, recipients
from peer import Peer, new_id
from sip_text import NoAnswer

LARGE = f"{TAG}.large-message"
HEADERS = (("Accept-Contact", f"*;{LARGE}"), ("User-Agent", "IM-client/OMA1.0 test/1"), ("Supported", "timer"),
           ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, NOTIFY, UPDATE"))
# What the end of a process does to who talks with it. All else is a fault.
CUT = (NoAnswer, msrp_peer.NoAnswer, msrp_peer.Gone, sip_wire.Gone, OSError)


class Refused(Exception):
    """Its sender was told that it has failed."""


class Registry:
    """What all parties have said and taken, by Message-ID."""

    def __init__(self):
        self.lock = threading.Lock()
        self.over = threading.Event()    # nothing new is sent
        self.life = 0                    # of the server
        self.hashes = {}                 # of what was sent
        self.targets = {}
        self.reported = []               # in order
        self.failed = 0                  # attempts whose sender was told
        self.repeated = 0                # attempts behind the first one
        self.taken = {}                  # by user: those that came whole, in order, whatever came twice
        self.troubles = []


def content_of(mid, size):
    head = (f"From: <sip:{mid.split('-')[0]}@example.org>\r\nTo: <sip:x@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
            f"imdn.Message-ID: {mid}\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\nContent-Type: application/octet-stream\r\n\r\n").encode()
    return head + random.Random(mid).randbytes(size)


class LargeParty:
    def __init__(self, registry, sip, targets, seed):
        """`targets`: URIs, or lists of them for which `factory` stands; none: it only takes."""
        self.registry, self.sip, self.targets = registry, sip, targets
        self.chance = random.Random(seed)
        self.factory = None
        self.done = threading.Event()
        registry.taken[sip.user] = []
        self.threads = [threading.Thread(target=self._guard, args=(self._take,), daemon=True)]
        if targets:
            self.sender = threading.Thread(target=self._guard, args=(self._send,), daemon=True)
            self.threads.append(self.sender)

    def start(self):
        for thread in self.threads:
            thread.start()

    def here(self, seconds=600):
        contacts = [self.sip.contact_header(f";{TAG};{LARGE}")]
        return self.sip.register(seconds, contacts=contacts)

    def _guard(self, what, *args):
        try:
            what(*args)
        except Exception as bad:  # told by the test's thread
            with self.registry.lock:
                self.registry.troubles.append(f"{self.sip.user}: {type(bad).__name__}: {bad}")

    def _description(self, path, direction, types="*"):
        return OFFER.format(number=random.getrandbits(31), version=1, types=types, path=path, setup="active",
                            more=f"a={direction}\r\n").encode()

    def _connect(self, path, own):
        host, _, port = path.partition("://")[2].partition("/")[0].rpartition(":")
        peer = Peer((host, int(port)), name=f"{self.sip.user} msrp")
        peer.tolerate_cut = True
        peer.uri = own
        try:
            code = peer.take_response(peer.request("SEND", path, [("Message-ID", new_id()), ("Byte-Range", "1-0/0")]), 20).code
            if code != 200:
                raise Refused(f"bind {code}")
        except BaseException:
            peer.close()
            raise
        return peer

    # --- sends

    def _send(self):
        number = 0
        while not self.registry.over.is_set():
            number += 1
            kind, target = self.targets[number % len(self.targets)]
            mid = f"{self.sip.user}-{kind}-{number}"
            size = int(2 ** self.chance.uniform(11, 21.6))  # 2 KiB to 3 MiB
            content = content_of(mid, size)
            with self.registry.lock:
                self.registry.hashes[mid] = hashlib.sha256(content).digest()
                self.registry.targets[mid] = target
            while not self.registry.over.is_set():
                try:
                    self._send_once(mid, content, target)
                    with self.registry.lock:
                        self.registry.reported.append(mid)
                    break
                except Refused:
                    self.registry.failed += 1
                    time.sleep(0.2)
                except CUT:
                    self.sip.check()
                    time.sleep(0.02)
                self.registry.repeated += 1
            time.sleep(self.chance.uniform(0.0, 0.15))

    def _final(self, tx):
        """The answer to an INVITE; who was killed behind a provisional one gives none."""
        life, deadline = self.registry.life, time.monotonic() + 40
        while True:
            try:
                return tx.final(0.5)
            except NoAnswer:
                dead = life != self.registry.life and any(r.code < 200 for r in tx.all)
                if dead or tx.timed_out or time.monotonic() > deadline:
                    raise

    def _send_once(self, mid, content, target):
        own = f"msrp://127.0.0.1:9/{new_id()};tcp"
        body, kind, headers = self._description(own, "sendonly"), "application/sdp", list(HEADERS)
        if isinstance(target, list):
            headers.append(("Require", "recipient-list-invite"))
            body, kind = mixed([([("Content-Type", "application/sdp")], body),
                                ([("Content-Type", "application/resource-lists+xml"), ("Content-Disposition", "recipient-list")],
                                 recipients(target))])
            target = self.factory
        tx = self.sip.ask("INVITE", target, body=body, content_type=kind, headers=headers,
                          contact=self.sip.contact_header(f";{TAG};{LARGE}"))
        response = self._final(tx)
        if response.code != 200:
            raise Refused(response.code)
        dialog = tx.dialog(response)
        dialog.ack(tx)
        path = attributes(response.body, "path")[0]
        peer = self._connect(path, own)
        try:
            self._write(peer, path, mid, content)
            report = peer.take_request("REPORT", mid, 40)
            if report.get("Status") != "000 200 OK":
                raise Refused(report.get("Status"))
        finally:
            peer.close()
            try:
                dialog.request("BYE")  # nobody waits for its answer: there may be none
            except CUT:
                pass

    def _write(self, peer, path, mid, content):
        chunk = int(2 ** self.chance.uniform(12, 19))
        waiting = []
        answered = lambda tid: peer.take_response(tid, 40).code
        for start in range(0, len(content), chunk):
            piece = content[start:start + chunk]
            tid, _ = peer.send(path, piece, mid=mid, sr="yes", content_type="message/cpim",
                               byte_range=f"{start + 1}-{start + len(piece)}/{len(content)}",
                               flag="$" if start + len(piece) == len(content) else "+")
            waiting.append(tid)
            while len(waiting) > 4:
                self._good(answered(waiting.pop(0)))
        for tid in waiting:
            self._good(answered(tid))

    @staticmethod
    def _good(code):
        if code != 200:
            raise Refused(code)

    # --- takes

    def _take(self):
        while not self.done.is_set():
            try:
                request = self.sip.take_request("INVITE", lambda r: not r.to.tag, 0.2)
            except NoAnswer:
                self.sip.check()
                continue
            threading.Thread(target=self._guard, args=(self._take_one, request), daemon=True).start()

    def _take_one(self, request):
        life = self.registry.life
        own = f"msrp://127.0.0.1:9/{new_id()};tcp"
        peer = None
        try:
            request.tx.accept(body=self._description(own, "recvonly"), headers=[("Server", "IM-client/OMA1.0 test/1")])
            request.tx.wait_ack(3)
            path = attributes(request.body, "path")[0]
            peer = self._connect(path, own)
            seen = set()
            while life == self.registry.life:
                try:
                    whole = peer.wait(lambda: next((m for m in list(peer.messages.values()) if m.complete and m.mid not in seen),
                                                   None), "a message", 2)
                except msrp_peer.NoAnswer:
                    if request.call_id in self._over():
                        break
                    continue
                seen.add(whole.mid)
                with self.registry.lock:
                    self.registry.taken[self.sip.user].append((whole.mid, hashlib.sha256(whole.body).digest()))
                # What it owes was answered 200; of a session of two its REPORT says that it has arrived.
                last = whole.chunks[-1]
                if last.get("Success-Report") == "yes":
                    peer.report(last, byte_range=f"1-{len(whole.body)}/{len(whole.body)}")
        except (Refused, *CUT):
            self.sip.check()
        finally:
            request.tx.acked = True  # of one that has died none comes
            if peer:
                peer.close()

    def _over(self):
        return {m.call_id for m in list(self.sip.seen) if m.code is None and m.method == "BYE"}
