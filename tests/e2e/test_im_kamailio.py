"""test_im_kamailio.py - the story of im_story with Kamailio as registrar and core, by packaging/examples/kamailio-im-core.cfg,
and three parleyds with one role each: originating, controlling, terminating. Clients see the same as from one server."""
import unittest

import foreign
from im_story import TEAM, Story, group_flags
from server import Parleyd

CORE, ORIGINATING, CONTROLLING, TERMINATING = "127.0.0.31", "127.0.0.41", "127.0.0.42", "127.0.0.43"
SERVERS = "127.0.0.40/29"  # who connects to whom for messages, their descriptions say


@unittest.skipIf(foreign.kamailio_missing(), foreign.kamailio_missing())
class ThreeServers(Story, unittest.TestCase):
    FLAGS = ()
    MSRP = False  # of the participating functions

    @classmethod
    def setUpClass(cls):
        cls.started = []
        cls.core = None
        cls.addClassCleanup(cls.end)
        address = foreign.free_address(CORE)
        core = f"sip:{CORE}:{address[1]};transport=tcp;lr;stage="
        for host, flags in ((ORIGINATING, ("--roles", "participating", "--core", core + "orig", *cls.FLAGS)),
                            (CONTROLLING, ("--roles", "controlling", "--core", core + "conf", *group_flags(cls))),
                            (TERMINATING, ("--roles", "participating", *cls.FLAGS))):
            media = host == CONTROLLING or cls.MSRP
            server = Parleyd("--trusted-peer", f"{CORE}/32", "--dial-allow", SERVERS, *flags, sip=(f"tcp:{host}:0",), msrp=(f"tcp:{host}:0",) if media else (),
                             users=())
            cls.started.append(server)
            server.start()
        cls.core = foreign.KamailioExample("kamailio-im-core.cfg", CORE, {
            at: server.listeners("tcp", "sip")[0] for at, server in zip(("192.0.2.11", "192.0.2.12", "192.0.2.13"), cls.started)
        }, address)

    @classmethod
    def end(cls):
        troubles = []
        for server in cls.started:
            try:
                server.stop()
            except AssertionError as bad:
                troubles.append(str(bad))
        if cls.core:
            cls.core.stop()
        assert not troubles, troubles

    def run(self, result=None):
        failed = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > failed:
            print(self.core.said())

    @classmethod
    def address(cls):
        return cls.core.address

    @classmethod
    def servers(cls):
        return cls.started


class InTheMediaPath(ThreeServers):
    FLAGS = ("--pf-media-path", "always")
    MSRP = True

    def test_who_comes_back_misses_nothing(self):
        """OMA-SES-9: the function between takes +sip.instance off, so the focus is joined by a second device of bob's: his
        old one, which answers nothing, keeps its dialog and what is said, and the new one has all from then on."""
        alice, bob = self.user("alice"), self.user("bob", device=True)
        tx = alice.call(TEAM)
        old = bob.accept()
        a = alice.answered(tx)
        self.everyone_hears([a, old], a, "one")
        old.msrp.auto = False
        a.say("two")
        again = bob.join(TEAM)
        a.say("three")
        self.hears_all(again, [b"three"])
        self.hears_all(old, [b"two", b"three"])
        again.hears_nothing()
        for session in (a, old, again):
            session.leave()


if __name__ == "__main__":
    unittest.main()
