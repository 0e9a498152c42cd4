"""test_store.py - what parleyd still knows after it was killed and started again (--store)."""
import os
import signal
import stat
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as ET

from base import SECRETS, path
from im_peer import Participant, recipients
from peer import Peer
from server import Parleyd, binary
from sip_wire import Stream
from store_base import StoreCase

FACTORY = "sip:factory@example.org"
SETTINGS = (b'<?xml version="1.0" encoding="UTF-8"?><poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="e1">'
            b'<isb-settings><incoming-session-barring active="true"/></isb-settings></entity></poc-settings>')


class Story:
    def test_who_is_registered_by_UDP_is_reached_after_a_kill(self):
        bob = self.user("bob")
        before = self.bindings(bob)
        self.again()
        alice = self.peer()
        self.reached(alice, bob, b"still there?")
        after = self.bindings(bob)
        self.assertEqual(list(after), list(before))
        self.assertLessEqual(max(after.values()), max(before.values()))
        # and he goes on in his own order: the same Call-ID, the next CSeq, one binding
        self.code(bob.register(600), 200)
        self.assertEqual(len(self.bindings(bob)), 1)
        self.again(orderly=True)
        self.reached(self.peer(), bob, b"and now?")
        self.assertEqual(self.rows(), [("sip:bob@example.org", bob.contact)])


class Restart(Story, StoreCase):
    def test_R3261_14_the_order_of_a_call_id_outlives_the_process(self):
        bob = self.user("bob")
        early = bob.register_seq - 1
        self.code(bob.register(600), 200)
        self.again()
        self.code(bob.register(0, cseq=early), 500)
        self.assertEqual(len(self.bindings(bob)), 1)

    def test_who_went_away_does_not_come_back(self):
        bob, carol = self.user("bob"), self.user("carol")
        self.code(bob.register(0), 200)
        self.again()
        self.assertEqual(self.bindings(bob), {})
        self.assertEqual(len(self.bindings(carol)), 1)

    def test_time_goes_on_while_nobody_runs(self):
        bob = self.user("bob", expires=1)
        self.server.wait_metric("parley_store_waiting", lambda v: v == 0)
        self.server.kill()
        time.sleep(1.1)
        self.begin()
        self.assertEqual(self.bindings(bob), {})

    def test_T_35_who_was_reached_by_his_connection_has_to_come_again(self):
        bob = self.user("bob", "tcp", outbound=True)
        self.again()
        self.assertEqual(self.bindings(self.peer(user="bob")), {})
        alice = self.peer()
        self.code(alice.message("sip:bob@example.org", b"are you there"), 202)  # he can not be reached: it waits for him
        back = self.user("bob", "tcp", outbound=True, name="bob again")
        self.assertEqual(back.take_request("MESSAGE").body, b"are you there")
        self.server.wait_metric("parley_im_deferred_delivered_total", lambda v: v == 1)  # what comes until then waits behind it
        self.reached(alice, back, b"welcome back")
        self.assertEqual(self.rows(), [])

    def test_a_reload_may_not_change_the_store(self):
        self.again("--roles", "registrar")  # no deferred messages: nothing else asks the store
        self.assertEqual(self.server.metric("parley_store_dropped_total"), 0)
        self.assertGreaterEqual(self.server.metric("parley_store_wal_bytes"), 0)
        self.user("bob")
        self.server.wait_metric("parley_store_operations_total", lambda v: v == 1)
        self.assertEqual(self.server.metric("parley_store_commits_total"), 1)


class TwoShards(Story, StoreCase):
    SHARDS = 2


class Sessions(StoreCase):
    MSRP = ("tcp:127.0.0.1:0",)
    FLAGS = ("--conference-factory", FACTORY)

    def begin(self, *flags, **how):
        super().begin(*self.FLAGS, *flags, **how)

    def participant(self, name):
        return Participant(self, self.server.listeners("tcp", "sip")[0], name, SECRETS[name], device=True)

    def close(self, *participants):
        for one in participants:
            one.sip.close()
            self.peers.remove(one.sip)

    def test_OMA_SES_9_a_session_is_come_back_to_after_a_kill(self):
        alice, bob = before = [self.participant(name) for name in ("alice", "bob")]
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor]))
        b = bob.accept()
        a = alice.answered(tx)
        identity = a.response.contact.uri
        a.say("before")
        self.assertEqual(b.hear().content, b"before")
        a.msrp.tolerate_cut = b.msrp.tolerate_cut = True
        self.again()
        self.close(*before)
        alice, bob, carol = [self.participant(name) for name in ("alice", "bob", "carol")]
        self.assertEqual(carol.call(identity).final(20).code, 403)  # nobody has named him
        b = bob.join(identity)
        self.assertEqual(b.response.contact.uri, identity)
        a = alice.join(identity)
        self.assertEqual(a.response.contact.uri, identity)
        a.say("after")
        self.assertEqual(b.hear().content, b"after")
        a.leave()
        b.bye_came()
        self.assertEqual(bob.call(identity).final(20).code, 404)  # it has ended, for good
        self.again()
        self.close(alice, bob, carol)
        bob = self.participant("bob")
        self.assertEqual(bob.call(identity).final(20).code, 404)

    def test_R6665_2_who_watches_a_session_is_told_to_come_again_after_a_kill(self):
        alice, bob = before = [self.participant(name) for name in ("alice", "bob")]
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor]))
        b = bob.accept()
        a = alice.answered(tx)
        identity = a.response.contact.uri
        a.msrp.tolerate_cut = b.msrp.tolerate_cut = True
        desk = self.peer(user="alice", name="alice's desk")
        watched = desk.subscribe(identity, event="conference", accept="application/conference-info+xml", expires=600)
        dialog = watched.dialog(self.code(watched.final(), 200))
        first = desk.take_request("NOTIFY")
        self.again()
        self.close(*before)
        last = desk.take_request("NOTIFY")
        self.assertEqual((last.call_id, last.body), (dialog.call_id, b""), last.show())
        self.assertEqual(last.get("subscription-state"), "terminated;reason=deactivated")
        self.assertGreater(int(last.get("cseq").split()[0]), int(first.get("cseq").split()[0]))
        alice = self.participant("alice")
        a = alice.join(identity)
        again = desk.subscribe(identity, event="conference", accept="application/conference-info+xml", expires=600)
        self.code(again.final(), 200)
        self.assertIn(b"alice@example.org", desk.take_request("NOTIFY").body)
        a.leave()

    def test_OMA_SET_9_what_was_published_holds_after_a_kill(self):
        bob = self.user("bob")
        headers = [("Event", "poc-settings"), ("Expires", "3600"), ("Accept-Contact", "*;+g.oma.sip-im")]
        answer = bob.ask("PUBLISH", bob.aor, body=SETTINGS, content_type="application/poc-settings+xml", headers=headers).final()
        self.code(answer, 200)
        self.again()
        alice = self.participant("alice")
        self.assertEqual(alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor])).final(20).code, 403)
        # His next one is about that publication, if he knows its tag (RFC 3903 section 6).
        headers.append(("SIP-If-Match", answer.get("sip-etag")))
        headers[1] = ("Expires", "0")
        self.code(bob.ask("PUBLISH", bob.aor, headers=headers).final(), 200)
        tx = alice.call(f"{FACTORY};sessiontype=adhoc", recipients([bob.aor]))
        bob.take_request("INVITE")
        tx.cancel().final()
        tx.final()


class Watching:
    """Subscriptions in their dialogs, seen by clients that only notice that NOTIFYs come late."""

    FLAGS = ("--reg-event-interval", "100ms")

    def begin(self, *flags, **how):
        super().begin(*self.FLAGS, *flags, **how)

    def watch(self, peer, event="reg", accept="application/reginfo+xml"):
        tx = peer.subscribe(peer.aor, event=event, accept=accept, expires=600)
        dialog = tx.dialog(self.code(tx.final(), 200))
        return dialog, self.told(peer, dialog)

    def told(self, peer, dialog, timeout=10):
        notify = peer.take_request("NOTIFY", lambda m: m.call_id == dialog.call_id, timeout)
        self.assertTrue(notify.get("subscription-state").startswith("active;expires="), notify.show())
        return notify

    def refresh(self, dialog, event="reg", expires=600):
        headers = [("Event", event), ("Expires", str(expires))]
        return dialog.request("SUBSCRIBE", headers=headers, auth=False).final()

    def seq(self, notify):
        return int(notify.get("cseq").split()[0])

    def version(self, notify):
        return int(ET.fromstring(notify.body).get("version"))

    def test_R6665_1_a_subscription_by_UDP_goes_on_after_a_kill(self):
        for name in ("alice", "alice again"):
            alice = self.user("alice", name=name)
            dialog, first = self.watch(alice)
            for _ in range(2):
                self.again()
                again = self.told(alice, dialog)
                self.assertGreater(self.seq(again), self.seq(first))
                self.assertGreater(self.version(again), self.version(first))
                self.assertEqual(ET.fromstring(again.body).get("state"), "full")
                self.assertEqual(again.addresses("from")[0].params["tag"], first.addresses("from")[0].params["tag"])
                first = again
            time.sleep(0.2)  # twice the interval: what comes now is told alone
            self.code(alice.register(300), 200)
            change = self.told(alice, dialog)
            self.assertEqual(self.seq(change), self.seq(again) + 1)
            self.assertIn(b'expires="', change.body)
            self.code(self.refresh(dialog), 200)
            self.told(alice, dialog)
            self.code(self.refresh(dialog, expires=0), 200)
            last = alice.take_request("NOTIFY", lambda m: m.call_id == dialog.call_id)
            self.assertEqual(last.get("subscription-state"), "terminated;reason=timeout")
            self.again()
            self.code(self.refresh(dialog), 481)
            self.code(alice.register(0), 200)

    def test_OMA_DEF_11_settings_and_the_list_of_what_waits_go_on_after_a_kill(self):
        alice, bob = self.user("alice"), self.user("bob")
        settings, before = self.watch(alice, "poc-settings", "application/poc-settings+xml")
        self.code(bob.register(0), 200)
        waits, _ = self.watch(bob, "ua-profile", "application/vnd.oma.im.deferred-list+xml")
        self.again()
        self.assertGreater(self.seq(self.told(alice, settings)), self.seq(before))
        self.assertNotIn(b"<entry", self.told(bob, waits).body)
        self.code(alice.message(bob.aor, b"for later"), 202)
        self.assertIn(b"<entry", self.told(bob, waits).body)
        self.code(self.refresh(settings, "poc-settings"), 200)
        self.told(alice, settings)

    def test_T_35_who_listens_for_connections_is_called_after_a_kill(self):
        alice = self.user("alice", "tcp")
        dialog, first = self.watch(alice)
        alice.flow.tolerate_cut = True
        self.again()
        alice.flow = Stream(alice, alice.address)  # which he uses for nothing
        self.assertGreater(self.seq(self.told(alice, dialog)), self.seq(first))
        time.sleep(0.2)  # twice the interval: what comes now is told alone
        self.code(self.user("alice").register(100), 200)
        self.assertIn(b'state="partial"', self.told(alice, dialog).body)

    def test_T_35_who_does_not_is_told_when_he_refreshes_over_another_connection(self):
        alice = self.user("alice", "tcp", listen=False, outbound=True)
        dialog, first = self.watch(alice)
        alice.flow.tolerate_cut = True
        self.again()
        self.assertEqual(self.server.metric("parley_sip_subscriptions"), 1)
        back = self.peer("tcp", "alice", listen=False, name="alice again")
        dialog.peer = back
        self.code(self.refresh(dialog), 200)
        notify = self.told(back, dialog)
        self.assertGreater(self.seq(notify), self.seq(first))
        time.sleep(0.2)  # twice the interval: what comes now is told alone
        self.code(self.user("alice").register(100), 200)
        self.told(back, dialog)


class WatchingRestart(Watching, StoreCase):
    def test_R6665_1_many_are_told_in_their_time(self):
        peers = [self.user("alice", name=f"alice {n}") for n in range(5)]
        dialogs = [self.watch(peer)[0] for peer in peers]
        self.again("--subscriptions-restored-rate", "2")
        began = time.monotonic()
        for peer, dialog in zip(peers, dialogs):
            self.told(peer, dialog)
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertEqual(self.server.metric("parley_sip_subscriptions_restored_total"), 5)


class WatchingTwoShards(Watching, StoreCase):
    SHARDS = 2


class Refused(unittest.TestCase):
    """What is no store is said and left alone, before anything listens."""

    def start(self, value):
        return subprocess.run([binary(), "--sip", "udp:127.0.0.1:0", "--domain", "example.org", "--admin", "none", "--store",
                               value], capture_output=True, text=True, timeout=30, check=False)

    def test_bad_stores(self):
        with tempfile.TemporaryDirectory() as there:
            with open(os.path.join(there, "parley.db"), "w", encoding="utf-8") as file:
                file.write("this is no database" * 100)
            for value, why in ((f"sqlite:{there}", "not a database"), (f"sqlite:{there}/a/b", "No such file"),
                               ("sqlite:", "neither memory nor"), ("postgres:x", "neither memory nor")):
                with self.subTest(value):
                    ended = self.start(value)
                    self.assertNotEqual(ended.returncode, 0)
                    self.assertIn(why, ended.stderr + ended.stdout)


class Default(StoreCase):
    """Without --store it is ./parley-data, of the directory that parleyd is started in."""

    def begin(self, *flags, **how):
        super().begin(*flags, store=None, cwd=self.store, **how)

    def test_OMA_DEF_4_what_was_promised_is_kept_without_a_flag(self):
        alice, bob = self.peer(user="alice"), self.peer(user="bob")
        self.code(alice.message(bob.aor, b"for later"), 202)
        self.again()
        self.code(bob.register(300), 200)
        self.assertEqual(bob.take_request("MESSAGE").body, b"for later")

    def test_nobody_else_may_look_into_it(self):
        mode = lambda name: stat.S_IMODE(os.stat(os.path.join(self.store, "parley-data", name)).st_mode)
        self.assertEqual((mode(""), mode("parley.db"), mode("bodies")), (0o700, 0o600, 0o700))

    def test_a_second_process_in_the_same_directory_is_refused(self):
        second = Parleyd(sip=("udp:127.0.0.1:0",), msrp=(), store=None, cwd=self.store)
        self.addCleanup(second.kill)
        with self.assertRaisesRegex(AssertionError, "--store: ./parley-data: another process has it; each parleyd needs a directory"):
            second.start()


class NothingKept(unittest.TestCase):
    """Who has nothing to keep makes no directory, and has none for itself."""

    def setUp(self):
        self.place = self.enterContext(tempfile.TemporaryDirectory(prefix="parley-e2e-default-"))

    def test_relays_share_a_directory_and_one_takes_the_port_of_another_that_drains(self):
        with Parleyd("--drain-timeout", "60s", store=None, cwd=self.place) as old:
            x, y = (Peer(old.tcp, name=name) for name in ("alice", "bob"))
            for peer in (x, y):
                self.addCleanup(peer.close)
                peer.auth(old.uri(), peer.name, SECRETS[peer.name])
            old.process.send_signal(signal.SIGTERM)
            with Parleyd(msrp=(f"tcp:127.0.0.1:{old.tcp[1]}",), store=None, cwd=self.place) as new:
                tid, mid = x.send(path(x, y), b"by the old one")
                self.assertEqual(x.take_response(tid).code, 200)
                y.take_message(mid)
                z = Peer(new.tcp, name="carol")
                self.addCleanup(z.close)
                z.auth(new.uri(), "carol", SECRETS["carol"])
                for peer in (x, y, z):
                    peer.close()
                old.stop(tell=False)
        self.assertEqual(os.listdir(self.place), [])

    def test_the_check_of_a_configuration_makes_nothing(self):
        done = subprocess.run([binary(), "--sip", "udp:127.0.0.1:0", "--domain", "example.org", "--user", "a:b", "--check-config"],
                              capture_output=True, text=True, timeout=30, check=False, cwd=self.place)
        self.assertEqual((done.returncode, done.stdout), (0, "ok\n"))
        self.assertEqual(os.listdir(self.place), [])


if __name__ == "__main__":
    unittest.main()
