"""im_story.py - sessions, groups and their rosters as clients of others see them: SIP and MSRP peers that know nothing of parleyd,
with every message judged strictly.

The ids are those of docs/conformance.md.
"""
import os
import re
import shutil
import tempfile

from im_peer import TAG, Address, Participant, attributes, recipients

SECRETS = {name: f"{name}-secret" for name in ("alice", "bob", "carol", "dave", "erin", "frank")}
TEAM = "sip:team@example.org"
FACTORY = "sip:factory@example.org"
BARRED = ('<?xml version="1.0" encoding="UTF-8"?><poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="e1">'
          '<isb-settings><incoming-session-barring active="{}"/></isb-settings></entity></poc-settings>')
GROUP = ('<?xml version="1.0" encoding="UTF-8"?><group xmlns="urn:oma:xml:poc:list-service" '
         'xmlns:cp="urn:ietf:params:xml:ns:common-policy"><list-service uri="' + TEAM + '"><display-name>Team</display-name><list>' +
         "".join(f'<entry uri="sip:{name}@example.org"/>' for name in SECRETS) +
         '</list><invite-members>true</invite-members><max-participant-count>10</max-participant-count><cp:ruleset><cp:rule id="members">'
         '<cp:conditions><is-list-member/></cp:conditions><cp:actions><join-handling>true</join-handling>'
         '<allow-initiate-conference>true</allow-initiate-conference><allow-conference-state>true</allow-conference-state>'
         '<allow-anonymity>true</allow-anonymity></cp:actions></cp:rule></cp:ruleset></list-service></group>')


def group_flags(case):
    """Flags for a server that has the group and the factory; its documents go when the tests of `case` are over."""
    place = tempfile.mkdtemp(prefix="parley-documents-")
    case.addClassCleanup(shutil.rmtree, place)
    os.mkdir(os.path.join(place, "groups"))
    with open(os.path.join(place, "groups", "team.xml"), "w", encoding="utf-8") as file:
        file.write(GROUP)
    return "--documents", place, "--conference-factory", FACTORY, "--conference-notify-interval", "500ms"


def aor(user):
    return f"sip:{user}@example.org"


class Story:
    """The same for every arrangement of servers: what a subclass must have is setUpClass, address() and servers()."""

    maxDiff = 4000

    @classmethod
    def address(cls):
        """Where clients send their requests."""
        raise NotImplementedError

    @classmethod
    def servers(cls):
        """All parleyds that take part."""
        raise NotImplementedError

    def setUp(self):
        self.peers = []

    def tearDown(self):
        troubles = []
        for peer in self.peers:
            try:
                peer.register(0, contacts=["*"])
                peer.close()
            except Exception as bad:
                troubles.append(f"{peer.name}: {type(bad).__name__} {bad}")
        self.assertEqual(troubles, [])
        for server in self.servers():
            if server.process.poll() is not None:
                self.fail(f"parleyd has ended:\n{server.tail()}")

    def user(self, name, **how):
        return Participant(self, self.address(), name, SECRETS[name], **how)

    def users(self, *names):
        return [self.user(name) for name in names]

    def assert_focus(self, response, identity):
        """SEED2-7.2.1.1-6 to -12: what the controlling function says of itself in a 200."""
        contact = response.contact
        self.assertIn("isfocus", contact.params, response.show())
        self.assertIn(TAG, contact.params, response.show())
        self.assertTrue(response.get("server").startswith("IM-serv/OMA"), response.show())
        self.assertIn("INVITE", response.get("allow"), response.show())
        self.assertEqual(Address(response.get("p-asserted-identity")).uri, identity, response.show())
        self.assertRegex(response.get("session-expires"), r"^\d+\s*;\s*refresher=uac$", response.show())
        self.assertIn("timer", response.items("require"), response.show())

    def group_of(self, first, others, **how):
        """An ad-hoc session: `first` invites the others, who accept; the sessions in that order."""
        tx = first.call(f"{FACTORY};sessiontype=adhoc", recipients([o.aor for o in others]), **how)
        theirs = [other.accept() for other in others]
        return [first.answered(tx), *theirs]

    def everyone_hears(self, sessions, speaker, text):
        speaker.say(text)
        for session in sessions:
            if session is speaker:
                continue
            heard = session.hear()
            self.assertEqual(heard.content, text.encode())
            self.assertEqual(heard.uri("From"), speaker.member.aor)

    # --- two

    def test_one_to_one(self):
        alice, bob = self.users("alice", "bob")
        tx = alice.call(bob.aor)
        request = bob.invited()
        # OMA-SES-4, SEED4-6.1.2.2.2-3, -4, -6, -8b, -8c, -9
        self.assertEqual(Address(request.get("p-asserted-identity")).uri, alice.aor)
        self.assertIn(TAG, request.get("accept-contact"))
        self.assertTrue(request.get("user-agent").startswith("IM-serv/OMA"), request.show())
        self.assertIn("timer", request.items("supported"))
        self.assertIn("isfocus", request.contact.params)
        self.assertIn(TAG, request.contact.params)
        self.assertNotEqual(request.call_id, tx.request.call_id)
        self.assertNotIn(tx.own_path, request.body.decode(), "the switch's own path")
        request.tx.respond(180)
        ringing = tx.provisional(180)
        self.assertTrue(ringing.to.tag)
        self.assertTrue(ringing.get("server").startswith("IM-serv/OMA"), ringing.show())  # SEED2-7.2.1.1-3
        self.assertIn("isfocus", ringing.contact.params)  # SEED2-7.2.1.1-6, T-31
        theirs = bob.accept(request, ring=False)
        ours = alice.answered(tx)
        self.assert_focus(ours.response, FACTORY)  # SEED2-7.2.1.1-10a
        for speaker, listener in ((ours, theirs), (theirs, ours)):
            speaker.say("Größe: ✓ \r\n-------x$\r\n")
            heard = listener.hear()
            self.assertEqual(heard.content, "Größe: ✓ \r\n-------x$\r\n".encode())
        ours.leave()
        theirs.bye_came()
        theirs.msrp.wait_closed()

    def test_cancel_while_it_rings(self):
        alice, bob = self.users("alice", "bob")
        tx = alice.call(bob.aor)
        request = bob.invited()
        request.tx.respond(180)
        tx.provisional(180)
        self.assertEqual(tx.cancel().final().code, 200)
        self.assertEqual(tx.final().code, 487)
        request.tx.wait_cancel()

    def test_refusals_come_back(self):
        alice, bob = self.users("alice", "bob")
        for code, wanted in ((486, 486), (603, 603), (480, 480)):
            tx = alice.call(bob.aor)
            bob.invited().tx.respond(code)
            self.assertEqual(tx.final().code, wanted)
        self.assertEqual(alice.call("sip:nobody@example.org").final().code, 404)
        self.assertEqual(alice.call(aor("dave")).final().code, 480)  # he is not registered

    # --- an ad-hoc group

    def test_ad_hoc_group(self):
        alice, bob, carol, dave, erin, frank = self.users(*SECRETS)
        a, b, c, d, e = sessions = self.group_of(alice, [bob, carol, dave, erin])
        self.assert_focus(a.response, FACTORY)
        for session in sessions[1:]:
            self.assertEqual(Address(session.invite.get("p-asserted-identity")).uri, alice.aor)
            self.assertIn("message/cpim", attributes(session.invite.body if b"a=path" in session.invite.body else b"", "accept-types")[0])
        self.everyone_hears(sessions, a, "first")
        self.everyone_hears(sessions, c, "second")

        # OMA-CONF-2: a full document at once, then what changes, each version one more (judged by Roster).
        self.assertEqual(b.subscribe().code, 200)
        b.sees(*[s.member.aor for s in sessions])
        self.assertEqual(b.roster.full, 1)

        # OMA-SES-6: one more by REFER.
        self.assertIn(a.refer(frank.aor).code, (200, 202))
        f = frank.accept()
        b.sees(*[s.member.aor for s in [*sessions, f]])
        self.everyone_hears([*sessions, f], f, "from frank")

        # OMA-SES-7: the initiator may expel.
        self.assertIn(a.refer(f"{erin.aor};method=BYE").code, (200, 202))
        e.bye_came()
        b.sees(*[s.member.aor for s in (a, b, c, d, f)])

        # OMA-SES-8
        d.leave()
        b.sees(*[s.member.aor for s in (a, b, c, f)])
        self.everyone_hears([a, b, c, f], b, "four of us")

        # re-INVITE: another path, the old connection is left.
        own = carol.own_path()
        tx = c.dialog.request("INVITE", body=carol.description(own, version=2), content_type="application/sdp",
                              headers=[("Supported", "timer"), ("Allow", "INVITE, ACK, BYE")], contact=carol.contact())
        response = tx.final()
        self.assertEqual(response.code, 200, response.show())
        c.dialog.ack(tx)
        c.msrp.tolerate_cut = True
        c.own_path, c.answer = own, response.body
        c.connect()
        # What he had answered last may come again: his answer may have been on its way.
        a.say("by the new path")
        for session, late in ((b, False), (c, True), (f, False)):
            self.hears_all(session, [b"by the new path"], late)
        self.everyone_hears([a, b, c, f], c, "from the new path")
        self.assertEqual(b.roster.full, 1, "one full document is enough")

        for session in (a, c, f):
            session.leave()
        # OMA-SES-8: one alone is no session.
        b.bye_came()
        bob.sip.wait(lambda: b.roster.ended, "the end of the subscription")
        self.assertIn("noresource", b.roster.ended)

    def test_not_all_come(self):
        """OMA-SES-3, -5: one accepts, one declines, one is not there; the roster tells."""
        alice, bob, carol = self.users("alice", "bob", "carol")
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor, carol.aor, aor("dave")]))
        carol.invited().tx.respond(603)
        b = bob.accept()
        a = alice.answered(tx)
        a.subscribe()
        a.sees(alice.aor, bob.aor)
        self.everyone_hears([a, b], a, "two of us")
        a.leave()
        b.bye_came()

    # --- a pre-defined group

    def test_group(self):
        alice, bob, carol, dave = self.users("alice", "bob", "carol", "dave")  # erin and frank are not there
        about = [("Event", "poc-settings"), ("Accept-Contact", f"*;{TAG}")]
        published = dave.sip.ask("PUBLISH", dave.aor, body=BARRED.format("true").encode(), content_type="application/poc-settings+xml",
                                 headers=[*about, ("Expires", "3600")]).final()
        self.assertEqual(published.code, 200, published.show())
        tx = alice.call(TEAM)
        c = carol.accept()
        b = bob.accept()
        a = alice.answered(tx)
        self.assert_focus(a.response, TEAM)  # SEED2-7.2.1.1-10b
        dave.sip.quiet(0.5, lambda m: m.method == "INVITE")  # SEED4-6.1.2.1-1
        a.subscribe()
        a.sees(alice.aor, bob.aor, carol.aor)
        self.everyone_hears([a, b, c], b, "hello team")

        # He lets himself in: barring is about being invited. Anonymous, with an alias (OMA-ALIAS-1, OMA-CONF-6).
        d = dave.join(TEAM, headers=[("Privacy", "id")], from_=f'"Smith" <sip:anonymous@anonymous.invalid>;tag={re.sub("[^a-z0-9]", "", dave.own_path())[-8:]}')
        dave.sip.wait(lambda: True, "")
        alice.sip.wait(lambda: any(u.endswith("@anonymous.invalid") for u in a.roster.connected()),
                       f"somebody anonymous in {a.roster.users}", 12)
        self.assertNotIn(dave.aor, a.roster.users)
        d.say("who am I", sender="sip:anonymous@anonymous.invalid")
        for session in (a, b, c):
            heard = session.hear()
            self.assertEqual(heard.content, b"who am I")
            self.assertNotIn("dave", str(heard.headers))
            self.assertTrue(heard.uri("From").endswith("@anonymous.invalid"), heard.headers)
        for session in (a, b, c, d):
            session.leave()
        again = dave.sip.ask("PUBLISH", dave.aor, headers=[*about, ("Expires", "0"), ("SIP-If-Match", published.get("sip-etag"))]).final()
        self.assertEqual(again.code, 200, again.show())

    ANSWERS_COME_LATE = False  # those of members on another shard are collected: what they answered last may come again

    def hears_all(self, session, contents, late=False):
        """These, in this order; in front of them, where answers come late or were cut off, what was answered last."""
        heard = [session.hear()]
        while (late or self.ANSWERS_COME_LATE) and heard[0].content != contents[0]:
            heard = [session.hear()]
        heard += [session.hear() for _ in contents[1:]]
        self.assertEqual([each.content for each in heard], contents)
        return heard

    def test_who_comes_back_misses_nothing(self):
        """OMA-SES-1: a device joins again, its old connection still there and not answering; nobody said it was gone."""
        alice, bob = self.user("alice"), self.user("bob", device=True)
        tx = alice.call(TEAM)
        old = bob.accept()
        a = alice.answered(tx)
        self.everyone_hears([a, old], a, "one")
        old.msrp.auto = False  # it reads no more, as far as anybody can tell
        for text in ("two", "three"):
            a.say(text)
        again = bob.join(TEAM)
        old.bye_came()
        a.say("four")
        heard = self.hears_all(again, [b"two", b"three", b"four"])
        self.assertEqual([each.mid for each in heard[:2]], [old.hear().mid, old.hear().mid], "the same, so that he can tell")
        # And when its connection is gone and its dialog is not.
        again.msrp.auto = False
        a.say("five", fr="no")
        again.msrp.tolerate_cut = True
        again.msrp.close()
        a.say("six")
        third = bob.join(TEAM)
        again.bye_came()
        self.hears_all(third, [b"five", b"six"], late=True)
        third.hears_nothing()
        for session in (a, third):
            session.leave()

    def test_only_members_come_in(self):
        """OMA-GRP-4."""
        alice = self.user("alice")
        self.assertEqual(alice.call("sip:noteam@example.org").final().code, 404)

    # --- the media

    def test_nicknames_and_private_messages(self):
        """RFC 7701 sections 6 and 7."""
        alice, bob, carol = self.users("alice", "bob", "carol")
        a, b, c = self.group_of(alice, [bob, carol])
        self.assertIn("nickname", " ".join(attributes(a.answer, "chatroom")))
        self.assertEqual(a.nickname("Alice in Wonderland"), 200)
        self.assertEqual(b.nickname("alice  in wonderland"), 425)
        self.assertEqual(b.nickname("Bob"), 200)
        a.say("only for you", to=bob.aor)
        heard = b.hear()
        self.assertEqual(heard.content, b"only for you")
        c.hears_nothing()
        for session in (a, b, c):
            session.leave()

    def test_a_group_wants_cpim(self):
        """RFC 7701 section 6.1: 415."""
        alice, bob, carol = self.users("alice", "bob", "carol")
        a, b, c = self.group_of(alice, [bob, carol])
        tid, mid = a.msrp.send(a.path, b"plain", content_type="text/plain")
        a.told(tid, mid, 415)
        # From somebody else.
        a.say("false name", sender=bob.aor, code=403)
        b.hears_nothing()
        for session in (a, b, c):
            session.leave()

    def test_a_success_report_of_the_switch(self):
        """RFC 7701 section 6.1: the switch answers for the room; REPORTs of members do not pass."""
        alice, bob, carol = self.users("alice", "bob", "carol")
        a, b, c = self.group_of(alice, [bob, carol])
        mid = a.say("did it come?", sr="yes")
        for session in (b, c):
            session.hear()
        report = a.msrp.take_request("REPORT", mid)
        self.assertIn(" 200", report.get("Status"))
        for session in (a, b, c):
            session.leave()

