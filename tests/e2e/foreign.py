"""foreign.py - programs of others beside parleyd: Kamailio as second relay, tcpdump and tshark as the wire's judge."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"

# After example 1.18 of the msrp module's README. Kamailio answers each SEND itself and passes no responses on for it.
KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
tcp_accept_no_cl=yes
tcp_rd_buf_size=65536
tcp_connection_lifetime=3700
tcp_conn_wq_max=4194304
tcp_wq_max=16777216
listen=tcp:127.0.0.1:{port}
mpath="{modules}"
loadmodule "sl.so"
loadmodule "kex.so"
loadmodule "msrp.so"
loadmodule "pv.so"
loadmodule "auth.so"
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("msrp", "cmap_size", 8)
modparam("msrp", "use_path_addr", "127.0.0.1:{port}")
request_route {{
    sl_send_reply("403", "No SIP here");
}}
reply_route {{
    drop;
}}
event_route[msrp:frame-in] {{
    if (msrp_is_reply()) {{
        msrp_relay();
    }} else if ($msrp(method)=="AUTH") {{
        msrp_reply_flags("1");
        $var(secret) = "{secret}";
        if (!pv_www_authenticate("{realm}", "$var(secret)", "0", "$msrp(method)")) {{
            if (auth_get_www_authenticate("{realm}", "1", "$var(challenge)")) {{
                msrp_reply("401", "Unauthorized", "$var(challenge)");
            }}
            exit;
        }}
        msrp_cmap_save();
    }} else if ($msrp(method)=="SEND" || $msrp(method)=="REPORT") {{
        if ($msrp(nexthops)>1) {{
            if ($msrp(method)!="REPORT") {{ msrp_reply("200", "OK"); }}
            msrp_relay();
            exit;
        }}
        if (msrp_cmap_lookup()) {{
            if ($msrp(method)!="REPORT") {{ msrp_reply("200", "OK"); }}
            msrp_relay_flags("1");
            msrp_relay();
        }} else {{
            msrp_reply("481", "Session-does-not-exist");
        }}
    }} else {{
        msrp_reply("501", "Request-method-not-understood");
    }}
}}
"""


def kamailio_missing():
    """Why Kamailio cannot take part, or None."""
    if not shutil.which("kamailio"):
        return "Debian package kamailio is not installed"
    if not os.path.exists(MODULES + "msrp.so"):
        return "Kamailio's msrp module is not installed"
    return None


class Kamailio:
    realm, user, secret = "kamailio.example", "bob", "pass"

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.dir = tempfile.mkdtemp(prefix="parley-kamailio-")
        config = os.path.join(self.dir, "kamailio.cfg")
        with open(config, "w", encoding="ascii") as file:
            file.write(KAMAILIO.format(port=self.port, modules=MODULES, realm=self.realm, secret=self.secret))
        self.log = os.path.join(self.dir, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("kamailio"), "-f", config, "-DD", "-E", "-m", "64", "-M", "8", "-Y", self.dir,
                 "-P", os.path.join(self.dir, "pid")], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise AssertionError("Kamailio does not start:\n" + self.text) from None
                try:
                    self.process.wait(0.02)
                except subprocess.TimeoutExpired:
                    pass

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def uri(self):
        return f"msrp://127.0.0.1:{self.port};tcp"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8", errors="replace") as file:
                self.text = file.read()
        shutil.rmtree(self.dir, ignore_errors=True)


def free_address(host):
    with socket.create_server((host, 0)) as probe:
        return probe.getsockname()


class KamailioExample:
    """An example of packaging/examples at an address of its own, or one that free_address() gave. `servers`: the example's
    address of each server to the (host, port) that stands for it."""

    def __init__(self, example, host, servers, address=None):
        self.address = address or free_address(host)
        self.dir = tempfile.mkdtemp(prefix="parley-edge-")
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "examples",
                               example), encoding="ascii") as file:
            text = file.read()
        for old, (own, port) in [*servers.items(), ("192.0.2.1", self.address[:2])]:
            assert old + ":5060" in text, old
            text = re.sub(rf"(?<![0-9.]){re.escape(old)}:5060", f"{own}:{port}", text)
            text = re.sub(rf"(?<![0-9.]){re.escape(old)}(?![0-9])", own, text)
        config = os.path.join(self.dir, "kamailio.cfg")
        with open(config, "w", encoding="ascii") as file:
            file.write(text.replace("debug=1", f"debug={os.environ.get('KAMAILIO_DEBUG', '1')}"))
        self.log = os.path.join(self.dir, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("kamailio"), "-f", config, "-DD", "-E", "-m", "64", "-M", "8", "-Y", self.dir,
                 "-P", os.path.join(self.dir, "pid")], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(self.address, 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = self.said()
                    self.stop()
                    raise AssertionError("Kamailio does not start:\n" + text) from None
                time.sleep(0.02)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-6000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Capture:
    """tcpdump on the loopback device into a file; end() waits until the file holds the given bytes."""

    def __init__(self, port=None, filter=None):
        self.dir = tempfile.mkdtemp(prefix="parley-capture-")
        os.chmod(self.dir, 0o777)
        self.file = os.path.join(self.dir, "wire.pcap")
        self.process = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "16384", "-s", "0", "-w", self.file, "-Z", "root",
             filter or f"tcp port {port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = b""
        while b"listening on" not in said:
            piece = self.process.stderr.readline()
            if not piece:
                self.process.wait()
                shutil.rmtree(self.dir, ignore_errors=True)
                raise PermissionError(said.decode().strip() or "tcpdump cannot capture")
            said += piece

    def end(self, last, seconds=10):
        deadline = time.monotonic() + seconds
        while True:
            with open(self.file, "rb") as file:
                if last in file.read():
                    break
            if time.monotonic() > deadline:
                break
            try:
                self.process.wait(0.05)
                break
            except subprocess.TimeoutExpired:
                pass
        self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()
        return self.file

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def tshark(file, port, *arguments):
    return run_tshark(file, "-d", f"tcp.port=={port},msrp", *arguments)


def run_tshark(file, *arguments):
    done = subprocess.run(["tshark", "-n", "-r", file, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          check=False)
    if done.returncode:
        raise AssertionError(f"tshark: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "replace")
