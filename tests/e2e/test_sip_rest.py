"""test_sip_rest.py - when all is over nothing is left: transactions, connections, bindings, memory (RFC 3261 17)."""
import time
import unittest

from server import MEMORY_CHECKS
from sip_base import SipCase

BOB = "sip:bob@example.org"
GAUGES = ("parley_connections", "parley_sip_connections", "parley_sip_transactions", "parley_sip_bindings",
          "parley_sip_registered_users", "parley_sip_partial_bytes", "parley_heap_bytes")


class Rest(SipCase):
    """T1 is short, so that the timers run out within the test; only Timer D is more than 32 s whatever T1 is."""

    FLAGS = ("--sip-t1", "100ms")
    SIP = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "ws:127.0.0.1:0")

    def rest(self, seconds=45):
        for gauge in (*GAUGES, "parley_sip_calls"):
            self.server.wait_metric(gauge, lambda v: v == 0, seconds)

    def some_of_everything(self, here, there):
        """Messages, a call, a refused one, a cancelled one, a fork, one that nobody answers, and refusals."""
        a, b = self.user("alice", here), self.user("bob", there)
        twin = self.user("bob", there, name="bob's other device")
        twin.auto["MESSAGE"] = 480
        for body in (b"x", b"y" * 20000 if "udp" not in (here, there) else b"z"):
            self.code(a.message(BOB, body), 200)
        tx = a.invite(BOB)
        invites = [p.take_request("INVITE") for p in (b, twin)]
        for invite in invites:
            invite.tx.respond(180)
        invites[0].tx.accept()
        dialog = tx.dialog(self.code(tx.final(), 200))
        dialog.ack()
        invites[1].tx.wait_cancel()
        dialog.bye()
        tx = a.invite(BOB)
        for peer in (b, twin):
            peer.take_request("INVITE").tx.respond(486)
        self.code(tx.final(), 486)
        tx = a.invite(BOB)
        for peer in (b, twin):
            peer.take_request("INVITE").tx.respond(180)
        tx.provisional(180)
        self.code(tx.cancel().final(), 200)
        self.code(tx.final(), 487)
        self.code(a.message("sip:nobody@example.org"), 404)
        b.auto["MESSAGE"] = twin.auto["MESSAGE"] = None
        a.ask("MESSAGE", BOB, body=b"into the void", content_type="text/plain")
        b.take_request("MESSAGE")
        twin.take_request("MESSAGE")
        for peer in (a, b, twin):
            peer.register(0, contacts=["*"])

    def test_R3261_2_nothing_is_left(self):
        for here, there in (("udp", "tcp"), ("tcp", "ws"), ("ws", "udp")):
            self.some_of_everything(here, there)
        for peer in self.peers:
            peer.close()
        self.rest()

    def test_R3261_2_nothing_is_left_of_those_who_vanish(self):
        """Connections that are reset, or ended on one side, in the middle of everything."""
        for end in ("rst", "half", "close"):
            a, b = self.user("alice", "tcp", outbound=True, listen=False), self.user("bob", "ws")
            a.flow.tolerate_cut = b.flow.tolerate_cut = True
            tx = a.invite(BOB)
            b.take_request("INVITE").tx.respond(180)
            tx.provisional(180)
            b.auto["MESSAGE"] = None
            a.ask("MESSAGE", BOB, body=b"x", content_type="text/plain")
            b.take_request("MESSAGE")
            if end == "half":  # she may still get her answers, he can give none any more
                for peer in (a, b):
                    peer.flow.half_close()
                for peer in (b, a):
                    peer.wait_closed(45)  # the ACK of her INVITE cannot come: it is waited for
            for peer in (a, b):
                getattr(peer.flow, "rst" if end == "rst" else "close")()
        self.rest()

    def test_R3261_2_memory_comes_back(self):
        a, b = self.user("alice", "tcp"), self.user("bob", "tcp")
        self.code(a.message(BOB, b"warm"), 200)
        before = self.server.memory()["rss"]
        for _ in range(300):
            self.code(a.message(BOB, b"x" * 30000), 200)
        for peer in (a, b):
            peer.register(0, contacts=["*"])
            peer.close()
        self.rest()
        if MEMORY_CHECKS:
            self.assertLess(self.server.memory()["rss"] - before, 48 << 20)

    def test_drain_waits_for_what_is_under_way(self):
        """SIGTERM while a MESSAGE is being answered: the answer still comes, then the server ends cleanly."""
        with type(self.server)(*self.FLAGS, sip=self.SIP, msrp=()) as server:
            a = self.peer("tcp", "alice", server=server)
            b = self.peer("tcp", "bob", server=server)
            self.code(b.register(600), 200)
            b.auto["MESSAGE"] = None
            tx = a.ask("MESSAGE", BOB, body=b"x", content_type="text/plain")
            request = b.take_request("MESSAGE")
            server.process.terminate()
            time.sleep(0.3)
            request.tx.respond(200)
            self.code(tx.final(), 200)
            server.stop(tell=False)
            for peer in (a, b):
                peer.flow.tolerate_cut = True


class RestOfCalls(Rest):
    """The same where calls are carried leg to leg."""

    FLAGS = (*Rest.FLAGS, "--sip-calls", "b2bua")


if __name__ == "__main__":
    unittest.main()
