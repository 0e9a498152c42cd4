"""test_xcap.py - documents that users read and write by XCAP (RFC 4825): they hold at once, they outlive the process, and
nobody writes another's. OMA-GRP-1, OMA-ACC-1, OMA-SET-7."""
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as ET

from base import SECRETS
from certificates import Authority
from server import Parleyd
from sip_base import SipCase
from store_base import StoreCase
from xcap_peer import GROUPS, LISTS, RULES, SETTINGS, XcapPeer, access_rules, group

IM = ("Accept-Contact", "*;+g.oma.sip-im")
TEAM = "sip:team@example.org"
ERROR = "{urn:ietf:params:xml:ns:xcap-error}"
DIFF = "{urn:ietf:params:xml:ns:xcap-diff}"


class XcapMixin:
    """Clients of the running server."""

    def client(self, user="alice", secret=True, at=None, **how):
        client = XcapPeer(at or self.server.ready["xcap"][0], user, SECRETS[user] if secret is True else secret, **how)
        self.addCleanup(client.close)
        return client

    def status(self, answer, *wanted):
        self.assertIn(answer.status, wanted, answer.show())
        return answer

    def fault(self, answer):
        self.status(answer, 409)
        self.assertEqual(answer.get("Content-Type"), "application/xcap-error+xml", answer.show())
        root = ET.fromstring(answer.body)
        self.assertEqual(root.tag, ERROR + "xcap-error")
        return root[0].tag.removeprefix(ERROR)

    def hello(self, sender, to, code, text=b"hello"):
        return self.code(sender.message(to, text, headers=[IM]), code)


class Documents(XcapMixin, SipCase):
    """One server for all tests; each uses documents of its own."""

    FLAGS = ("--xcap", "127.0.0.1:0", "--xcap-event-interval", "100ms", "--conference-factory", "sip:factory@example.org",
             "--group", "sip:operators@example.org=alice,bob", "--xcap-documents-per-user-max", "4",
             "--xcap-document-max", "16KiB", "--auth-failures-user-per-minute", "1000")
    SHARDS = 2

    @classmethod
    def setUpClass(cls):
        cls.server = Parleyd(*cls.FLAGS, sip=cls.SIP, msrp=("tcp:127.0.0.1:0",), shards=cls.SHARDS).start()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.clear, "alice", "bob", "carol")
        self.addCleanup(self.wipe)

    def wipe(self):
        for user in ("alice", "bob"):
            client = self.client(user)
            for auid, names in ((GROUPS, ("team", "team2", "n0", "n1", "n2", "n3")), (RULES, ("index",)), (SETTINGS, ("index",)), (LISTS, ("index",))):
                for name in names:
                    self.status(client.delete(auid, name), 200, 404)

    def test_OMA_GRP_1_a_group_that_was_just_put_gets_messages(self):
        alice, bob, carol = (self.user(u) for u in ("alice", "bob", "carol"))
        self.hello(alice, TEAM, 404)
        client = self.client()
        put = self.status(client.put(GROUPS, "team", group(TEAM, ["alice", "bob"])), 201)
        self.hello(alice, TEAM, 202, b"hello team")
        self.assertEqual(bob.take_request("MESSAGE").body, b"hello team")
        self.hello(carol, TEAM, 403)
        # One more member, by one element; and out again.
        node = "group/list-service/list/entry%5b@uri=%22sip:carol@example.org%22%5d"
        changed = self.status(client.put(GROUPS, "team", '<entry uri="sip:carol@example.org"/>', node), 201)
        self.assertNotEqual(changed.etag, put.etag)
        self.hello(carol, TEAM, 202, b"me too")
        self.assertEqual(bob.take_request("MESSAGE").body, b"me too")
        self.status(client.delete(GROUPS, "team", node), 200)
        self.hello(carol, TEAM, 403)
        self.status(client.delete(GROUPS, "team"), 200)
        self.hello(alice, TEAM, 404)

    def test_OMA_GRP_1_each_change_holds_when_it_is_answered(self):
        """On whatever shard a request comes in: fifty changes, and what was answered is what holds."""
        alice, bob = self.user("alice"), self.user("bob", "tcp")
        client = self.client()
        for n in range(50):
            member = n % 2 == 0
            self.status(client.put(GROUPS, "team", group(TEAM, ["bob", "alice" if member else "carol"])), 200, 201)
            self.hello(alice, TEAM, 202 if member else 403)
            if member:
                bob.take_request("MESSAGE")

    def test_OMA_ACC_1_rules_bar_at_once_and_let_through_at_once(self):
        alice, bob = self.user("alice"), self.user("bob")
        self.hello(alice, bob.aor, 200)
        bob.take_request("MESSAGE")
        client = self.client("bob")
        self.status(client.put(RULES, "index", access_rules(alice.aor, "reject")), 201)
        self.hello(alice, bob.aor, 403)
        self.status(client.put(RULES, "index", "<p:allow-invite>accept</p:allow-invite>",
                               "ruleset/rule/actions/p:allow-invite?xmlns(p=urn:oma:xml:poc:poc-rules)"), 200)
        self.hello(alice, bob.aor, 200)
        bob.take_request("MESSAGE")
        self.status(client.put(RULES, "index", access_rules(alice.aor, "reject")), 200)
        self.status(client.delete(RULES, "index"), 200)
        self.hello(alice, bob.aor, 200)

    def test_OMA_SET_7_settings_hold_while_nothing_is_published(self):
        alice, bob = self.user("alice"), self.user("bob")
        barred = ('<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="d"><ipab-settings>'
                  '<incoming-personal-alert-barring active="true"/></ipab-settings></entity></poc-settings>')
        client = self.client("bob")
        self.status(client.put(SETTINGS, "index", barred), 201)
        self.hello(alice, bob.aor, 403)
        node = "poc-settings/entity/ipab-settings/incoming-personal-alert-barring/@active"
        self.assertEqual(self.status(client.fetch(SETTINGS, "index", node), 200).body, b'"true"')
        self.status(client.put(SETTINGS, "index", '"false"', node), 200)
        self.hello(alice, bob.aor, 200)

    def test_RFC4825_8_who_may_do_what(self):
        client, other = self.client(), self.client("bob")
        self.status(client.put(GROUPS, "team", group(TEAM, ["alice", "bob"])), 201)
        self.status(other.fetch(GROUPS, "team", xui=client.xui), 200)
        self.status(self.client("carol").fetch(GROUPS, "team", xui=client.xui), 403)
        for method in ("PUT", "DELETE"):
            self.status(other.ask(method, client.path(GROUPS, "team"), group(TEAM, ["bob"]),
                                  {"Content-Type": "application/vnd.oma.poc.groups+xml"}), 403)
        self.assertEqual(self.fault(other.put(GROUPS, "team", group(TEAM, ["bob"]))), "uniqueness-failure")
        for uri in ("sip:carol@example.org", "sip:operators@example.org", "sip:factory@example.org"):
            self.assertEqual(self.fault(other.put(GROUPS, "team", group(uri, ["bob"]))), "uniqueness-failure")
        self.status(self.client(secret=None).fetch(GROUPS, "team"), 401)
        self.status(self.client(secret="wrong").fetch(GROUPS, "team"), 401)
        self.status(client.ask("GET", "/xcap-root/nothing/users/sip:alice@example.org/x"), 404)
        self.status(client.ask("GET", "/elsewhere"), 404)
        # Nobody is believed to be somebody else by a header.
        self.status(self.client("carol").fetch(GROUPS, "team", xui=client.xui, X_3GPP_Asserted_Identity='"sip:alice@example.org"'), 403)

    def test_RFC7616_digest(self):
        for algorithm in ("SHA-256", "MD5"):
            client = self.client(algorithm=algorithm)
            caps = self.status(client.ask("GET", "/xcap-root/xcap-caps/global/index"), 200)
            self.assertIn(b"<auid>org.openmobilealliance.groups</auid>", caps.body)
            self.assertIn("rspauth=", caps.get("Authentication-Info"))
            self.assertEqual(caps.get("Cache-Control"), "no-cache")
            # Without another challenge, and never the same count twice.
            target = "/xcap-root/xcap-caps/global/index"
            used = client.authorization("GET", target)
            self.status(client.send("GET", target, None, {"Authorization": used}), 200)
            replay = self.status(client.send("GET", target, None, {"Authorization": used}), 401)
            self.assertIn("stale=TRUE", replay.get("WWW-Authenticate"))
            # Credentials of one request are none of another.
            self.status(client.send("GET", "/xcap-root/xcap-caps/global/index?x", None,
                                    {"Authorization": client.authorization("GET", target)}), 401)
            self.status(client.send("PUT", target, b"", {"Authorization": client.authorization("GET", target)}), 401)

    def test_RFC4825_8_2_conditions_and_conflicts(self):
        client = self.client()
        put = self.status(client.put(GROUPS, "team", group(TEAM, ["alice"]), if_none_match="*"), 201)
        self.status(client.put(GROUPS, "team", group(TEAM, ["alice"]), if_none_match="*"), 412)
        self.status(client.put(GROUPS, "team", group(TEAM, ["alice"]), if_match='"old"'), 412)
        self.status(client.put(GROUPS, "team", group(TEAM, ["bob"]), if_match=put.etag), 200)
        now = self.status(client.fetch(GROUPS, "team"), 200)
        self.assertEqual(now.get("Content-Type"), "application/vnd.oma.poc.groups+xml")
        self.assertEqual(now.body.decode(), group(TEAM, ["bob"]))
        same = self.status(client.fetch(GROUPS, "team", If_None_Match=now.etag), 304)
        self.assertEqual((same.body, same.etag), (b"", now.etag))
        self.status(client.put(GROUPS, "team", group(TEAM, ["alice"]), content_type="application/xml"), 415)
        self.assertEqual(self.fault(client.put(GROUPS, "team", "<group>")), "not-well-formed")
        self.assertEqual(self.fault(client.put(GROUPS, "team", b"<group>\xff</group>")), "not-utf-8")
        self.assertEqual(self.fault(client.put(GROUPS, "team", "<group/>")), "schema-validation-error")
        self.assertEqual(self.fault(client.put(GROUPS, "none", "<list-service/>", "group/list-service")), "no-parent")
        self.assertEqual(self.fault(client.put(GROUPS, "team", "<a>", "group/list-service/a")), "not-xml-frag")
        self.assertEqual(self.fault(client.put(GROUPS, "team", "<b/>", "group/list-service/a")), "cannot-insert")
        self.assertEqual(self.fault(client.put(GROUPS, "team", "x", "group/list-service/@uri")), "not-xml-att-value")
        self.assertEqual(self.fault(client.put(GROUPS, "team", group("sip:x@elsewhere.org", []))), "constraint-failure")
        self.assertEqual(client.fetch(GROUPS, "team").etag, now.etag)  # all of that has changed nothing
        for method in ("PUT", "DELETE"):
            answer = self.status(client.ask(method, client.path(GROUPS, "team", "group/namespace::*")), 405)
            self.assertIn("GET", answer.get("Allow"))
        self.assertEqual(self.status(client.ask("POST", client.path(GROUPS, "team"), "x"), 405).get("Allow"), "GET, HEAD, PUT, DELETE")
        head = self.status(client.ask("HEAD", client.path(GROUPS, "team")), 200)
        self.assertEqual((head.body, head.etag, head.get("Content-Length")), (b"", now.etag, str(len(now.body))))

    def test_limits(self):
        client = self.client()
        self.status(client.put(GROUPS, "team", group(TEAM, ["alice"], "<!--" + "x" * 20000 + "-->")), 413)
        for n in range(4):
            self.status(client.put(GROUPS, f"n{n}", group(f"sip:n{n}@example.org", ["alice"])), 201)
        self.assertEqual(self.fault(client.put(GROUPS, "team", group(TEAM, ["alice"]))), "constraint-failure")
        self.assertEqual(self.server.metric("parley_xcap_documents"), 4)
        self.assertGreaterEqual(self.server.metric("parley_xcap_limit_hits_total", limit="documents_per_user"), 1)
        self.assertGreaterEqual(self.server.metric("parley_xcap_limit_hits_total", limit="body"), 1)

    def test_curl_is_served(self):
        if shutil.which("curl") is None:
            self.skipTest("no curl")
        base = "http://" + self.server.ready["xcap"][0].removeprefix("http:") + "/xcap-root"
        url = f"{base}/{GROUPS}/users/sip:alice@example.org/team"
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(group(TEAM, ["alice", "bob"]))
            file.flush()
            curl = ["curl", "--silent", "--show-error", "--digest", "--user", "alice:" + SECRETS["alice"], "--globoff"]
            code = ["--output", "/dev/null", "--write-out", "%{http_code}"]
            put = [*curl, *code, "--header", "Content-Type: application/vnd.oma.poc.groups+xml", "--upload-file", file.name]
            run = lambda words: subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=20).stdout.decode()
            self.assertEqual(run([*put, url]), "201")
            self.assertEqual(run([*put, url]), "200")
            self.assertEqual(run([*put, "--header", "Expect: 100-continue", url]), "200")
            self.assertEqual(run([*curl, url]), group(TEAM, ["alice", "bob"]))
            self.assertEqual(run([*curl, f"{url}/~~/group/list-service/list/entry%5b2%5d/@uri"]), '"sip:bob@example.org"')
            self.assertEqual(run([*curl, *code, "--request", "DELETE", f"{url}/~~/group/list-service/list/entry%5b2%5d"]), "200")
            self.assertEqual(run([*curl, *code, "--request", "DELETE", url]), "200")
            self.assertEqual(run([*curl, *code, url]), "404")
            self.assertEqual(run(["curl", "--silent", *code, url]), "401")

    def test_RFC5875_who_watches_his_documents_is_told(self):
        alice = self.user("alice")
        client = self.client()
        first = self.status(client.put(GROUPS, "team", group(TEAM, ["alice"])), 201).etag.strip('"')
        tx = alice.subscribe(alice.aor, event="xcap-diff", expires=600, accept="application/xcap-diff+xml")
        tx.dialog(self.code(tx.final(), 200))
        sel = f"{GROUPS}/users/sip:alice@example.org/team"
        self.assertEqual(self.told(alice), [(sel, None, first)])
        second = self.status(client.put(GROUPS, "team", group(TEAM, ["bob"])), 200).etag.strip('"')
        self.assertEqual(self.told(alice), [(sel, first, second)])
        self.status(client.delete(GROUPS, "team"), 200)
        self.assertEqual(self.told(alice), [(sel, second, None)])
        # Of his own alone.
        self.status(self.client("bob").put(GROUPS, "team", group(TEAM, ["bob"])), 201)
        alice.quiet(0.4, lambda message: message.method == "NOTIFY")
        refused = self.user("carol").subscribe(alice.aor, event="xcap-diff", expires=600, accept="application/xcap-diff+xml")
        self.code(refused.final(), 403)

    def test_RFC5874_an_element_changes_the_etag_of_its_document(self):
        alice = self.user("alice")
        client = self.client()
        first = self.status(client.put(GROUPS, "team", group(TEAM, ["alice"])), 201).etag.strip('"')
        tx = alice.subscribe(alice.aor, event="xcap-diff", expires=600, accept="application/xcap-diff+xml")
        tx.dialog(self.code(tx.final(), 200))
        sel = f"{GROUPS}/users/sip:alice@example.org/team"
        self.assertEqual(self.told(alice), [(sel, None, first)])
        node = "group/list-service/list/entry%5b@uri=%22sip:carol@example.org%22%5d"
        second = self.status(client.put(GROUPS, "team", '<entry uri="sip:carol@example.org"/>', node), 201).etag.strip('"')
        self.assertEqual(self.told(alice), [(sel, first, second)])
        third = self.status(client.delete(GROUPS, "team", node), 200).etag.strip('"')
        self.assertEqual(self.told(alice), [(sel, second, third)])
        self.assertEqual(len({first, second, third}), 3)

    def test_RFC4826_3_1_a_list_that_he_writes_is_what_his_rules_and_groups_name(self):
        """On two shards: whoever looks at them has the list as it was answered."""
        alice, bob, carol = self.user("alice"), self.user("bob"), self.user("carol")
        client = self.client("bob")
        anchor = "http://xcap.example.org" + client.path(LISTS, "index") + "/~~/resource-lists/list%5b@name=%22foes%22%5d"
        barred = ('<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:o="urn:oma:xml:xdm:common-policy" '
                  'xmlns:p="urn:oma:xml:poc:poc-rules"><rule id="r1"><conditions><o:external-list>'
                  f'<o:entry anc="{anchor.replace("&", "&amp;")}"/></o:external-list></conditions><actions>'
                  '<p:allow-invite>reject</p:allow-invite></actions></rule></ruleset>')
        self.status(client.put(RULES, "index", barred), 201)
        self.hello(alice, bob.aor, 200)
        self.status(client.put(LISTS, "index", '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
                                               '<list name="foes"><entry uri="sip:alice@example.org"/></list></resource-lists>'), 201)
        self.hello(alice, bob.aor, 403)
        self.hello(carol, bob.aor, 200)
        node = "resource-lists/list/entry%5b@uri=%22sip:alice@example.org%22%5d"
        self.status(client.delete(LISTS, "index", node), 200)
        self.hello(alice, bob.aor, 200)
        self.status(client.put(LISTS, "index", '<entry uri="sip:alice@example.org"/>', node), 201)
        self.hello(alice, bob.aor, 403)
        # A group that has them on its list.
        self.status(client.delete(RULES, "index"), 200)
        crew = group(TEAM, ["bob"]).replace("</list>", f'<external anchor="{anchor}"/></list>', 1)
        self.status(client.put(GROUPS, "team", crew), 201)
        self.hello(alice, TEAM, 202)
        self.hello(carol, TEAM, 403)
        self.assertEqual(self.fault(self.client("alice").put(RULES, "index", barred)), "constraint-failure")

    def told(self, peer):
        """[(sel, previous-etag, new-etag)] of the next NOTIFY."""
        notify = peer.take_request("NOTIFY")
        self.assertEqual(notify.get("event"), "xcap-diff", notify.show())
        self.assertEqual(notify.get("content-type"), "application/xcap-diff+xml")
        root = ET.fromstring(notify.body)
        self.assertEqual(root.tag, DIFF + "xcap-diff")
        self.assertEqual(root.get("xcap-root"), "http://" + self.server.ready["xcap"][0].removeprefix("http:") + "/xcap-root/")
        return [(d.get("sel"), d.get("previous-etag"), d.get("new-etag")) for d in root.findall(DIFF + "document")]


class Hostile(XcapMixin, SipCase):
    """What is no HTTP, or is slow, costs itself."""

    FLAGS = ("--xcap", "127.0.0.1:0", "--xcap-request-timeout", "1s", "--xcap-idle-timeout", "2s",
             "--xcap-threads", "1")

    def connect(self):
        host, _, port = self.server.ready["xcap"][0].removeprefix("http:").rpartition(":")
        line = socket.create_connection((host, int(port)), timeout=10)
        self.addCleanup(line.close)
        return line

    def talk(self, *pieces):
        line = self.connect()
        for piece in pieces:
            line.sendall(piece)
        return self.rest(line)

    @staticmethod
    def rest(line):
        got = b""
        try:
            while piece := line.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        return got

    def test_what_is_no_http(self):
        target = b"/xcap-root/xcap-caps/global/index"
        for request, code in ((b"hello\r\n\r\n", b"400"), (b"GET " + target + b" HTTP/1.1\r\n\r\n", b"400"),
                              (b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
                              (b"GET " + target + b" HTTP/2.0\r\nHost: a\r\n\r\n", b"505"),
                              (b"PUT " + target + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
                              (b"PUT " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400"),
                              (b"PUT " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
                              (b"PUT " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
                              (b"PUT " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", b"400"),
                              (b"PUT " + target + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n", b"413"),
                              (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
                              (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100 + b"\r\n", b"431"),
                              (b"GET /xcap-root/%ff/users/a/b HTTP/1.0\r\n\r\n", b"400"),
                              (b"GET / HTTP/1.0\r\n\r\n", b"404")):
            answer = self.talk(request)
            self.assertEqual(answer[:13], b"HTTP/1.1 " + code + b" ", (request[:60], answer))
        # Several requests at once are answered in their order.
        one = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = self.talk(one * 3 + b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 401 "), 3, answer)
        self.assertEqual(answer.count(b"HTTP/1.1 404 "), 1, answer)

    def test_a_slow_client_is_cut_off_and_stops_nobody(self):
        lines = [self.connect() for _ in range(5)]
        for line in lines:
            line.sendall(b"PUT /xcap-root/xcap-caps/global/index HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        began = time.monotonic()
        self.status(self.client().ask("GET", "/xcap-root/xcap-caps/global/index"), 200)
        self.assertLess(time.monotonic() - began, 0.9)
        for n in range(20):  # a byte now and then does not help
            try:
                for line in lines:
                    line.sendall(b"x")
            except OSError:
                break
            time.sleep(0.1)
        for line in lines:
            self.assertEqual(self.rest(line), b"")
        self.server.wait_metric("parley_xcap_limit_hits_total", lambda v: v >= 5, limit="time")


class Bounded(XcapMixin, SipCase):
    """More connections than there may be."""

    FLAGS = ("--xcap", "127.0.0.1:0", "--xcap-connections-max", "20")
    connect, rest = Hostile.connect, staticmethod(Hostile.rest)

    def test_connections_are_bounded(self):
        lines = [self.connect() for _ in range(20)]
        for line in lines:
            line.sendall(b"G")
        self.server.wait_metric("parley_xcap_connections", lambda v: v == 20)
        self.assertEqual(self.rest(self.connect()), b"")
        self.assertGreaterEqual(self.server.metric("parley_xcap_limit_hits_total", limit="connections"), 1)
        for line in lines:
            line.close()
        self.server.wait_metric("parley_xcap_connections", lambda v: v == 0)
        self.status(self.client().ask("GET", "/xcap-root/xcap-caps/global/index"), 200)


class Outlives(XcapMixin, StoreCase):
    """With a store: kill -9, and everything is there again."""

    FLAGS = ("--xcap", "127.0.0.1:0", "--conference-factory", "sip:factory@example.org")
    MSRP = ("tcp:127.0.0.1:0",)

    def begin(self, *flags, **how):
        super().begin(*self.FLAGS, *flags, **how)

    def test_OMA_GRP_1_documents_are_there_after_kill_9(self):
        client, barring = self.client(), self.client("bob")
        put = self.status(client.put(GROUPS, "team", group(TEAM, ["alice", "bob"])), 201)
        self.status(client.put(GROUPS, "gone", group("sip:gone@example.org", ["alice"])), 201)
        self.status(client.delete(GROUPS, "gone"), 200)
        self.status(barring.put(RULES, "index", access_rules("sip:carol@example.org", "reject")), 201)
        # Not a moment later: an answer is a promise.
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.kill()
        self.begin()
        again = self.client()
        self.assertEqual(self.status(again.fetch(GROUPS, "team"), 200).etag, put.etag)
        self.status(again.fetch(GROUPS, "gone"), 404)
        alice, bob, carol = (self.user(u) for u in ("alice", "bob", "carol"))
        self.hello(alice, TEAM, 202)
        bob.take_request("MESSAGE")
        self.hello(carol, bob.aor, 403)
        self.hello(alice, "sip:gone@example.org", 404)
        self.assertEqual(self.server.metric("parley_xcap_documents"), 2)

    def test_OMA_DEF_1_OMA_DEF_10_what_waits_is_a_document(self):
        auid, name = "org.openmobilealliance.deferred-list", "deferred-list"
        client = self.client("bob")
        self.assertEqual(len(ET.fromstring(self.status(client.fetch(auid, name), 200).body)), 0)
        bob, alice = self.user("bob"), self.user("alice")
        self.code(bob.register(0), 200)
        for text in (b"one", b"two", b"three"):
            self.hello(alice, bob.aor, 202, text)
        whole = self.status(client.fetch(auid, name), 200)
        self.assertEqual(whole.get("Content-Type"), "application/vnd.oma.im.deferred-list+xml")
        ids = [entry.get("id") for entry in ET.fromstring(whole.body)]
        self.assertEqual(len(ids), 3)
        self.status(client.fetch(auid, name, If_None_Match=whole.etag), 304)
        self.status(client.put(auid, name, whole.body, content_type="application/vnd.oma.im.deferred-list+xml"), 405)
        self.status(client.delete(auid, name), 409)
        self.status(client.delete(auid, name, node="deferred-list/entry%5b1%5d"), 409)  # once more would be another message
        node = f"deferred-list/entry%5b@id=%22{ids[1]}%22%5d"
        self.assertIn(ids[1].encode(), self.status(client.fetch(auid, name, node=node), 200).body)
        self.status(client.delete(auid, name, node=node), 200)
        self.status(client.delete(auid, name, node=node), 404)
        self.assertEqual([e.get("id") for e in ET.fromstring(self.status(client.fetch(auid, name), 200).body)], [ids[0], ids[2]])
        # OMA-DEF-14: nobody else's
        self.status(self.client("alice").fetch(auid, name, xui="sip:bob@example.org"), 403)
        self.code(bob.register(600), 200)
        for text in (b"one", b"three"):
            self.assertEqual(bob.take_request("MESSAGE").body, text)

    def test_every_answered_change_is_on_the_disk(self):
        """One client writes as fast as it can; the process is killed meanwhile."""
        answered = []

        def write():
            client = self.client()
            try:
                for n in range(10_000):
                    answer = client.put(GROUPS, "team", group(TEAM, [f"m{n}"]))
                    if answer.status not in (200, 201):
                        return
                    answered.append((n, answer.etag))
            except OSError:
                pass
            except Exception:  # http.client has several for a line that ends
                pass

        writer = threading.Thread(target=write)
        writer.start()
        while len(answered) < 20:
            time.sleep(0.01)
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        writer.join()
        self.server.kill()
        self.begin()
        body = self.status(self.client().fetch(GROUPS, "team"), 200).body.decode()
        last = int(body.split('uri="sip:m')[1].split("@")[0])
        self.assertIn(last - answered[-1][0], (0, 1), (last, answered[-1]))

    def test_reload_keeps_them(self):
        client = self.client()
        self.status(client.put(GROUPS, "team", group(TEAM, ["alice", "bob"])), 201)
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_metric("parley_reloads_total", lambda v: v >= 1, result="applied")
        alice, bob = self.user("alice"), self.user("bob")
        self.hello(alice, TEAM, 202)
        bob.take_request("MESSAGE")
        self.status(client.delete(GROUPS, "team"), 200)
        self.hello(alice, TEAM, 404)


class Proxied(XcapMixin, SipCase):
    """Behind an aggregation proxy, and over TLS."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.addClassCleanup(cls.authority.remove)
        certificate, key = cls.authority.issue("localhost", "127.0.0.1")
        cls.server = Parleyd("--xcap", "127.0.0.1:0", "--xcap", "https:127.0.0.1:0", "--xcap-trusted", "127.0.0.0/8",
                             "--plain-auth", "never", "--tls-cert", certificate, "--tls-key", key, sip=cls.SIP, msrp=()).start()

    def test_T_89_the_proxy_says_who_it_is(self):
        client = self.client(secret=None)
        for name in ("X-3GPP-Asserted-Identity", "X-XCAP-Asserted-Identity"):
            headers = {name: '"tel:+15550100", "sip:alice@example.org"', "Content-Type": "application/vnd.oma.poc.groups+xml"}
            self.status(client.ask("PUT", client.path(GROUPS, "team"), group(TEAM, ["alice"]), headers), 200, 201)
            self.status(client.ask("GET", client.path(GROUPS, "team"), None, {name: '"sip:bob@example.org"'}), 403)
        # Without it, and without TLS, nobody proves anything here.
        self.status(self.client().fetch(GROUPS, "team"), 403)

    def test_RFC4825_6_2_a_user_who_is_known_by_his_number(self):
        client = self.client(secret=None)
        headers = {"X-3GPP-Asserted-Identity": '"tel:+15550100"', "Content-Type": "application/auth-policy+xml"}
        path = client.path(RULES, "index", xui="tel:+15550100")
        rules = access_rules("sip:carol@example.org", "reject")
        self.status(client.ask("PUT", path, rules, headers), 201)
        self.assertEqual(self.status(client.ask("GET", path, None, headers), 200).body.decode(), rules)
        self.status(client.ask("GET", client.path(RULES, "index", xui="sip:+15550100@example.org;user=phone"), None, headers), 200)
        self.status(client.ask("GET", path, None, {"X-3GPP-Asserted-Identity": '"tel:+15550101"'}), 403)

    def test_TLS(self):
        context = ssl.create_default_context(cafile=self.authority.ca)
        client = self.client(at=self.server.ready["xcap"][1], tls=context)
        self.status(client.put(RULES, "index", access_rules("sip:carol@example.org", "reject")), 201)
        self.status(client.fetch(RULES, "index"), 200)


if __name__ == "__main__":
    unittest.main()
