"""history_base.py - a server with records of conversations in its store, which were put there as rows, and who reads them."""
import hashlib
import os
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ET
from contextlib import closing

from base import SECRETS
from im_peer import Participant, attributes
from server import binary
from store_base import StoreCase
from test_xcap import XcapMixin

CTL = os.environ.get("PARLEYCTL", os.path.join(os.path.dirname(binary()), "parleyctl"))
AUID, NAME = "org.openmobilealliance.conv-history", "conv-history"
TYPE = "application/vnd.oma.im.history-list+xml"
SPACE = "{urn:oma:xml:im:history-list}"
TAKES, GIVES = "a=recvonly\r\n", "a=sendonly\r\n"
CPIM = (b"From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nDateTime: 2026-11-30T07:20:55Z\r\n\r\n"
        b"Content-Type: text/plain\r\n\r\n")
DAY = 86_400_000


def letters(number):
    parts = number.to_bytes(8, "little")
    return "".join(chr(97 + (b >> 4)) for b in parts) + "".join(chr(97 + (b & 15)) for b in parts)


def reference(number):
    return f"sip:history-{letters(number)}@example.org"


def histories(body):
    """The list as Python's own parser reads it: by reference, name and text of all that is in each."""
    root = ET.fromstring(body)
    assert root.tag == f"{SPACE}history-list", root.tag
    found = {}
    for history in root:
        assert history.tag == f"{SPACE}history", history.tag
        parts = [(part.tag.removeprefix(SPACE), part.text) for part in history.iter()][1:]
        found[dict(parts)["history-reference"]] = (history.get("id"), parts)
    return found


class HistoryCase(XcapMixin, StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)

    def begin(self, *flags, **how):
        super().begin("--xcap", "127.0.0.1:0", "--deferred-event-interval", "100ms", *flags, **how)
        self.flags = flags

    def seeded(self, *records):
        """Those records, of which each is a dict: `messages` are (sent, type, body), body None: it was left out with that size."""
        if self.server is not None and not self.server.end_checked:
            self.server.stop()
        now = time.time_ns() // 1_000_000
        with closing(sqlite3.connect(f"{self.store}/parley.db")) as db, db:
            for r in records:
                owner, by = r.get("aor", "sip:bob@example.org"), r.get("from", '"Alice" <sip:alice@example.org>')
                db.execute("INSERT INTO history_record(id, aor, kind, from_value, to_value, of_group, people, subject, "
                           "begun_by_owner, began_ms, ended_ms, expires_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                           (r["id"], owner, r.get("kind", 0), by, r.get("to", "<sip:bob@example.org>"), r.get("group", ""),
                            r.get("people", ""), r.get("subject", ""), int(owner in by), now - 60_000, now - 30_000, now + r.get("left", DAY)))
                for number, (sent, kind, body) in enumerate(r.get("messages", ()), 1):
                    blob, size = None, body
                    if isinstance(body, bytes):
                        size, digest = len(body), hashlib.sha256(body).digest()
                        db.execute("INSERT OR IGNORE INTO history_body(hash, uses, body) VALUES(?,0,?)", (digest, body))
                        blob = db.execute("SELECT id FROM history_body WHERE hash=?", (digest,)).fetchone()[0]
                    db.execute("INSERT INTO history_message(record, number, at_ms, sent, message_id, type, size, body) "
                               "VALUES(?,?,?,?,?,?,?,?)", (r["id"], number, now - 60_000 + number, sent, "", kind, size, blob))
        self.begin(*self.flags)

    def who(self, *names):
        return [Participant(self, self.server.listeners("tcp", "sip")[0], name, SECRETS[name]) for name in names]

    def count(self, what):
        with closing(sqlite3.connect(f"{self.store}/parley.db")) as db:
            return db.execute(f"SELECT count(*) FROM {what}").fetchone()[0]

    def ctl(self, *words, status=0):
        done = subprocess.run([CTL, "--admin", self.server.ready["admin"], *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def refusal(self, who, number, more=TAKES):
        return who.call(reference(number), more=more).final().code

    def fetched(self, who, number):
        session = who.answered(who.call(reference(number), more=TAKES))
        self.assertEqual(attributes(session.answer, "sendonly"), [""])
        self.assertEqual(session.response.get("p-asserted-identity"), "<sip:History@example.org>")
        return session

    def heard(self, session, record, count):
        """So many messages in their order, whose frames were strictly judged; then it is over."""
        messages = [session.msrp.take_message(f"{letters(record)}.{number}", 60) for number in range(1, count + 1)]
        bye = session.bye_came()
        self.assertIn("cause=200", bye.get("reason"))
        self.assertEqual([mid for mid in session.msrp.messages if mid.startswith(letters(record))], [m.mid for m in messages])
        return messages
