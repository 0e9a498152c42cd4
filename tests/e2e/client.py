"""client.py - runs parley (the IM client) as a process: its events as they come, lines for its standard input, its end.

PARLEY names the binary (default: beside parleyd).
"""
import json
import os
import subprocess
import tempfile
import threading
import time

import server

TIMEOUT = float(os.environ.get("PARLEY_E2E_TIMEOUT", "15"))


def binary():
    path = os.environ.get("PARLEY", os.path.join(os.path.dirname(server.binary()), "parley"))
    if not os.path.exists(path):
        raise AssertionError(f"no parley at {path}: build it, or set PARLEY")
    return path


class Program:
    """One run. `arguments` begin with the command; those about who and where come from the rest."""

    def __init__(self, case, address, user, secret, *arguments, transport="udp", domain="example.org", flags=(), stdin=None, cwd=None):
        self.name = f"parley {user} {' '.join(arguments)}"
        with tempfile.NamedTemporaryFile("w", suffix=".password", delete=False) as file:
            file.write(f"{secret}\n")
        case.addCleanup(os.unlink, file.name)
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.command = [binary(), "--user", f"sip:{user}@{domain}", "--password-file", file.name, "--server",
                        f"{transport}:{host}:{address[1]}", "--loop", server.LOOP, *flags, *arguments]
        self.changed = threading.Condition()
        self.events, self.lines, self.errors = [], [], []
        self.all = []
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        cwd=cwd)
        case.addCleanup(self.kill)
        self.threads = [threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True),
                        threading.Thread(target=self._read, args=(self.process.stderr, self.errors), daemon=True)]
        for thread in self.threads:
            thread.start()
        if stdin is not None:
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    def _read(self, stream, into):
        for line in stream:
            text = line.decode("utf-8").rstrip("\n")
            with self.changed:
                into.append(text)
                if into is self.lines and text.startswith("{"):
                    event = json.loads(text)
                    self.events.append(event)
                    self.all.append(event)
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def eof(self):
        self.process.stdin.close()

    def wait(self, ready, what, timeout=None):
        deadline = time.monotonic() + (timeout or TIMEOUT)
        with self.changed:
            while True:
                value = ready()
                if value:
                    return value
                left = deadline - time.monotonic()
                ended = self.process.poll() is not None and not any(t.is_alive() for t in self.threads)
                if left <= 0 or ended:
                    raise AssertionError(f"{self.name}: {what} did not come; {self.story()}")
                self.changed.wait(min(left, 0.2))

    def event(self, name, timeout=None, **fields):
        """The next event of that name with these fields, taken out; earlier ones stay."""
        def find():
            for event in self.events:
                if event["event"] == name and all(event.get(k) == v for k, v in fields.items()):
                    self.events.remove(event)
                    return event
            return None
        return self.wait(find, f"event {name} {fields}", timeout)

    def story(self):
        return f"lines: {self.lines[-15:]}, errors: {self.errors[-10:]}, status {self.process.poll()}"

    def ended(self, timeout=None):
        """The exit status."""
        try:
            status = self.process.wait(timeout or TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end; {self.story()}") from None
        for thread in self.threads:
            thread.join(5)
        text = "\n".join(self.errors)
        if server.SANITIZER.search(text):
            raise AssertionError(f"the sanitizer complains:\n{text}")
        return status

    def stop(self):
        """SIGTERM; it has to end by itself and well."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.ended()
        if status != 0:
            raise AssertionError(f"{self.name} ended with {status}; {self.story()}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass
