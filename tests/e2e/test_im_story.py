"""test_im_story.py - the story of im_story with one parleyd that has all roles: participating functions out of the media path
and in it, and one that spreads its work over two shards."""
import unittest

from im_story import SECRETS, Story, group_flags
from server import Parleyd


class Alone(Story, unittest.TestCase):
    FLAGS = ()
    SHARDS = 1

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*group_flags(cls), *cls.FLAGS, sip=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"), msrp=("tcp:127.0.0.1:0",),
                             users=[f"{u}:{s}" for u, s in SECRETS.items()], shards=cls.SHARDS).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @classmethod
    def address(cls):
        return cls.server.listeners("tcp", "sip")[0]

    @classmethod
    def servers(cls):
        return [cls.server]


class InTheMediaPath(Alone):
    FLAGS = ("--pf-media-path", "always")


class TwoShards(Alone):
    SHARDS = 2


class MembersOnBothShards(Alone):
    """From the second participant on every other one has his MSRP session on another shard than the room."""
    FLAGS = ("--room-spread-min", "1")
    SHARDS = 2
    ANSWERS_COME_LATE = True

    def test_who_lost_his_connection_has_everything_once(self):
        """T-69, on both shards: what was on its way when it broke comes with the next one, in order."""
        alice, bob, carol, dave = self.users("alice", "bob", "carol", "dave")
        sessions = a, b, c, d = self.group_of(alice, [bob, carol, dave])
        self.everyone_hears(sessions, b, "before")
        for lost in (b, c, d):
            lost.msrp.wait_answered()  # else what it heard last comes again, and may
            lost._close()
            texts = [f"{lost.member.user} {n}".encode() for n in range(5)]
            others = [session for session in sessions if session is not lost]
            for n, text in enumerate(texts):
                self.everyone_hears(others, (a, others[1])[n % 2], text.decode())
            lost.connect()
            for text in texts:
                self.assertEqual(lost.hear().content, text)
            self.everyone_hears(sessions, lost, "back again")
            self.everyone_hears(sessions, a, "good")
        for session in sessions:
            session.hears_nothing(0.1)
        for session in sessions[:-1]:
            session.leave()


if __name__ == "__main__":
    unittest.main()
