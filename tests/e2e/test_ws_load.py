"""test_ws_load.py - parley-load over WebSocket: many messages in flight, bodies and chunks verified byte by byte, over both loops."""
import json
import os
import subprocess
import unittest

from server import Parleyd

PARLEY_LOAD = os.environ.get("PARLEY_LOAD", os.path.join(os.path.dirname(os.environ.get("PARLEYD", "build/release/bin/parleyd")), "parley-load"))


class WsLoad(unittest.TestCase):
    def load(self, *flags):
        with Parleyd(msrp=("tcp:127.0.0.1:0", "ws:127.0.0.1:0")) as server:
            host, port = server.listeners("ws")[0]
            done = subprocess.run([PARLEY_LOAD, "relay", "--server", f"{host}:{port}", "--websocket", "--user", "alice:secret",
                                   "--user", "bob:hush", "--pairs", "4", "--warmup", "0.1", "--duration", "1", "--no-progress",
                                   "--json", "-", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr.decode()[-2000:])
            return json.loads(done.stdout)

    def test_R7977_1_T_77_small_messages_with_reports(self):
        self.load("--auth-both", "--size", "700", "--window", "16", "--success-reports")

    def test_R7977_1_T_77_large_messages_in_large_chunks(self):
        self.load("--auth-both", "--size", "3000000", "--chunk", "500000", "--window", "2", "--content", "lines")

    def test_R7977_1_T_77_senders_on_other_shards(self):
        self.load("--size", "20000", "--window", "4")


if __name__ == "__main__":
    unittest.main()
