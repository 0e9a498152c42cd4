"""server.py - starts and ends parleyd, reads its metrics and its memory.

PARLEYD names the binary (default: build/release/bin/parleyd), PARLEY_LOOP the event loop (auto, uring, epoll),
PARLEY_SHARDS their number where a test has no wish of its own (default: one per core),
PARLEY_MEMORY_CHECKS=0 leaves out memory bounds (sanitizer builds need more).
"""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = os.path.join(HERE, "..", "..", "build", "release", "bin", "parleyd")
LOOP = os.environ.get("PARLEY_LOOP", "auto")
MEMORY_CHECKS = os.environ.get("PARLEY_MEMORY_CHECKS", "1") != "0"
SHARDS = int(os.environ.get("PARLEY_SHARDS", "0"))
START_SECONDS = 20.0
STOP_SECONDS = 20.0
SANITIZER = re.compile(r"ERROR: (?:Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:")


def binary():
    path = os.environ.get("PARLEYD", DEFAULT)
    if not os.path.exists(path):
        raise AssertionError(f"no parleyd at {path}: build it, or set PARLEYD")
    return path


def parse_metrics(text):
    """{'name{labels}': value} of the Prometheus text format."""
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            values[name] = float(value)
    return values


class Parleyd:
    def __init__(self, *flags, msrp=("tcp:127.0.0.1:0",), sip=(), users=("alice:secret", "bob:hush", "carol:quiet"),
                 domain="example.org", shards=None, env=None, store="memory", cwd=None):
        """Without sip listeners it is a relay and nothing else; with them it has all roles. store None: as parleyd itself
        chooses, in cwd (its own directory, which goes with it)."""
        self.dir = tempfile.mkdtemp(prefix="parley-e2e-")
        self.ready_file = os.path.join(self.dir, "ready.json")
        self.log = os.path.join(self.dir, "log")
        command = [binary()]
        for listener in msrp:
            command += ["--msrp", listener]
        for listener in sip:
            command += ["--sip", listener]
        command += [] if sip else ["--roles", "relay"]
        # A machine that has other work is late, and a server that is late refuses new sessions: rightly, and not what is asked
        # here. The overload ladder has tests of its own.
        command += ["--overload-lag", "off"]
        command += ["--store", store] if store else []
        command += ["--loop", LOOP, "--domain", domain, "--admin", "127.0.0.1:0",
                    "--ready-file", self.ready_file, "--drain-timeout", "5s"]
        for user in users:
            command += ["--user", user]
        self.shards = shards or SHARDS
        if self.shards:
            command += ["--shards", str(self.shards)]
        self.command = command + list(flags)
        self.cwd = cwd or self.dir
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.ready = None
        self.end_checked = False

    # --- life --------------------------------------------------------------------------------------------------

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.cwd, env=self.env)
        deadline = time.monotonic() + START_SECONDS
        while self.ready is None:
            try:
                self.process.wait(0.005)  # also the pause between two looks at the file
            except subprocess.TimeoutExpired:
                pass
            if self.process.returncode is not None:
                raise AssertionError(f"parleyd ended with {self.process.returncode} at start:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"parleyd was not ready in {START_SECONDS} s:\n{self.tail()}")
            try:
                with open(self.ready_file, encoding="utf-8") as file:
                    line = file.read()
                if line.endswith("\n"):
                    self.ready = json.loads(line)
            except FileNotFoundError:
                pass
        assert self.ready["pid"] == self.process.pid, self.ready
        return self

    def stop(self, seconds=STOP_SECONDS, tell=True):
        """SIGTERM (or already told); the end must be clean."""
        if self.process is None or self.end_checked:
            return
        self.end_checked = True
        if self.process.poll() is None:
            if tell:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"parleyd did not end within {seconds} s after SIGTERM:\n{self.tail()}") from None
        code, log = self.process.returncode, self.tail()
        found = SANITIZER.search(self.whole_log())
        shutil.rmtree(self.dir, ignore_errors=True)
        assert code == 0, f"parleyd ended with {code}:\n{log}"
        assert not found, f"the sanitizer complains:\n{log}"

    def kill(self):
        """SIGKILL, for tests that want a relay to vanish and for cleaning up."""
        self.end_checked = True
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            print(self.tail())
            self.kill()

    def whole_log(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def tail(self, lines=40):
        return " ".join(self.command) + "\n" + "\n".join(self.whole_log().splitlines()[-lines:])

    # --- addresses ---------------------------------------------------------------------------------------------

    def listeners(self, kind, protocol="msrp"):
        """[(host, port)] of that kind; protocol: msrp or sip."""
        found = []
        for text in self.ready[protocol]:
            name, _, rest = text.partition(":")
            host, _, port = rest.rpartition(":")
            if name == kind:
                found.append((host.strip("[]"), int(port)))
        return found

    @property
    def tcp(self):
        return self.listeners("tcp")[0]

    @property
    def tls(self):
        return self.listeners("tls")[0]

    def uri(self, kind="tcp", host=None, user=""):
        """The relay's own URI, as a client writes it in an AUTH."""
        address = self.listeners(kind)[0]
        host = host or (f"[{address[0]}]" if ":" in address[0] else address[0])
        return f"{'msrps' if kind in ('tls', 'wss') else 'msrp'}://{user}{host}:{address[1]};{'ws' if kind in ('ws', 'wss') else 'tcp'}"

    # --- looking in --------------------------------------------------------------------------------------------

    def http(self, method, path, body=None, headers=None):
        host, _, port = self.ready["admin"].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8")
        finally:
            connection.close()

    def metrics(self):
        status, text = self.http("GET", "/metrics")
        assert status == 200, text
        return parse_metrics(text)

    def metric(self, name, **labels):
        """The sum over all series of that name which carry these labels; None when there is none."""
        values = [value for key, value in self.metrics().items()
                  if key.split("{")[0] == name and all(f'{k}="{v}"' in key for k, v in labels.items())]
        return sum(values) if values else None

    def wait_metric(self, name, good, seconds=10.0, **labels):
        """Until good(value); returns the value. For facts that only a counter shows."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.metric(name, **labels)
            if value is not None and good(value):
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"{name}{labels or ''} is {value}")
            try:
                self.process.wait(0.02)
                raise AssertionError(f"parleyd has ended:\n{self.tail()}")
            except subprocess.TimeoutExpired:
                pass

    def memory(self):
        """Bytes: resident now, resident at its highest, proportional share."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        kib = lambda name: int(status[name].split()[0]) * 1024
        return {"rss": kib("VmRSS"), "rss_max": kib("VmHWM"), "pss": pss * 1024}

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
