"""test_sipp.py - sipp at both ends and parleyd between: the scenarios of tests/e2e/sipp, one file for each end."""
import os
import shutil
import random
import socket
import subprocess
import tempfile
import unittest

from base import SECRETS
from sip_base import SipCase

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")
SECONDS = int(os.environ.get("PARLEY_SIPP_SECONDS", "120"))


def free_port(kind=socket.SOCK_DGRAM):
    """Below the range that the kernel hands out: nobody else gets it between this look and sipp's bind."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Run:
    """One sipp process; end() waits for it and fails with what it wrote."""

    def __init__(self, case, scenario, me, callee="bob", port=None, calls=1, transport="udp", lost=None, server=None):
        self.case, self.scenario = case, scenario
        self.dir = tempfile.mkdtemp(prefix="parley-sipp-")
        case.addCleanup(self.remove)
        host, there = (server or case.server).listeners(transport, "sip")[0]
        command = ["sipp", f"{host}:{there}", "-sf", os.path.join(SCENARIOS, scenario + ".xml"), "-i", host,
                   "-p", str(port or free_port()), "-t", "u1" if transport == "udp" else "t1", "-s", callee,
                   "-m", str(calls), "-l", str(calls if lost else 1), "-key", "domain", "example.org", "-key", "me", me,
                   "-key", "peer", "alice", "-au", me, "-ap", SECRETS[me],
                   "-auth_uri", "example.org" if "register" in scenario else f"{callee}@example.org",
                   "-timeout", str(SECONDS), "-timeout_error", "-default_behaviors", "none", "-nostdin", "-skip_rlimit",
                   "-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages",
                   "-trace_logs", "-log_file", "log"]
        if lost:
            command += ["-lost", str(lost)]
        self.output = open(os.path.join(self.dir, "output"), "wb")
        self.process = subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT)

    def end(self, *others):
        """others: the runs at the other end, shown too when this one fails."""
        try:
            code = self.process.wait(SECONDS + 10)
        except subprocess.TimeoutExpired:
            code = "no end"
        if code != 0:
            said = "".join(run.story() for run in (self, *others))
            self.case.fail(f"sipp {self.scenario} ended with {code}\n{said}\n{self.case.server.tail()}")

    def story(self):
        said = [line for line in self.read("output").splitlines() if "20" in line and "Resolving" not in line]
        return f"--- {self.scenario}:\n{self.read('errors')}\n{self.read('messages')[-8000:]}\n" + "\n".join(said[-5:]) + "\n"

    def read(self, name):
        try:
            with open(os.path.join(self.dir, name), encoding="utf-8", errors="backslashreplace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@unittest.skipUnless(shutil.which("sipp"), "Debian package sip-tester is not installed")
class Sipp(SipCase):
    """sipp 3.6 answers one challenge, and that by MD5."""

    FLAGS = ("--auth-algorithms", "MD5")
    GLARE = ("glare_uac", "glare_uas")
    TIMER = ("timer_uac", "timer_uas")

    def registered(self, me="bob", transport="udp"):
        """A port at which that user is registered until the test's end.

        sipp's TCP connection goes with the process that registers, and its binding with it: there another one registers."""
        port = free_port(socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        if transport == "udp":
            Run(self, "register", me, port=port).end()
        else:
            contact = f"<sip:{me}@127.0.0.1:{port};transport=tcp>"
            self.code(self.peer(user=me).register(600, contacts=[contact]), 200)
        self.addCleanup(lambda: Run(self, "unregister", me).end())
        return port

    def both(self, caller, callee, calls=1, transport="udp", lost=None):
        port = self.registered(transport=transport)
        there = Run(self, callee, "bob", port=port, calls=calls, transport=transport, lost=lost)
        here = Run(self, caller, "alice", calls=calls, transport=transport, lost=lost)
        here.end(there)
        there.end(here)

    def test_R3261_14_register_with_digest(self):
        self.registered()

    def test_R3428_1_message(self):
        for transport in ("udp", "tcp"):
            with self.subTest(transport):
                self.both("message_uac", "message_uas", calls=10, transport=transport)
                self.doCleanups()

    def test_R3261_10_call(self):
        for transport in ("udp", "tcp"):
            with self.subTest(transport):
                self.both("invite_uac", "invite_uas", calls=10, transport=transport)
                self.doCleanups()

    def test_R3261_10_callee_hangs_up(self):
        self.both("hangup_uac", "hangup_uas", calls=5)

    def test_R3261_7_cancel(self):
        self.both("cancel_uac", "cancel_uas", calls=5)

    def test_R3261_7_cancel_race(self):
        self.both("race_uac", "race_uas", calls=20)

    def test_R3261_6_glare(self):
        self.both(*self.GLARE, calls=3)

    def test_R3311_1_update(self):
        self.both("update_uac", "update_uas", calls=5)

    def test_R3262_1_reliable_provisional_response(self):
        self.both("prack_uac", "prack_uas", calls=5)

    def test_R4028_3_session_timer(self):
        self.both(*self.TIMER, calls=3)

    def test_R3261_11_fork(self):
        lost, won = self.registered(), self.registered()
        ends = [Run(self, "fork_lost_uas", "bob", port=lost), Run(self, "fork_won_uas", "bob", port=won),
                Run(self, "fork_uac", "alice")]
        for end in reversed(ends):
            end.end(*[e for e in ends if e is not end])

    def test_R6665_1_subscription_through_the_proxy(self):
        self.both("subscribe_uac", "subscribe_uas", calls=3)

    def test_R3680_1_subscription_to_registrations(self):
        self.registered("alice")
        Run(self, "reg_event_uac", "alice", callee="alice").end()

    def test_R3261_10_max_forwards(self):
        Run(self, "max_forwards_uac", "alice").end()

    def test_R3261_3_messages_with_loss(self):
        self.both("message_uac", "message_lossy_uas", calls=10, lost=10)

    def test_R3261_8_calls_with_loss(self):
        self.both("invite_lossy_uac", "invite_lossy_uas", calls=5, lost=10)


class SippLegs(Sipp):
    """The same where each side has a dialog with parleyd."""

    FLAGS = (*Sipp.FLAGS, "--sip-calls", "b2bua", "--session-expires-max", "90s")
    GLARE = ("glare_leg_uac", "glare_uas")
    TIMER = ("timer_uac", "timer_leg_uas")


@unittest.skipUnless(shutil.which("sipp"), "Debian package sip-tester is not installed")
class Loop(SipCase):
    """A user whose contact is the server itself, and a server that trusts what comes from there."""

    FLAGS = ("--trusted-peer", "127.0.0.1/32")

    def test_R3261_10_loop(self):
        host, port = self.server.listeners("udp", "sip")[0]
        self.code(self.peer(user="bob").register(600, contacts=[f"<sip:bob@{host}:{port}>"]), 200)
        Run(self, "loop_uac", "alice").end()
        self.clear("bob")


if __name__ == "__main__":
    unittest.main()
