"""test_admin.py - the operator's side: probes, metrics, session list and kick, drain, command line."""
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import server as server_module
from base import RelayCase, path
from peer import Gone, Peer
from server import Parleyd


class Admin(RelayCase):
    def test_probes(self):
        for probe in ("/livez", "/readyz"):
            self.assertEqual(self.server.http("GET", probe)[0], 200, probe)
        self.assertEqual(self.server.http("GET", "/nothing-here")[0], 404)

    def test_ready_line_names_what_is_served(self):
        ready = self.server.ready
        self.assertEqual(ready["pid"], self.server.process.pid)
        self.assertEqual([m.split(":")[0] for m in ready["msrp"]], ["tcp"])
        self.assertNotIn(":0", ready["msrp"][0][-2:])
        self.assertTrue(ready["admin"].startswith("127.0.0.1:"))

    def test_metrics_count_what_happens(self):
        names = {"accepted": ("parley_auth_total", {"result": "accepted"}),
                 "challenged": ("parley_auth_total", {"result": "challenged"}),
                 "send": ("parley_msrp_requests_total", {"method": "SEND"}),
                 "report": ("parley_msrp_requests_total", {"method": "REPORT"}),
                 "chunks": ("parley_relay_chunks_forwarded_total", {}),
                 "bytes": ("parley_relay_body_bytes_total", {}),
                 "reports": ("parley_relay_reports_forwarded_total", {}),
                 "created": ("parley_relay_sessions_created_total", {}),
                 "closed": ("parley_relay_sessions_ended_total", {"reason": "connection"}),
                 "connections": ("parley_connections_accepted_total", {})}
        read = lambda: {k: self.server.metric(n, **labels) for k, (n, labels) in names.items()}
        before = read()
        a, b = self.pair()
        self.assertEqual(self.server.metric("parley_relay_sessions"), 2)
        self.assertEqual(self.server.metric("parley_connections"), 2)
        _, mid = a.send(path(a, b), b"0123456789", sr="yes")
        b.report(b.take_request("SEND", mid))
        a.take_request("REPORT", mid)
        a.close()
        b.close()
        self.server.wait_metric("parley_relay_sessions", lambda v: v == 0)
        after = read()
        self.assertEqual({k: after[k] - before[k] for k in names},
                         {"accepted": 2, "challenged": 2, "send": 1, "report": 1, "chunks": 1, "bytes": 10,
                          "reports": 1, "created": 2, "closed": 2, "connections": 2})

    @unittest.skipUnless(shutil.which("promtool"), "Debian package prometheus is not installed")
    def test_metrics_please_promtool(self):
        a, b = self.pair()
        self.fence(a, b)
        _, text = self.server.http("GET", "/metrics")
        done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout.decode()), (0, ""))

    def sessions(self):
        status, text = self.server.http("GET", "/api/v1/sessions")
        self.assertEqual(status, 200)
        return json.loads(text)["sessions"]

    def test_session_list_and_kick(self):
        self.assertEqual(self.sessions(), [])
        a, b = self.pair()
        self.fence(a, b)
        listed = self.sessions()
        self.assertEqual(sorted(s["user"] for s in listed), ["alice", "bob"])
        self.assertEqual(len({s["id"] for s in listed}), 2)
        secret = b.use_path[0].split("/")[3].split(";")[0]
        self.assertNotIn(secret, json.dumps(listed))  # who may look may not hijack
        mark = next(s["id"] for s in listed if s["user"] == "bob")
        status, _ = self.server.http("POST", f"/api/v1/sessions/{mark}/kick")
        self.assertIn(status, (200, 204))
        self.server.wait_metric("parley_relay_sessions", lambda v: v == 1)
        self.assertEqual([s["user"] for s in self.sessions()], ["alice"])
        _, mid = a.send(path(a, b), b"to the kicked")
        self.assertRegex(a.take_request("REPORT", mid).get("Status"), "000 481")
        self.assertNotIn(mid, b.messages)
        self.assertEqual(self.server.http("POST", f"/api/v1/sessions/{mark}/kick")[0], 404)
        self.assertIn(self.server.http("POST", "/api/v1/sessions/nonsense/kick")[0], (400, 404))
        self.assertNotEqual(self.server.http("GET", f"/api/v1/sessions/{mark}/kick")[0], 200)
        self.assertEqual(self.server.metric("parley_relay_sessions_ended_total", reason="kicked"), 1)


class Drain(unittest.TestCase):
    def start(self, *flags):
        server = Parleyd(*flags)
        self.addCleanup(server.kill)
        return server.start()

    def user(self, server, name, secret):
        peer = Peer(server.tcp, name=name)
        self.addCleanup(peer.close)
        peer.auth(server.uri(), name, secret)
        return peer

    def test_sigterm_without_work_ends_at_once(self):
        server = self.start("--drain-timeout", "60s")
        began = time.monotonic()
        server.stop(10)
        self.assertLess(time.monotonic() - began, 8)

    def test_sigterm_lets_sessions_go_on_and_takes_no_new_ones(self):
        server = self.start("--drain-timeout", "60s")
        a, b = self.user(server, "alice", "secret"), self.user(server, "bob", "hush")
        strangers = [Peer(server.tcp) for _ in range(20)]
        for stranger in strangers:
            self.addCleanup(stranger.close)
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while True:
            try:
                if server.http("GET", "/readyz")[0] == 503:
                    break
            except OSError:
                break
            self.assertLess(time.monotonic(), deadline, "still ready after SIGTERM")
        # Not ready comes first, so that nobody is sent here any more; the shards hear of it a moment later.
        for stranger in strangers:
            try:
                offer = stranger.challenges(stranger.auth_once(server.uri()))[0]
                if stranger.auth_once(server.uri(), stranger.authorization(offer, "carol", "quiet", server.uri())).code != 200:
                    break
            except (Gone, IndexError):
                break
        else:
            self.fail("sessions are made after SIGTERM")
        for x, y in ((a, b), (b, a)):
            tid, mid = x.send(path(x, y), b"while draining")
            self.assertEqual(x.take_response(tid).code, 200)
            y.take_message(mid)
        for peer in (a, b, *strangers):
            peer.close()
        began = time.monotonic()
        server.stop(20, tell=False)
        self.assertLess(time.monotonic() - began, 15)

    def test_sigterm_ends_what_does_not_end_itself(self):
        server = self.start("--drain-timeout", "1s")
        a = self.user(server, "alice", "secret")
        server.stop(15)
        a.wait_closed()

    def test_second_sigterm_stops_at_once(self):
        server = self.start("--drain-timeout", "60s")
        self.user(server, "alice", "secret")
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(1.0)
            self.fail("the drain did not wait for a live session")
        except subprocess.TimeoutExpired:
            pass
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
        server.kill()

    def test_restart_on_the_same_port(self):
        server = self.start()
        port = server.tcp[1]
        self.user(server, "alice", "secret").close()
        server.stop()
        again = Parleyd(msrp=(f"tcp:127.0.0.1:{port}",))
        self.addCleanup(again.kill)
        again.start()
        self.user(again, "alice", "secret").close()
        again.stop()

    def test_a_port_that_is_free_in_a_moment_is_waited_for(self):
        """The kernel closes the sockets of a killed process a moment after it is gone."""
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            tcp.bind(("127.0.0.1", 0))
            tcp.listen()
            ports = [held.getsockname()[1] for held in (tcp, udp)]
            server = Parleyd(msrp=(f"tcp:127.0.0.1:{ports[0]}",), sip=(f"udp:127.0.0.1:{ports[1]}",))
            self.addCleanup(server.kill)
            release = threading.Timer(1, lambda: (tcp.close(), udp.close()))
            release.start()
            server.start()
            release.join()
            server.stop()

    def test_a_port_that_somebody_keeps_is_named(self):
        with socket.socket() as tcp:
            tcp.bind(("127.0.0.1", 0))
            tcp.listen()
            port = tcp.getsockname()[1]
            server = Parleyd(msrp=(f"tcp:127.0.0.1:{port}",))
            self.addCleanup(server.kill)
            with self.assertRaisesRegex(AssertionError, f"--msrp: tcp:127.0.0.1:{port}: bind: Address already in use"):
                server.start()


class CommandLine(unittest.TestCase):
    GOOD = ["--msrp", "tcp:127.0.0.1:0", "--domain", "example.org", "--user", "alice:secret", "--admin", "127.0.0.1:0"]

    def run_it(self, *flags):
        return subprocess.run([server_module.binary(), *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=20, check=False)

    def test_check_config_accepts_a_good_one(self):
        done = self.run_it("--check-config", *self.GOOD)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_check_config_names_the_bad_flag(self):
        for flag, value in (("--msrp", "udp:127.0.0.1:0"), ("--msrp", "tcp:127.0.0.1:99999"), ("--probation", "soon"),
                            ("--watermark-high", "256 parsecs"), ("--auth-expires-min", "-1"),
                            ("--auth-algorithms", "ROT13"), ("--plain-auth", "sometimes"), ("--loop", "select"),
                            ("--dial-allow", "10.0.0.0/99"), ("--user", "nocolon"), ("--tls-cert", "/does/not/exist"),
                            ("--shards", "0"), ("--nonsense", "1")):
            with self.subTest(flag, value=value):
                done = self.run_it("--check-config", *self.GOOD, flag, value)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(flag, done.stdout.decode())

    def test_wildcard_listener_without_advertise_is_refused(self):
        for host in ("0.0.0.0", "[::]"):
            done = self.run_it("--check-config", "--domain", "example.org", "--user", "a:b", "--msrp", f"tcp:{host}:0")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("--advertise", done.stdout.decode())

    def test_start_with_a_bad_flag_fails_and_names_it(self):
        done = self.run_it(*self.GOOD, "--probation", "soon")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--probation", done.stdout.decode())

    def test_help_explains_every_flag(self):
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        text = done.stdout.decode()
        for flag in ("--msrp", "--advertise", "--domain", "--realm", "--user", "--users-file", "--auth-algorithms",
                     "--admin", "--tls-cert", "--tls-key", "--tls-ca", "--plain-auth", "--relay-peer", "--dial-allow",
                     "--dial-deny", "--shards", "--config", "--check-config", "--version", "--ready-file", "--ready-fd",
                     "--loop", "--drain-timeout", "--probation", "--head-timeout", "--msrp-response-timeout",
                     "--auth-expires-min", "--auth-expires-default", "--auth-expires-max", "--auth-failures-max",
                     "--nonce-life", "--head-bytes-max", "--sessions-per-connection-max", "--transactions-max",
                     "--connections-max", "--watermark-high", "--watermark-low"):
            self.assertRegex(text, rf"(?m)^\s*{flag}\b", flag)

    def test_version(self):
        done = self.run_it("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"\d+\.\d+")

    def test_flags_from_a_file(self):
        import tempfile
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write('realm="realm-of-the-file"\nauth-algorithms="MD5"\n')
            file.flush()
            with Parleyd("--config", file.name) as server:
                peer = Peer(server.tcp)
                offers = peer.challenges(peer.auth_once(server.uri()))
                self.assertEqual([c["realm"] for c in offers], ["realm-of-the-file"])
                peer.close()

    def test_users_file(self):
        import hashlib
        import tempfile
        with tempfile.NamedTemporaryFile("w", suffix=".users") as file:
            for name, digest in (("SHA-256", hashlib.sha256), ("MD5", hashlib.md5)):
                ha1 = digest(b"dora:example.org:deep").hexdigest()
                file.write(f"dora:example.org:{name}:{ha1}\n")
            file.flush()
            with Parleyd("--users-file", file.name) as server:
                for algorithm in ("SHA-256", "MD5"):
                    peer = Peer(server.tcp)
                    peer.auth(server.uri(), "dora", "deep", algorithm=algorithm)
                    peer.close()


if __name__ == "__main__":
    unittest.main()
