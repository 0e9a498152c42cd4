"""test_linphone.py - a client of other makers that goes away and comes back: linphone, from Debian (OMA-DEF-7, OMA-DEF-8)."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from store_base import StoreCase, free_ports

CONFIG = "[sip]\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\n[misc]\nlog_collection=0\n"


class Linphone:
    """linphonec with a home of its own; what it prints goes to a file."""

    def __init__(self, home, port):
        self.home = home
        for name in (".local/share/linphone", ".config/linphone"):
            os.makedirs(os.path.join(home, name), exist_ok=True)
        config = os.path.join(home, "rc")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(port=port))
        self.out = os.path.join(home, f"out{port}")
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(["linphonec", "-c", config], stdin=subprocess.PIPE, stdout=out, stderr=out,
                                            env=dict(os.environ, HOME=home), cwd=home)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def text(self):
        with open(self.out, encoding="utf-8", errors="replace") as file:
            return file.read()

    def until(self, ready, seconds=20):
        deadline = time.monotonic() + seconds
        while not ready(self.text()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"linphone: {self.text()}")
            time.sleep(0.05)

    def quit(self):
        if self.process.poll() is None:
            self.say("quit")
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()


@unittest.skipUnless(shutil.which("linphonec"), "linphone-cli can not be installed here")
class Away(StoreCase):
    def linphone(self):
        home = tempfile.mkdtemp(prefix="parley-e2e-linphone-")
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        client = Linphone(home, free_ports(1)[0])
        self.addCleanup(client.quit)
        client.say(f"register sip:bob@example.org sip:127.0.0.1:{self.udp} hush")
        return client

    def test_OMA_DEF_8_what_came_while_he_was_away_comes_in_order_when_he_is_back(self):
        alice = self.user("alice")
        first = self.linphone()
        self.server.wait_metric("parley_sip_bindings", lambda v: v == 2)
        self.reached_by(alice, first, "are you there")
        first.quit()  # it takes its registration back
        self.server.wait_metric("parley_sip_bindings", lambda v: v == 1)
        said = [f"while you were away {n}" for n in range(1, 8)]
        for text in said:
            self.code(alice.message("sip:bob@example.org", text.encode()), 202)
        second = self.linphone()
        second.until(lambda text: said[-1] in text)
        got = re.findall(r"Message received from sip:alice@example\.org: (.*)", second.text())
        self.assertEqual(got, said)
        self.server.wait_metric("parley_im_deferred_delivered_total", lambda v: v == len(said))
        self.reached_by(alice, second, "and now?")

    def reached_by(self, alice, client, text):
        self.code(alice.message("sip:bob@example.org", text.encode()), 200)
        client.until(lambda seen: text in seen)


del StoreCase  # it is no test

if __name__ == "__main__":
    unittest.main()
