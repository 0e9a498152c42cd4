"""test_process.py - parleyd as a supervisor and an operator see it: reload, notification, parleyctl, a taken port."""
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from peer import Peer  # noqa: E402
from server import Parleyd, binary  # noqa: E402

CTL = os.environ.get("PARLEYCTL", os.path.join(os.path.dirname(binary()), "parleyctl"))


def ha1_line(name, secret, realm="example.org"):
    return f"{name}:{realm}:SHA-256:{hashlib.sha256(f'{name}:{realm}:{secret}'.encode()).hexdigest()}\n"


class Process(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def file(self, name, text):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def start(self, *flags, **more):
        server = Parleyd(*flags, **more)
        self.addCleanup(server.kill)
        return server.start()

    def may_auth(self, server, name, secret):
        peer = Peer(server.tcp)
        try:
            offer = peer.challenges(peer.auth_once(server.uri()))[0]
            return peer.auth_once(server.uri(), peer.authorization(offer, name, secret, server.uri())).code == 200
        finally:
            peer.close()

    def reload(self, server, result):
        before = server.metric("parley_reloads_total", result=result)
        server.process.send_signal(signal.SIGHUP)
        server.wait_metric("parley_reloads_total", lambda v: v == before + 1, result=result)


class Reload(Process):
    def test_users_come_and_go_and_those_of_the_command_line_stay(self):
        users = self.file("users", ha1_line("dora", "deep"))
        server = self.start("--users-file", users)
        self.assertTrue(self.may_auth(server, "dora", "deep"))
        self.assertFalse(self.may_auth(server, "emil", "east"))
        self.file("users", ha1_line("emil", "east"))
        self.reload(server, "applied")
        self.assertFalse(self.may_auth(server, "dora", "deep"))
        self.assertTrue(self.may_auth(server, "emil", "east"))
        self.assertTrue(self.may_auth(server, "alice", "secret"))
        server.stop()

    def test_a_mistake_changes_nothing_and_is_logged(self):
        users = self.file("users", ha1_line("dora", "deep"))
        config = self.file("conf", 'probation="30s"\n')
        server = self.start("--users-file", users, "--config", config)
        for name, text, word in (("users", ha1_line("emil", "east") + "broken\n", "line 2"),
                                 ("conf", 'probation="soon"\n', "--probation"),
                                 ("conf", "no-such-flag=1\n", "no-such-flag"),
                                 ("conf", "realm=\"elsewhere\"\n", "--realm needs a restart")):
            with self.subTest(text):
                with open(os.path.join(self.dir.name, name), encoding="utf-8") as file:
                    good = file.read()
                self.file(name, text)
                self.reload(server, "refused")
                self.assertIn(word, server.whole_log())
                self.assertTrue(self.may_auth(server, "dora", "deep"))
                self.assertFalse(self.may_auth(server, "emil", "east"))
                self.file(name, good)
        self.reload(server, "applied")
        server.stop()

    def test_a_setting_of_the_relay_changes(self):
        config = self.file("conf", 'auth-expires-max="1h"\n')
        server = self.start("--config", config)
        self.assertEqual(self.ask_for(server, 3000), 200)
        self.file("conf", 'auth-expires-max="10m"\n')
        self.reload(server, "applied")
        self.assertEqual(self.ask_for(server, 3000), 423)
        server.stop()

    def ask_for(self, server, expires):
        peer = Peer(server.tcp)
        try:
            offer = peer.challenges(peer.auth_once(server.uri()))[0]
            line = peer.authorization(offer, "alice", "secret", server.uri())
            return peer.auth_once(server.uri(), line, expires=expires).code
        finally:
            peer.close()


GROUP = "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:{0}@example.org'/></group>"
POLICY = "<operator-policy xmlns='urn:parley:operator-policy'>{0}</operator-policy>"


class Documents(Process):
    def document(self, name, text):
        path = os.path.join(self.dir.name, "documents", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def held(self, server):
        return [server.metric("parley_documents", kind=kind) for kind in ("group", "access_rules", "user_policy")]

    def test_they_change_with_a_reload_and_a_mistake_keeps_the_old_ones(self):
        self.document("groups/team.xml", GROUP.format("team"))
        folder = os.path.join(self.dir.name, "documents")
        server = self.start("--documents", folder, "--group", "sip:flag@example.org=alice,bob")
        self.assertEqual(self.held(server), [2, 0, 0])
        self.document("groups/second.xml", GROUP.format("second"))
        bad = self.document("operator-policy.xml", POLICY.format("\n<user uri='sip:alice@example.org'><file-max>big</file-max></user>"))
        self.reload(server, "refused")
        self.assertIn(f"--documents: {bad}: line 2: <file-max> is no size", server.whole_log())
        self.assertEqual(self.held(server), [2, 0, 0])
        self.document("operator-policy.xml", POLICY.format("<user uri='sip:alice@example.org'><file-max>1MiB</file-max></user>"))
        self.reload(server, "applied")
        self.assertEqual(self.held(server), [3, 0, 1])
        server.stop()

    def test_the_check_of_the_configuration_reads_them(self):
        def check():
            return subprocess.run([binary(), "--sip", "udp:127.0.0.1:0", "--domain", "example.org", "--user", "a:b", "--check-config",
                                   "--documents", os.path.join(self.dir.name, "documents")], capture_output=True, text=True,
                                  timeout=60, check=False)
        self.document("groups/team.xml", GROUP.format("team"))
        self.assertEqual((check().returncode, check().stdout), (0, "ok\n"))
        self.document("groups/team.xml", "<!DOCTYPE group [<!ENTITY x SYSTEM '/etc/passwd'>]>" + GROUP.format("&x;"))
        done = check()
        self.assertEqual(done.returncode, 2)
        self.assertIn("groups/team.xml: line 1: has a DOCTYPE", done.stderr)


class Supervisor(Process):
    def test_notification_follows_the_life_of_the_process(self):
        path = os.path.join(self.dir.name, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(20)
            server = self.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
            self.assertIn("READY=1", notify.recv(4096).decode())
            self.assertEqual(notify.recv(4096).decode(), "WATCHDOG=1")
            self.assertEqual(notify.recv(4096).decode(), "WATCHDOG=1")
            server.process.send_signal(signal.SIGHUP)
            seen = []
            while not any(word.startswith("READY=1") for word in seen):
                seen.append(notify.recv(4096).decode())
            self.assertTrue(any(word.startswith("RELOADING=1\nMONOTONIC_USEC=") for word in seen), seen)
            server.process.send_signal(signal.SIGTERM)
            while not notify.recv(4096).decode().startswith("STOPPING=1"):
                pass
            server.stop(tell=False)

    def test_secrets_leave_the_command_line(self):
        server = self.start()
        with open(f"/proc/{server.process.pid}/cmdline", "rb") as file:
            line = file.read()
        self.assertIn(b"alice:", line)
        self.assertNotIn(b"secret", line)
        server.stop()

    def test_a_second_one_on_the_same_port_is_refused(self):
        first = self.start("--shards", "2")
        port = first.tcp[1]
        for shards in ("1", "2"):
            done = subprocess.run([binary(), "--msrp", f"tcp:127.0.0.1:{port}", "--domain", "example.org", "--user", "a:b",
                                   "--shards", shards, "--admin", "none"], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--msrp", done.stderr)
        first.stop()

    def test_a_loop_that_is_not_there_is_named(self):
        done = subprocess.run([binary(), "--msrp", "tcp:127.0.0.1:0", "--loop", "kqueue"], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--loop", done.stderr)


class Ctl(Process):
    def ctl(self, server, *words):
        return subprocess.run([CTL, "--admin", server.ready["admin"], *words], capture_output=True, text=True, timeout=60,
                              check=False)

    def test_operators_see_and_end_sessions(self):
        server = self.start()
        peer = Peer(server.tcp)
        peer.auth(server.uri(), "alice", "secret")
        lines = self.ctl(server, "sessions").stdout.splitlines()
        self.assertEqual(lines[0].split()[:3], ["ID", "SHARD", "USER"])
        self.assertIn("alice", lines[1])
        handle = lines[1].split()[0]
        self.assertEqual(self.ctl(server, "kick", handle).returncode, 0)
        self.assertEqual(self.ctl(server, "kick", handle).returncode, 1)
        self.assertEqual(self.ctl(server, "kick", "../metrics").returncode, 2)
        self.assertEqual(self.ctl(server, "sessions").stdout, "no sessions\n")
        self.assertIn("CONNECTIONS", self.ctl(server, "summary").stdout)
        self.assertIn("parley_build_info", self.ctl(server, "metrics").stdout)
        self.assertEqual(self.ctl(server, "live").stdout, "ok\n")
        self.assertIn("debug", self.ctl(server, "log-level", "debug").stdout)
        self.assertEqual(self.ctl(server, "log-level", "loud").returncode, 1)
        self.assertEqual(self.ctl(server, "no-such-command").returncode, 2)
        peer.close()
        self.assertEqual(self.ctl(server, "drain").returncode, 0)
        server.stop(tell=False)
        self.assertEqual(self.ctl(server, "live").returncode, 3)

    def test_a_token_is_needed_where_one_is_configured(self):
        token = self.file("token", "0123456789abcdef\n")
        server = self.start("--admin-token-file", token)
        self.assertEqual(self.ctl(server, "summary").returncode, 1)
        self.assertEqual(self.ctl(server, "ready").returncode, 0)
        self.assertEqual(self.ctl(server, "--token-file", token, "summary").returncode, 0)
        server.process.send_signal(signal.SIGTERM)
        server.stop(tell=False)


if __name__ == "__main__":
    unittest.main()
