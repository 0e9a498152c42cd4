"""test_im_admin.py - IM sessions as an operator sees them: parleyctl against a room of three, on the wire."""
import json
import os
import subprocess
import tempfile
import unittest

from im_story import FACTORY, SECRETS, Story
from server import Parleyd, binary

CTL = os.environ.get("PARLEYCTL", os.path.join(os.path.dirname(binary()), "parleyctl"))


class Rooms(unittest.TestCase):
    """One server for all tests; each leaves no session behind."""

    FLAGS = ()
    SHARDS = 1
    maxDiff = 4000
    tearDown, user, users, group_of = Story.tearDown, Story.user, Story.users, Story.group_of

    def setUp(self):
        self.peers = []
        self.server.wait_metric("parley_rooms", lambda v: v == 0)  # those of the test before

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="parley-admin-")
        cls.addClassCleanup(folder.cleanup)
        cls.users_file = os.path.join(folder.name, "users")
        cls.write_users("")
        cls.server = Parleyd("--conference-factory", FACTORY, "--users-file", cls.users_file, *cls.FLAGS,
                             sip=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"), users=[f"{u}:{s}" for u, s in SECRETS.items()],
                             shards=cls.SHARDS).start()

    @classmethod
    def write_users(cls, text):
        with open(cls.users_file, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(cls.users_file, 0o600)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @classmethod
    def address(cls):
        return cls.server.listeners("tcp", "sip")[0]

    @classmethod
    def servers(cls):
        return [cls.server]

    def ctl(self, *words, status=0):
        done = subprocess.run([CTL, "--admin", self.server.ready["admin"], *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def ask(self, *words):
        return json.loads(self.ctl("--json", *words))

    def only_room(self):
        rooms = self.ask("rooms")["rooms"]
        self.assertEqual(len(rooms), 1, rooms)
        return rooms[0]

    def members(self, room):
        return {m["user"]: m for m in self.ask("room", room)["members"]}

    def wait_members(self, room, good, what):
        """Until good(members): what a peer has read, the server may not have counted yet."""
        for _ in range(100):
            members = self.members(room)
            if good(members):
                return members
            try:
                self.server.process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        self.fail(f"{what}: {members}")

    def test_rooms_and_members(self):
        self.assertEqual(self.ctl("rooms"), "no rooms\n")
        alice, bob, carol = self.users("alice", "bob", "carol")
        a, b, c = self.group_of(alice, [bob, carol])
        a.say("a word that nobody else may read")
        for session in (b, c):
            session.hear()
        room = self.only_room()
        self.assertEqual((room["kind"], room["originator"], room["participants"], room["messages"]), ("ad-hoc", alice.aor, 3, 1))
        members = self.wait_members(room["id"], lambda m: all(x["media"] == "live" for x in m.values()), "all live")
        self.assertEqual(set(members), {alice.aor, bob.aor, carol.aor})
        self.assertEqual({u: m["joining_method"] for u, m in members.items()},
                         {alice.aor: "dialed-in", bob.aor: "dialed-out", carol.aor: "dialed-out"})
        self.assertEqual({(m["state"], m["sip"], m["msrp"], m["behind"]) for m in members.values()}, {("connected", "tcp", "tcp", 0)})
        self.assertEqual([(members[u.aor]["messages_in"], members[u.aor]["messages_out"]) for u in (alice, bob, carol)],
                         [(1, 0), (0, 1), (0, 1)])
        text = self.ctl("room", room["id"])
        for word in ("JOINING METHOD", "WAITING BYTES", carol.aor, "dialed-out"):
            self.assertIn(word, text)
        # Who may look may not come in, and reads nothing.
        everything = json.dumps(self.ask("rooms")) + json.dumps(self.ask("room", room["id"]))
        identity = a.focus.split(":")[1].split("@")[0]
        self.assertIn(identity[:8], everything)
        for secret in (identity[:16], a.path.split("/")[3].split(";")[0], "a word that nobody"):
            self.assertNotIn(secret, everything)
        total = self.ask("summary")["total"]
        self.assertEqual((total["rooms"], total["members"]), (1, 3))
        self.assertEqual(len(self.ask("room", room["id"], "--limit", "1")["members"]), 1)
        for session in (a, b, c):
            session.leave()
        self.server.wait_metric("parley_rooms", lambda v: v == 0)
        self.assertEqual(self.ctl("room", room["id"], status=1), "parleyctl: 404 no such room\n")

    def test_trace(self):
        alice, bob, carol = self.users("alice", "bob", "carol")
        a, b, c = self.group_of(alice, [bob, carol])
        mid = b.say("where has it gone?")
        seen = {session.hear().mid for session in (a, c)}
        self.assertEqual(len(seen), 1)
        room = self.only_room()["id"]
        number = self.members(room)[bob.aor]["number"]
        self.wait_members(room, lambda m: m[alice.aor]["messages_out"] == m[carol.aor]["messages_out"] == 1, "copies")
        for _ in range(100):
            found = self.ask("trace", mid)["messages"]
            if found and found[0]["answered"] == 2:
                break
        self.assertEqual(len(found), 1, found)
        wanted = {"room": room, "message_id": mid, "members_see": seen.pop(), "sender": number, "private": False, "legs": 2,
                  "delivered": 2, "answered": 2, "failed": 0, "behind": 0}
        self.assertEqual({k: found[0][k] for k in wanted}, wanted)
        self.assertLess(found[0]["seconds_ago"], 60)
        self.assertNotIn("where has", json.dumps(found))
        self.assertEqual(self.ask("trace", wanted["members_see"])["messages"], found)
        self.assertIn("DELIVERED", self.ctl("trace", mid))
        where = self.ask("where", mid)
        self.assertEqual([{k: line[k] for k in wanted} for line in where["rooms"]], [wanted])
        self.assertEqual((where["waiting"], where["sending"], where["passed"]), ([], [], []))
        self.assertTrue(self.ctl("where", mid).startswith("went through IM sessions\n"))
        self.assertEqual(self.ctl("trace", "no-such-message+%"), "no messages\n")
        for session in (a, b, c):
            session.leave()

    def test_kick_member(self):
        alice, bob, carol = self.users("alice", "bob", "carol")
        a, b, c = self.group_of(alice, [bob, carol])
        self.assertEqual(b.subscribe().code, 200)
        b.sees(alice.aor, bob.aor, carol.aor)
        room = self.only_room()["id"]
        mark = self.members(room)[carol.aor]["id"]
        self.assertEqual(self.ctl("kick-member", room, mark), f'{{"kicked":"{mark}"}}\n')
        bye = c.bye_came()
        self.assertIn("Booted by focus", bye.get("reason"))
        c.msrp.wait_closed()
        b.sees(alice.aor, bob.aor)
        self.assertEqual(self.ctl("kick-member", room, mark, status=1), "parleyctl: 404 no such member\n")
        a.say("two of us")
        self.assertEqual(b.hear().content, b"two of us")
        for session in (a, b):
            session.leave()

    def test_close_room(self):
        alice, bob, carol = self.users("alice", "bob", "carol")
        sessions = self.group_of(alice, [bob, carol])
        room = self.only_room()["id"]
        self.assertEqual(self.ctl("close-room", room), f'{{"closed":"{room}"}}\n')
        for session in sessions:
            self.assertIn("Closed By Operator", session.bye_came().get("reason"))
            session.msrp.wait_closed()
        self.server.wait_metric("parley_rooms", lambda v: v == 0)
        self.assertEqual(self.ctl("close-room", room, status=1), "parleyctl: 404 no such room\n")

    def test_ids_that_are_none(self):
        for words in (("room", "x"), ("close-room", "../livez"), ("kick-member", "0-1.1", "a"), ("room",), ("trace",)):
            self.ctl(*words, status=2)
        for words in (("room", "0-0.1"), ("room", "77-0.1"), ("room", "0-99999999999999.1"), ("close-room", "0-1"),
                      ("kick-member", "0-0.1", "0.1"), ("kick-member", "0-0.1", "...")):
            self.ctl(*words, status=1)

    def test_reload_says_what_was_refused(self):
        before = self.server.metric("parley_reloads_total", result="applied")
        self.assertEqual(self.ctl("reload"), '{"reloaded":true}\n')
        self.assertEqual(self.server.metric("parley_reloads_total", result="applied"), before + 1)
        self.write_users("grete:example.org:SHA-256:nonsense\n")
        try:
            self.assertRegex(self.ctl("reload", status=1), r"^parleyctl: 409 --users-file: ")
        finally:
            self.write_users("")
        self.assertEqual(self.ctl("reload"), '{"reloaded":true}\n')


class TwoShards(Rooms):
    SHARDS = 2


class Untraced(Rooms):
    FLAGS = ("--trace-messages", "0")

    def test_trace(self):
        alice, bob = self.users("alice", "bob")
        a, b = self.group_of(alice, [bob])
        mid = a.say("no memory of it")
        b.hear()
        self.assertEqual(self.ctl("trace", mid), "no messages\n")
        a.leave()
        b.bye_came()


if __name__ == "__main__":
    unittest.main()
