"""test_deferred_kills.py - the process is killed at any moment of a mixed load: messages to who is there and to who is not, to a
group, and large ones to both. What was promised then comes, once but for copies that have the same Message-ID, whole and in
order; nothing is left behind in the store (P-06, P-07, OMA-DEF-4, OMA-DEF-8, OMA-LRG-3, OMA-LRG-4, OMA-PAG-1).

PARLEY_E2E_KILLS: how often at least."""
import hashlib
import itertools
import os
import random
import sqlite3
import sys
import threading
import time
import unittest
from contextlib import closing

from large_party import LargeParty, Registry
from sip_text import NoAnswer
from test_deferred import IM, DeferredCase, cpim, mid_of

KILLS = int(os.environ.get("PARLEY_E2E_KILLS", "12"))
FACTORY = "sip:factory@example.org"
CREW = "sip:crew@example.org"
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
SECRETS = {name: f"{name}-secret" for name in NAMES}


def uri(name):
    return f"sip:{name}@example.org"


class Killed(DeferredCase):
    """alice and carol write to bob and to their group; dave and erin send large ones to frank, to frank and grace, and to
    their group with all four. Everybody but alice and carol comes and goes."""

    SHARDS = 2

    def begin(self, *flags, **how):
        """While no process has them its ports may be tried by another test, which looks for free ones."""
        for patience in reversed(range(50)):
            try:
                return self.begin_once(*flags, **how)
            except AssertionError as bad:
                if not patience or "Address already in use" not in str(bad):
                    raise
                time.sleep(0.1)

    def begin_once(self, *flags, **how):
        super().begin("--deferred-count-max", "100000", "--deferred-bytes-max", "8GiB", "--deferred-after", "2s", "--deferred-retry-first", "1s",
                      "--deferred-large-parallel", "500", "--conference-factory", FACTORY, "--distribution-wait", "8s",
                      "--group", "sip:crew@example.org=dave,erin,frank,grace", "--pf-media-path", "always",
                      *flags, users=[f"{n}:{s}" for n, s in SECRETS.items()], **how)

    def setUp(self):
        super().setUp()
        self.over, self.outcomes = threading.Event(), {}
        self.registry = Registry()
        self.known_bodies = set()

    def user(self, name):
        peer = self.peer(user=name, secret=SECRETS[name])
        self.code(peer.register(600), 200)
        return peer

    def sender(self, name, targets):
        """One message after the other; what was promised and what became of the rest."""
        peer = self.senders[name]
        number = 0
        while not self.over.is_set():
            number += 1
            target = targets[number % len(targets)]
            mid = f"{name}-{target}-{number}"
            request = peer.ask("MESSAGE", uri(target), body=cpim(name, mid), content_type="message/cpim", headers=[IM])
            try:
                code = request.final(40).code
            except NoAnswer:
                code = None
            self.outcomes[mid] = code

    def large_parties(self):
        lists = [("one", uri("frank")), ("list", [uri("frank"), uri("grace")]), ("crew", CREW)]
        parties = {}
        for number, name in enumerate(("dave", "erin", "frank", "grace")):
            party = LargeParty(self.registry, self.peer(user=name, secret=SECRETS[name]), lists if number < 2 else [], KILLS + number)
            party.factory = f"{FACTORY};sessiontype=adhoc"
            parties[name] = party
            self.code(party.here(), 200)
        return parties

    # --- the store of a process that is dead

    def check_store(self):
        """It is sound, and each large message that it has is whole. The bodies that nobody has are those of deposits that were
        under way: the next process removes them."""
        self.assertEqual(self.sql("PRAGMA integrity_check"), ("ok",))
        with closing(sqlite3.connect(f"{self.store}/parley.db")) as db:
            rows = db.execute("SELECT id, large_bytes, message_id FROM deferred WHERE large_bytes > 0").fetchall()
        names = set(os.listdir(f"{self.store}/bodies"))
        for number, size, mid in rows:
            name = f"{number:016x}"
            self.assertIn(name, names, f"{mid} has no body")
            if name in self.known_bodies:
                continue
            with open(f"{self.store}/bodies/{name}", "rb") as file:
                content = file.read()
            self.assertEqual(len(content), size, mid)
            self.assertEqual(hashlib.sha256(content).digest(), self.registry.hashes[mid], mid)
            self.known_bodies.add(name)
        return names - {f"{number:016x}" for number, _, _ in rows}

    def files(self):
        return os.listdir(f"{self.store}/bodies")

    def test_P_06_P_07_OMA_LRG_4_nothing_promised_is_lost(self):
        self.senders = {"alice": self.user("alice"), "carol": self.user("carol")}
        bob = self.user("bob")
        parties = self.large_parties()
        threads = [threading.Thread(target=self.sender, args=(name, ["bob", "team"]), daemon=True) for name in self.senders]
        for thread in threads:
            thread.start()
        for party in parties.values():
            party.start()
        chance = random.Random(KILLS)
        orphans = 0
        comers = [bob.register, *(party.here for party in parties.values())]
        try:
            # On a busy machine a life is over before much was promised: then there are more of them.
            for kills in itertools.count(1):
                if kills > KILLS and self.enough_promised() or kills > 5 * KILLS:
                    break
                time.sleep(chance.uniform(0.05, 0.7))
                if chance.random() < 0.8:
                    try:
                        chance.choice(comers)(chance.choice((0, 600)))
                    except NoAnswer:
                        pass
                self.server.kill()
                left = self.check_store()
                self.registry.life += 1
                self.begin()
                self.assertEqual(left & set(self.files()), set(), "what nobody has is still there")
                orphans += len(left)
                self.assertEqual(self.registry.troubles, [])
        finally:
            self.over.set()
            self.registry.over.set()
            for thread in threads:
                thread.join(60)
        for name in ("dave", "erin"):
            parties[name].sender.join(90)
            self.assertFalse(parties[name].sender.is_alive(), f"{name} still sends")
        for come in comers:
            self.code(come(600), 200)
        self.until(lambda: self.waiting() == (0, 0), "something still waits", 120)
        self.until(lambda: self.files() == [], "bodies without a message are left")
        for party in parties.values():
            party.done.set()
            party.threads[0].join(5)
        self.assertEqual(self.registry.troubles, [])
        counts = self.check_pager(bob) + self.check_large()
        print(f"{self.id()}: {self.registry.life} kills, %d messages promised of %d; large: %d reported of %d, %d attempts more, %d came whole; %d "
              "bodies of deposits under way" % (*counts, orphans), file=sys.stderr)

    def promised(self):
        return [mid for mid, code in list(self.outcomes.items()) if code in (200, 202)]

    def enough_promised(self):
        return len(self.promised()) > KILLS and len(self.registry.reported) > KILLS // 2

    def check_pager(self, bob):
        promised = self.promised()
        self.assertGreater(len(promised), KILLS, self.outcomes)
        got = {name: [mid_of(m) for m in peer.seen if m.code is None and m.method == "MESSAGE"]
               for name, peer in (("bob", bob), *self.senders.items())}
        for mid in promised:
            name, target, _ = mid.split("-")
            who = ["bob"] if target == "bob" else [n for n in got if n != name]
            for one in who:
                if mid not in got[one]:
                    self.fail(f"{one} never got {mid}, which was {self.outcomes[mid]}")
        # In the order in which each sender was answered, whatever came twice.
        for name in self.senders:
            self.in_order(got["bob"], f"{name}-bob-", promised)
        return len(promised), len(self.outcomes)

    def in_order(self, got, prefix, promised):
        first = [mid for mid in dict.fromkeys(got) if mid.startswith(prefix) and mid in promised]
        self.assertEqual(first, sorted(first, key=lambda mid: int(mid.split("-")[2])))

    def check_large(self):
        book = self.registry
        self.assertGreater(len(book.reported), KILLS // 2)
        self.assertEqual(len(book.reported), len(set(book.reported)))
        for who, taken in book.taken.items():
            for mid, digest in taken:
                self.assertEqual(digest, book.hashes[mid], f"{mid} is not what was sent, at {who}")
        for mid in book.reported:
            sender, kind, _ = mid.split("-")
            who = {"one": ["frank"], "list": ["frank", "grace"], "crew": [n for n in book.taken if n != sender]}[kind]
            for one in who:
                if mid not in [taken for taken, _ in book.taken[one]]:
                    self.fail(f"{one} never got {mid}, which was reported")
        for sender in ("dave", "erin"):
            self.in_order([mid for mid, _ in book.taken["frank"]], f"{sender}-one-", book.reported)
        whole = sum(len(taken) for taken in book.taken.values())
        return len(book.reported), len(book.hashes), book.repeated, whole


del DeferredCase  # it is no test

if __name__ == "__main__":
    unittest.main()
