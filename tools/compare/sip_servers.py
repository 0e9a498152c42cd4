# tools/compare/sip_servers.py - Kamailio and parleyd as SIP servers, started for one run on one CPU.
import hashlib
import json
import os
import shlex
import socket
import ssl

from servers import SECRET, Kamailio, Parleyd

DOMAIN = "test"
PROBE = ("OPTIONS sip:{domain} SIP/2.0\r\nVia: SIP/2.0/{via} 127.0.0.1:{port};rport;branch=z9hG4bKprobe{port}\r\n"
         "Max-Forwards: 70\r\nFrom: <sip:probe@{domain}>;tag=1\r\nTo: <sip:{domain}>\r\nCall-ID: probe{port}\r\n"
         "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


def free_udp_port():
    """A port that is free for UDP, where the receivers of a fixed route listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def adapt(load):
    """What servers.Server wants to know of a load."""
    return {"size": 200, "tls": load["transport"] == "tls"}


class KamailioSip(Kamailio):
    """Forwards to the contact its usrloc has."""
    name = "kamailio"
    fixed = False

    def __init__(self, options, directory, load, certificates):
        super().__init__(options, directory, adapt(load), certificates)
        self.load = load
        self.target_port = free_udp_port() if self.fixed else 0

    def serving(self):
        """The port is open before the processes behind it exist, so only an answer counts."""
        transport = self.load["transport"]
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        try:
            with socket.socket(socket.AF_INET, kind) as plain:
                plain.settimeout(1)
                plain.connect(("127.0.0.1", self.port))
                port = plain.getsockname()[1]
                probe = ssl.create_default_context(cafile=self.certificates["ca"]).wrap_socket(
                    plain, server_hostname="127.0.0.1") if self.tls else plain
                text = PROBE.format(domain=DOMAIN, via=transport.upper(), port=port)
                probe.sendall(text.encode())
                return probe.recv(4096).startswith(b"SIP/2.0 200")
        except OSError:
            return False

    def command(self):
        transport = self.load["transport"]
        values = {"LISTEN": f"{transport}:127.0.0.1:{self.port}", "SECRET": SECRET, "DOMAIN": DOMAIN,
                  "TARGET": f"sip:127.0.0.1:{self.target_port}", "TLS_CORE": "", "TLS_MODULE": "", "TLS_PARAM": ""}
        if self.tls:
            values.update(TLS_CORE="enable_tls=yes\ntls_max_connections=19000", TLS_MODULE='loadmodule "tls.so"',
                          TLS_PARAM=f'modparam("tls", "tls_method", "TLSv1.2+")\n'
                                    f'modparam("tls", "certificate", "{self.certificates["cert"]}")\n'
                                    f'modparam("tls", "private_key", "{self.certificates["key"]}")')
        config = self.fill("kamailio-sip.cfg.in", values)
        run = os.path.join(self.directory, "run")
        os.makedirs(run, exist_ok=True)
        chosen = (("STATEFUL", self.load["stateful"]), ("FIXED", self.fixed), ("AUTH", self.load.get("auth")))
        defines = [flag for name, on in chosen if on for flag in ("-A", name)]
        # -m: tm keeps finished transactions for 5 s, and thousands of TLS connections; touched only as it is used
        return ["kamailio", "-DD", "-E", "-x", "fm", "-X", "fm", "-f", config, "-m", "6144", "-M", "64", "-Y", run,
                "-P", os.path.join(self.directory, "kamailio.pid")] + defines

    def load_flags(self):
        flags = ["--server", f"127.0.0.1:{self.port}", "--domain", DOMAIN, "--password", SECRET]
        if self.fixed:
            flags += ["--bind", f"127.0.0.1:{self.target_port}", "--no-register"]
        return flags + (["--tls-ca", self.certificates["ca"]] if self.tls else [])

    @classmethod
    def takes(cls, load):
        return True


class KamailioFixed(KamailioSip):
    """Forwards everything to one address, so it looks nothing up: the least it can do."""
    name = "kam-fixed"
    fixed = True

    @classmethod
    def takes(cls, load):
        return load.get("mode") == "message" and load["transport"] == "udp" and not load.get("auth")


class ParleydSip(Parleyd):
    name = "parleyd"

    def __init__(self, options, directory, load, certificates):
        super().__init__(options, directory, adapt(load), certificates)
        self.load = load
        self.users_path = os.path.join(directory, "users")

    def command(self):
        if os.path.exists(self.ready_path):
            os.unlink(self.ready_path)
        with open(os.open(self.users_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as users:
            for i in range(self.load["users"]):  # MD5, as Kamailio's
                ha1 = hashlib.md5(f"u{i}:{DOMAIN}:{SECRET}".encode()).hexdigest()
                users.write(f"u{i}:{DOMAIN}:MD5:{ha1}\n")
        command = [os.path.abspath(self.options.parleyd), "--sip", self.load["transport"] + ":127.0.0.1:0",
                   "--domain", DOMAIN, "--users-file", self.users_path, "--auth-algorithms", "MD5",
                   "--shards", "1", "--store", "memory", "--admin", "127.0.0.1:0", "--ready-file", self.ready_path,
                   # Room for what a run at full speed leaves to Timers J, L and M; Kamailio has its memory as bound.
                   "--sip-transactions-max", "1000000", "--sip-proxied-max", "1000000"]
        if self.tls:
            command += ["--tls-cert", self.certificates["cert"], "--tls-key", self.certificates["key"]]
        mode = self.options.stateful_flags if self.load["stateful"] else self.options.stateless_flags
        if not self.load.get("auth"):
            command += shlex.split(self.options.open_flags)
        return command + shlex.split(mode) + self.options.parleyd_flags

    def serving(self):
        try:
            with open(self.ready_path) as ready:
                listeners = json.loads(ready.read())["sip"]
        except (OSError, ValueError, KeyError):
            return False
        self.port = int(listeners[0].rsplit(":", 1)[1])
        return True

    def load_flags(self):
        return ["--server", f"127.0.0.1:{self.port}", "--domain", DOMAIN, "--password", SECRET] + (
            ["--tls-ca", self.certificates["ca"]] if self.tls else [])

    @classmethod
    def takes(cls, load):
        return True


SERVERS = {"kamailio": KamailioSip, "kam-fixed": KamailioFixed, "parleyd": ParleydSip}
