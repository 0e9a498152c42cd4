"""test_browser.py - JsSIP and SIP.js in headless Chromium against parleyd over WSS (RFC 7118).

The libraries come from npm with the versions of browser/package-lock.json, once per PARLEY_BROWSER_DIR (default:
a directory below the temporary one). Chromium is driven by its DevTools protocol through two pipes.
"""
import base64
import fcntl
import hashlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import unittest

import certificates
from sip_base import SipCase

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
SECONDS = 60.0
BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


class CannotHave(Exception):
    """Something of the outside world is missing: no network for npm, say."""


def bundle():
    """The libraries in one script, made at the first call."""
    with open(os.path.join(HERE, "package-lock.json"), "rb") as file:
        version = hashlib.sha256(file.read()).hexdigest()[:12]
    home = os.path.join(os.environ.get("PARLEY_BROWSER_DIR") or os.path.join(tempfile.gettempdir(), "parley-browser"), version)
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(home, "node_modules", "complete")):
            for name in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(HERE, name), home)
            run(home, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            open(os.path.join(home, "node_modules", "complete"), "w", encoding="ascii").close()
        shutil.copy(os.path.join(HERE, "page.js"), home)
        run(home, "npm", "run", "--silent", "bundle")
        with open(os.path.join(home, "bundle.js"), encoding="utf-8") as file:
            return file.read()


def run(home, *command):
    done = subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, check=False)
    if done.returncode:
        raise CannotHave(f"{' '.join(command)}: {done.stdout.decode('utf-8', 'replace')[-2000:]}")


class Chromium:
    """One headless browser with one empty page."""

    def __init__(self, spki):
        self.dir = tempfile.mkdtemp(prefix="parley-chromium-")
        self.numbers = itertools.count(1)
        self.buffer = b""
        self.console = []
        their_in, self.out = os.pipe()
        self.into, their_out = os.pipe()
        command = [BROWSER, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.dir}/profile", "--no-sandbox",
                   "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--ignore-certificate-errors-spki-list=" + spki, "about:blank"]
        self.log = open(os.path.join(self.dir, "log"), "wb")
        # DevTools speaks on the descriptors 3 and 4.
        self.process = subprocess.Popen(["/bin/sh", "-c", f'exec "$@" 3<&{their_in} 4>&{their_out}', "sh", *command],
                                        pass_fds=(their_in, their_out), stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, cwd=self.dir)
        os.close(their_in)
        os.close(their_out)
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Runtime.enable")

    def call(self, method, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if hasattr(self, "session"):
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.read()
            if answer.get("method") == "Runtime.consoleAPICalled":
                self.console.append(" ".join(str(a.get("value", a.get("description"))) for a in answer["params"]["args"]))
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self):
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self.buffer:
            if not select.select([self.into], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError("Chromium says nothing; console: " + "\n".join(self.console[-20:]))
            piece = os.read(self.into, 1 << 20)
            if not piece:
                with open(self.log.name, encoding="utf-8", errors="replace") as file:
                    raise AssertionError("Chromium has ended:\n" + file.read()[-3000:])
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def run(self, expression):
        """The value of an expression, awaited when it is a promise."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise AssertionError(f"{details.get('exception', {}).get('description', details)}\nconsole: "
                                 + "\n".join(self.console[-20:]))
        return result["result"].get("value")

    def do(self, function, *arguments):
        return self.run(f"{function}({', '.join(json.dumps(a) for a in arguments)})")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for descriptor in (self.into, self.out):
            os.close(descriptor)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def browser_with(case, certificate, script):
    """A browser for all tests of a class, with a script in its page; believes the certificate. The server ends if it fails."""
    try:
        browser = Chromium(spki_of(certificate))
        case.addClassCleanup(browser.close)
        browser.run(script + "; 'ready'")
        return browser
    except BaseException:
        case.server.kill()
        raise


def spki_of(certificate):
    """What --ignore-certificate-errors-spki-list wants."""
    public = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], stdout=subprocess.PIPE, check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public.stdout, stdout=subprocess.PIPE,
                         check=True)
    return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


@unittest.skipUnless(BROWSER, "Debian package chromium is not installed")
@unittest.skipUnless(shutil.which("npm"), "npm is not installed")
class Browser(SipCase):
    """Both libraries know MD5 alone and keep only the last challenge: the default order suits them."""

    SIP = ("udp:127.0.0.1:0", "wss:127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        try:
            script = bundle()
        except (CannotHave, subprocess.TimeoutExpired) as why:
            raise unittest.SkipTest(f"JsSIP and SIP.js cannot be had: {why}") from None
        made = certificates.make(cls, "localhost", "example.org")
        cls.client_tls = certificates.client_context(made["ca"])
        cls.FLAGS = ("--tls-cert", made["cert"], "--tls-key", made["key"])
        super().setUpClass()
        cls.browser = browser_with(cls, made["cert"], script)
        cls.url = f"wss://localhost:{cls.server.listeners('wss', 'sip')[0][1]}/"

    def open(self, library, user, password):
        self.browser.do("open_agent", library, self.url, user, password, "example.org")
        self.addCleanup(lambda: self.browser.do("close_agent", user))

    def received(self, user):
        deadline = time.monotonic() + 10
        while not (found := self.browser.do("got", user)):
            self.assertLess(time.monotonic(), deadline, f"nothing has come to {user}")
            time.sleep(0.05)
        return found

    def test_R7118_register_and_messages_both_ways(self):
        bob = self.user("bob")
        text = "from the web: ä € 😀\r\nline two " + "long " * 2000
        for library in ("jssip", "sipjs"):
            with self.subTest(library):
                self.open(library, "alice", "secret")
                self.assertEqual(self.browser.do("send", "alice", bob.aor, text, "text/plain"), 200)
                got = bob.take_request("MESSAGE")
                self.assertEqual(got.body.decode(), text)
                self.assertEqual(got.from_.uri, "sip:alice@example.org")
                self.code(bob.message("sip:alice@example.org", text.encode(), "text/plain;charset=utf-8"), 200)
                (message,) = self.received("alice")
                self.assertEqual(message["text"], text)
                self.assertEqual(message["from"], "sip:bob@example.org")
                self.assertEqual(self.browser.do("send", "alice", "sip:nobody@example.org", "x", "text/plain"), 404)
                self.browser.do("close_agent", "alice")
                self.code(self.peer("udp", "carol").message("sip:alice@example.org"), 480)

    def test_R7118_browser_to_browser(self):
        self.open("jssip", "alice", "secret")
        self.open("sipjs", "carol", "quiet")
        for here, there in (("alice", "carol"), ("carol", "alice")):
            for i in range(5):
                self.assertEqual(self.browser.do("send", here, f"sip:{there}@example.org", f"number {i}", "text/plain"), 200)
            got = self.received(there)
            while len(got) < 5:
                got += self.received(there)
            self.assertEqual([m["text"] for m in got], [f"number {i}" for i in range(5)])

    def test_R3261_17_wrong_password(self):
        for library in ("jssip", "sipjs"):
            with self.subTest(library), self.assertRaises(AssertionError):
                self.browser.do("open_agent", library, self.url, "alice", "guess", "example.org")


if __name__ == "__main__":
    unittest.main()
