"""test_load_deferred.py - `parley-load deferred` against a real server: users who are away, who then all come back. Its own judgement
is the test: each message once, in the order of its sender, not faster than it is told (OMA-DEF-7, OMA-DEF-8)."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from server import Parleyd

PARLEY_LOAD = os.environ.get("PARLEY_LOAD", os.path.join(os.path.dirname(os.environ.get("PARLEYD", "build/release/bin/parleyd")), "parley-load"))
RECEIVERS, SENDERS, MESSAGES, RATE = 60, 3, 5, 200


class Load(unittest.TestCase):
    def run_load(self, *server_flags, **how):
        place = tempfile.mkdtemp(prefix="parley-e2e-load-")
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        users = os.path.join(place, "users")
        with open(users, "w", encoding="ascii") as file:
            for i in range(RECEIVERS + SENDERS + 2):
                file.write(f"u{i}:test:MD5:{hashlib.md5(f'u{i}:test:secret'.encode()).hexdigest()}\n")
        server = Parleyd("--users-file", users, "--auth-algorithms", "MD5", "--domain", "test", "--realm",
                         "test", "--deferred-push-rate", str(RATE), *server_flags, store=f"sqlite:{place}/store",
                         sip=("udp:127.0.0.1:0",), msrp=(), **how).start()
        self.addCleanup(server.stop)
        host, port = server.listeners("udp", "sip")[0]
        done = subprocess.run([PARLEY_LOAD, "deferred", "--server", f"{host}:{port}", "--domain", "test", "--receivers", str(RECEIVERS),
                               "--senders", str(SENDERS), "--messages", str(MESSAGES), "--calm", "1", "--online-rate", "50", "--json", "-"],
                              capture_output=True, text=True, timeout=100, check=False)
        found = json.loads(done.stdout)
        self.assertEqual(found["wrong"], [], done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0)
        return found

    def test_OMA_DEF_8_all_come_once_in_order_and_not_too_fast(self):
        found = self.run_load(shards=1)
        self.assertEqual(found["stored"], RECEIVERS * MESSAGES)
        self.assertEqual(found["delivered"], RECEIVERS * MESSAGES)
        self.assertLessEqual(found["per_second_max"], RATE + 1)
        self.assertGreater(found["talked"], 50)

    def test_OMA_DEF_8_on_two_shards(self):
        found = self.run_load(shards=2)
        self.assertEqual(found["delivered"], RECEIVERS * MESSAGES)


if __name__ == "__main__":
    unittest.main()
