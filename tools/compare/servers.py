# tools/compare/servers.py - starts and stops the servers under test: Kamailio, HAProxy and parleyd, all on one CPU.
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REALM = "test"
USER = "alice"
SECRET = "secret"
MAX_CONNECTIONS = 9500  # sessions; HAProxy has two sockets for each, and a process gets 20,000 descriptors
START_S = 15


class ServerError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fifo_works():
    """Whether we may run at real-time priority, which keeps other work on the machine out of the figures."""
    return subprocess.run(["chrt", "-f", "10", "true"], stderr=subprocess.DEVNULL).returncode == 0


def pinned(cpu, fifo, policy="-f"):
    return ["taskset", "-c", str(cpu)] + (["chrt", policy, "10"] if fifo else [])


def make_certificates(directory):
    """A CA of our own and a server certificate for 127.0.0.1 (ECDSA P-256, as the usual web certificate is)."""
    def openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerError("openssl " + arguments[0] + ": " + done.stderr)
    with open(os.path.join(directory, "server.ext"), "w") as ext:
        ext.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "7", "-subj", "/CN=parley compare CA")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "7", "-extfile", "server.ext")
    return {"ca": os.path.join(directory, "ca.pem"), "cert": os.path.join(directory, "server.pem"),
            "key": os.path.join(directory, "server.key")}


class Server:
    """One server process (tree), started for one run. Subclasses say how it is started and how it is reached."""
    name = ""
    program = ""

    def __init__(self, options, directory, load, certificates):
        self.options = options
        self.directory = directory
        self.tls = load.get("tls", False)
        self.body_bytes = load["size"]
        self.certificates = certificates
        self.port = free_port()
        self.process = None
        self.log_path = os.path.join(directory, self.name + ".log")

    @classmethod
    def missing(cls, options):
        """Why this server cannot be run here, or None."""
        return None if shutil.which(cls.program) else f"{cls.program} is not installed"

    def command(self):
        raise NotImplementedError

    def load_flags(self):
        flags = ["--server", f"127.0.0.1:{self.port}", "--user", f"{USER}:{SECRET}"]
        return flags + (["--tls", "--tls-ca", self.certificates["ca"]] if self.tls else [])

    def start(self):
        with open(self.log_path, "w") as log:
            # Round robin, not FIFO: Kamailio's processes share the CPU and under FIFO the busy one starves the others,
            # so that most pairs never get through. For the single processes of the others it is the same.
            command = pinned(self.options.server_cpu, self.options.fifo, "-r") + self.command()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.directory)
        deadline = time.monotonic() + START_S
        while not self.serving():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{self.name} did not start:\n" + self.log_tail())
            time.sleep(0.02)

    def serving(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_tail(self):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def fill(self, template, values):
        with open(os.path.join(HERE, template)) as source:
            text = source.read()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = os.path.join(self.directory, template.removesuffix(".in"))
        with open(path, "w") as target:
            target.write(text)
        return path


class Kamailio(Server):
    name = "kamailio"
    program = "kamailio"

    def serving(self):
        """The port is open before the processes behind it exist, so only an answer counts."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as plain:
                probe = ssl.create_default_context(cafile=self.certificates["ca"]).wrap_socket(
                    plain, server_hostname="127.0.0.1") if self.tls else plain
                probe.settimeout(1)
                uri = f"msrp{'s' if self.tls else ''}://127.0.0.1:{self.port};tcp"
                probe.sendall(f"MSRP probe0 AUTH\r\nTo-Path: {uri}\r\nFrom-Path: {uri}\r\n-------probe0$\r\n".encode())
                return probe.recv(4096).startswith(b"MSRP probe0 401")
        except OSError:
            return False

    def command(self):
        values = {"LISTEN": f"tcp:127.0.0.1:{self.port}", "PORT": self.port, "SECRET": SECRET, "REALM": REALM,
                  "READ_BUFFER": self.read_buffer(), "TLS_CORE": "", "TLS_MODULE": "", "TLS_PARAM": ""}
        if self.tls:
            values.update(LISTEN=f"tls:127.0.0.1:{self.port}", TLS_CORE="enable_tls=yes\ntls_max_connections=19000",
                          TLS_MODULE='loadmodule "tls.so"',
                          TLS_PARAM=f'modparam("tls", "tls_method", "TLSv1.2+")\n'
                                    f'modparam("tls", "certificate", "{self.certificates["cert"]}")\n'
                                    f'modparam("tls", "private_key", "{self.certificates["key"]}")')
        config = self.fill("kamailio-msrp.cfg.in", values)
        run = os.path.join(self.directory, "run")
        os.makedirs(run, exist_ok=True)
        # -m: shared memory for 9,000 connections, also with TLS; -M: private memory per process
        return ["kamailio", "-DD", "-E", "-f", config, "-m", "1024", "-M", "32", "-Y", run,
                "-P", os.path.join(self.directory, "kamailio.pid")]

    def read_buffer(self):
        """Per connection: the default where only memory is measured, room for a frame of 10 KB where there are such."""
        return 4096 if self.body_bytes == 0 else 65536 if self.body_bytes > 4096 else 16384


class HAProxy(Server):
    name = "haproxy"
    program = "haproxy"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.backend_port = free_port()

    def command(self):
        config = self.fill("haproxy-tcp.cfg.in", {"PORT": self.port, "BACKEND_PORT": self.backend_port,
                                                  "MAXCONN": MAX_CONNECTIONS})
        return ["haproxy", "-db", "-f", config]

    def load_flags(self):
        return ["--server", f"127.0.0.1:{self.port}", "--direct", f"127.0.0.1:{self.backend_port}"]


class Parleyd(Server):
    name = "parleyd"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.ready_path = os.path.join(self.directory, "parleyd.ready")

    @classmethod
    def missing(cls, options):
        return None if os.access(options.parleyd, os.X_OK) else f"{options.parleyd} does not exist"

    def command(self):
        if os.path.exists(self.ready_path):
            os.unlink(self.ready_path)
        listen = ("tls" if self.tls else "tcp") + ":127.0.0.1:0"
        command = [os.path.abspath(self.options.parleyd), "--msrp", listen, "--domain", REALM,
                   "--user", f"{USER}:{SECRET}", "--shards", "1", "--admin", "127.0.0.1:0",
                   "--ready-file", self.ready_path]
        if self.tls:
            command += ["--tls-cert", self.certificates["cert"], "--tls-key", self.certificates["key"]]
        return command + self.options.parleyd_flags

    def serving(self):
        try:
            with open(self.ready_path) as ready:
                listeners = json.loads(ready.read())["msrp"]
        except (OSError, ValueError, KeyError):
            return False
        self.port = int(listeners[0].rsplit(":", 1)[1])
        return True


SERVERS = {"kamailio": Kamailio, "haproxy": HAProxy, "parleyd": Parleyd}
