"""test_load_pager.py - `parley-load pager` against a real server: MESSAGEs to one, to lists and to a group. Its own judgement is the
test: each is answered as it should be and comes once, whole, to each it was for (OMA-PAG-1 to -3, R5365-1, R3428-1)."""
import json
import os
import subprocess
import tempfile
import unittest

import certificates
from server import Parleyd, binary

PARLEY_LOAD = os.environ.get("PARLEY_LOAD", os.path.join(os.path.dirname(binary()), "parley-load"))
USERS, LIST, MEMBERS = 24, 5, 8
GROUP = "sip:team@example.org"


class Load(unittest.TestCase):
    SHARDS = 1

    def run_load(self, transport, *flags, server_flags=(), store="memory"):
        server = Parleyd("--group", GROUP + "=" + ",".join(f"u{i}" for i in range(MEMBERS)), *server_flags, shards=self.SHARDS,
                         store=store, sip=(f"{transport}:127.0.0.1:0",), users=[f"u{i}:secret" for i in range(USERS)])
        with server:
            host, port = server.listeners(transport, "sip")[0]
            done = subprocess.run(
                [PARLEY_LOAD, "pager", "--server", f"{host}:{port}", "--transport", transport, "--domain", "example.org", "--users",
                 str(USERS), "--list", str(LIST), "--list-share", "20", "--group", GROUP, "--group-members", str(MEMBERS), "--group-share",
                 "20", "--duration", "1.5", "--warmup", "0.2", "--no-progress", "--server-pid", str(server.process.pid), "--json", "-",
                 *flags], capture_output=True, text=True, timeout=100, check=False)
            found = json.loads(done.stdout)
            self.assertEqual(found["failures"], [], done.stdout + done.stderr)
            self.assertEqual(done.returncode, 0)
            total = found["total"]
            self.assertEqual(total["begun"], total["finished"])
            self.assertEqual(total["deliveries"], total["begun"] + total["to_lists"] * (LIST - 1) + total["to_groups"] * (MEMBERS - 2))
            self.assertGreater(min(total["to_lists"], total["to_groups"]), 10, found)
            self.assertGreater(found["server_cpu_us_per_delivery"], 0)
            server.wait_metric("parley_im_list_copies_total",
                               lambda v: v == total["to_lists"] * LIST + total["to_groups"] * (MEMBERS - 1), 10, result="taken")
        return found

    def test_OMA_PAG_2_over_udp(self):
        self.run_load("udp", "--rate", "300")

    def test_OMA_PAG_2_over_tcp_in_message_cpim(self):
        self.run_load("tcp", "--window", "4", "--cpim")

    def test_OMA_PAG_2_over_tls(self):
        authority = certificates.Authority()
        self.addCleanup(authority.remove)
        cert, key = authority.issue("127.0.0.1")
        self.run_load("tls", "--window", "2", "--tls-ca", authority.ca, server_flags=("--tls-cert", cert, "--tls-key", key))

    def test_OMA_PAG_2_from_the_store_in_order(self):
        place = self.enterContext(tempfile.TemporaryDirectory(prefix="parley-e2e-pager-"))
        self.run_load("tcp", "--rate", "100", "--copies-in-order", "--cpim", store=f"sqlite:{place}/store")


class TwoShards(Load):
    SHARDS = 2


if __name__ == "__main__":
    unittest.main()
