"""test_authority.py - never an open relay: 8 callers x 20 To-Paths x 10 From-Paths x 4 bindings (RFC 4976 6.2-6.4).

Every case is one SEND with a Message-ID of its own. Who received it at the end is compared with an oracle written from
the RFC's two sentences: the first URI must be live, and the previous or the next hop must be its owner's connection.
"""
import collections
import errno
import socket
import threading
import unittest

from base import SECRETS
from peer import Gone, Peer, new_id
from server import Parleyd
import certificates

CALLERS = ("owner", "target", "third", "stranger", "challenged", "expired", "tls owner", "tls stranger")
BINDINGS = ("live", "closed", "reconnected", "expired")
TO_PATHS = ("T t", "X T t", "X t", "X trap", "T trap", "T X x", "T", "trap T t", "unknown t", "relay t", "T case t",
            "T upper t", "T user t", "T portless t", "T port t", "T scheme t", "T param t", "T short t", "T T t",
            "X T t u")
FROM_PATHS = ("own", "own twice", "own user", "own upper", "other id", "foreign", "foreign own", "as owner",
              "as target", "as relay")


CLOSERS = ("trap T t", "T portless t", "T port t", "T scheme t")


def swap_case(uri):
    """Another session id that differs only in the case of letters."""
    head, sep, tail = uri.rpartition("/")
    sid, semi, rest = tail.partition(";")
    return head + sep + sid.swapcase() + semi + rest


class World:
    """The relay, its users, the sessions that cases aim at, and a listener that must never be called."""

    def __init__(self, material):
        self.server = Parleyd("--auth-expires-min", "1", "--tls-cert", material["cert"], "--tls-key", material["key"],
                              msrp=("tcp:127.0.0.1:0", "tls:127.0.0.1:0")).start()
        self.tls = certificates.client_context(material["ca"])
        self.trap = socket.create_server(("127.0.0.1", 0))
        self.trap_uri = f"msrp://127.0.0.1:{self.trap.getsockname()[1]}/{new_id()};tcp"
        self.callers = {}
        self.sids = {}
        self.seen = []  # every peer that ever lived: its messages are judged at the end
        self.targets = {}  # binding -> (relay URI, endpoint URI)
        live = self.new(user="bob")
        self.live = live
        self.targets["live"] = (live.use_path[0], live.uri)
        gone = self.new(user="bob")
        self.targets["closed"] = (gone.use_path[0], gone.uri)
        gone.close()
        self.again = self.reconnected()
        ended = self.new(user="bob", expires=1)
        self.ended = ended
        self.targets["expired"] = (ended.use_path[0], ended.uri)
        self.stale = self.new(user="alice", expires=1)
        self.stale_path = self.stale.use_path[0]
        self.server.wait_metric("parley_relay_sessions_ended_total", lambda v: v >= 2, reason="expired")

    def reconnected(self):
        """The same client URI on a new connection from the same port, which somebody else may take in between."""
        for _ in range(20):
            sid = new_id()
            old = self.new(user="bob", sid=sid)
            old.rst()  # frees the port at once
            try:
                again = self.new(user="bob", sid=sid, bind=("127.0.0.1", old.local[1]))
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                    raise
                continue
            self.targets["reconnected"] = (old.use_path[0], old.uri)
            return again
        raise AssertionError("no port could be used twice")

    def new(self, user=None, expires=None, tls=False, **how):
        if tls:
            how.update(tls=self.tls, server_name="localhost")
        peer = Peer(self.server.tls if tls else self.server.tcp, **how)
        self.seen.append(peer)
        if user:
            peer.auth(self.server.uri("tls" if tls else "tcp"), user, SECRETS[user], algorithm="MD5", expires=expires)
        return peer

    def caller(self, kind, binding):
        """A connection of that kind; made anew when the relay has closed the last one."""
        if kind == "target" and binding == "live":
            return self.live
        if kind == "target" and binding == "expired":
            return self.ended if not self.ended.closed else self.kept(kind, lambda: self.new(user="bob"))
        if kind == "target":
            return self.again if not self.again.closed else self.kept(kind, lambda: self.new(user="bob"))
        if kind == "expired":
            return self.stale if not self.stale.closed else self.kept(kind, self.new)
        make = {"owner": lambda: self.new(user="alice"), "third": lambda: self.new(user="carol"),
                "stranger": self.new, "tls owner": lambda: self.new(user="alice", tls=True),
                "tls stranger": lambda: self.new(tls=True), "challenged": self.new}[kind]
        return self.kept(kind, make)

    def kept(self, kind, make):
        peer = self.callers.get(kind)
        if peer is None or peer.closed:
            if peer is not None:
                peer.close()
            peer = self.callers[kind] = make()
            if kind == "challenged":
                peer.auth_once(self.server.uri())
        return peer

    def own_path(self, kind, peer):
        """The caller's own relay URI: live, expired, or made up."""
        if peer.use_path:
            return self.stale_path if kind == "expired" else peer.use_path[0]
        return self.stale_path if kind == "expired" else self.server.uri().replace(";tcp", "/" + "A" * 22 + ";tcp")

    def to_path(self, form, peer, kind, binding):
        T, t = self.targets[binding]
        host, port = self.server.tcp
        words = {"T": T, "t": t, "X": self.own_path(kind, peer), "x": peer.uri, "trap": self.trap_uri,
                 "unknown": self.server.uri().replace(";tcp", "/" + "Z" * 22 + ";tcp"), "relay": self.server.uri(),
                 "u": "msrp://beyond.example:7777/xyz;tcp"}
        odd = {"T case t": swap_case(T), "T upper t": T.replace("msrp:", "MSRP:").replace(";tcp", ";TCP"),
               "T user t": T.replace("//", "//mallory@"), "T portless t": T.replace(f":{port}/", "/"),
               "T port t": T.replace(f":{port}/", ":1/"), "T scheme t": T.replace("msrp:", "msrps:"),
               "T param t": T + ";x=y", "T short t": T.replace(";tcp", "")[:-1] + ";tcp"}
        if form in odd:
            return [odd[form], t]
        return [words[w] for w in form.split(" ")]

    def from_path(self, form, peer, binding):
        T, t = self.targets[binding]
        return {"own": [peer.uri], "own twice": [peer.uri, peer.uri],
                "own user": [peer.uri.replace("//", "//mallory@")], "own upper": [peer.uri.replace("msrp", "MSRP")],
                "other id": [peer.uri.replace(";tcp", "x;tcp")], "foreign": ["msrp://far.example:7654/abcd;tcp"],
                "foreign own": ["msrp://far.example:7654/abcd;tcp", peer.uri], "as owner": [self.callers_uri("owner")],
                "as target": [t], "as relay": [T, t]}[form]

    def callers_uri(self, kind):
        peer = self.callers.get(kind)
        return peer.uri if peer else "msrp://127.0.0.1:9/owner;tcp"


def oracle(kind, form, source, binding):
    """May the message reach the target's connection? None: the texts leave it open."""
    alive = binding == "live"
    owns_x = kind in ("owner", "third", "tls owner", "target")  # a live session of its own
    if kind == "target" and binding == "expired":
        owns_x = False
    is_owner = kind == "target" and alive  # of T itself
    if form in ("T t", "T upper t", "T user t", "T param t"):
        verdict = alive  # the next hop is T's owner
    elif form in ("X T t", "X T t u"):
        verdict = alive and owns_x  # the previous hop owns X, then the next hop owns T
    elif form == "X t":
        verdict = None if owns_x else False  # by right, but only over a connection the relay already has
    else:
        verdict = False  # dead, unknown, somebody else's, a dial, or no hop at all
    if is_owner and (verdict or form == "T X x"):
        verdict = None  # to itself, over its own connection
    if alive and form == "T T t":
        verdict = None  # ends at the owner, though by a detour
    # A claimed origin never opens a door; a relay may close one to an origin that is not the caller's.
    if verdict and source in ("as owner", "as target", "as relay", "foreign", "foreign own"):
        verdict = None
    return verdict


class Authority(unittest.TestCase):
    def test_R4976_7_T16_matrix_of_6400(self):
        material = certificates.make(self)
        world = World(material)
        calls = []
        thread = threading.Thread(target=self.watch, args=(world.trap, calls), daemon=True)
        thread.start()
        dropped, cases = [], {}
        try:
            for kind in CALLERS:
                for binding in BINDINGS:
                    for form in TO_PATHS:
                        for source in FROM_PATHS:
                            peer = world.caller(kind, binding)
                            mid = f"case{len(cases):05d}"
                            cases[mid] = (kind, form, source, binding, oracle(kind, form, source, binding))
                            self.one(world, peer, kind, form, source, binding, mid, dropped)
            self.assertEqual(len(cases), 6400)
            self.judge(world, cases, dropped)
            self.assertEqual(calls, [])
            self.assertEqual(world.server.metric("parley_connections_dialled_total") or 0, 0)
        except BaseException:
            print(world.server.tail())
            world.server.kill()
            raise
        finally:
            world.trap.close()
        for peer in world.seen:
            peer.close()
        world.server.stop()

    @staticmethod
    def watch(trap, calls):
        try:
            while True:
                calls.append(trap.accept()[1])
        except OSError:
            pass

    def one(self, world, peer, kind, form, source, binding, mid, dropped):
        """Sends one case and waits until the relay has dealt with it: a 401 behind it, or the end of the connection."""
        if peer is world.live and form in CLOSERS:
            self.fence(world)  # what is on its way to the target arrives before its connection is dropped
        try:
            peer.send(world.to_path(form, peer, kind, binding), mid.encode(), mid, fr="no",
                      from_path=world.from_path(source, peer, binding))
            if form == "trap T t":
                peer.wait_closed()
                dropped.append(mid)
            elif peer.auth_once(world.server.uri("tls" if peer.tls else "tcp")).code != 401:
                self.fail("the fence was not answered")
            # A relay may give up on a caller that is wrong again and again; world.caller makes a new one.
        except Gone:
            dropped.append(mid)
        if peer.closed and peer is world.live:
            world.live = world.new(user="bob")
            world.targets["live"] = (world.live.use_path[0], world.live.uri)

    @staticmethod
    def fence(world):
        """Every earlier caller's messages have reached the target: one more from each of them does."""
        for peer in world.seen:
            if not peer.closed and peer._run and peer is not world.live:
                tid, last = peer.send(list(world.targets["live"]), b"last")
                peer.take_response(tid)
                world.live.wait(lambda last=last: last in world.live.messages, "the fence")

    def judge(self, world, cases, dropped):
        wanted = [mid for mid, case in cases.items() if case[4]]
        self.fence(world)
        got = {m: p for p in world.seen for m in list(p.messages)}
        wrong = []
        for mid in wanted:
            if mid not in got:
                wrong.append(("not delivered",) + cases[mid] + ((mid in dropped),))
        for mid, peer in got.items():
            if mid in cases and cases[mid][4] is False:
                wrong.append(("delivered to " + peer.uri,) + cases[mid])
        kinds = collections.Counter((w[0].split(" to ")[0], w[1], w[2], w[4]) for w in wrong)
        self.assertEqual(len(wrong), 0, f"{len(wrong)} of 6400 wrong (From-Paths not shown): {kinds.most_common(30)}")
        for peer in world.seen:
            peer.check()
        self.assertGreater(len(wanted), 150)
        foreign = [m for m, c in cases.items() if c[1] == "trap T t"]
        self.assertLessEqual(set(foreign), set(dropped))


if __name__ == "__main__":
    unittest.main()
