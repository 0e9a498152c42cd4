"""xcap_peer.py - an XCAP client: http.client and Digest as RFC 7616 has it, written from the RFC alone."""
import hashlib
import http.client
import re
import ssl

GROUPS, RULES, SETTINGS = "org.openmobilealliance.groups", "org.openmobilealliance.access-rules", "org.parley.settings-defaults"
LISTS = "resource-lists"
TYPES = {GROUPS: "application/vnd.oma.poc.groups+xml", RULES: "application/auth-policy+xml",
         SETTINGS: "application/poc-settings+xml", LISTS: "application/resource-lists+xml"}
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class Answer:
    def __init__(self, answer, body):
        self.status, self.headers, self.body = answer.status, answer.headers, body

    def get(self, name):
        return self.headers.get(name)

    @property
    def etag(self):
        return self.headers.get("ETag")

    def show(self):
        return f"{self.status} {dict(self.headers)} {self.body!r}"


class XcapPeer:
    """One user's client; `secret` None: it shows no credentials."""

    def __init__(self, at, user, secret, domain="example.org", root="/xcap-root", algorithm="SHA-256", tls=None):
        scheme, host, port = re.fullmatch(r"(https?):\[?(.*?)\]?:(\d+)", at).groups()
        self.user, self.secret, self.root, self.algorithm = user, secret, root, algorithm
        self.xui = f"sip:{user}@{domain}"
        self.host = f"{host}:{port}"
        if scheme == "https":
            self.http = http.client.HTTPSConnection(host, int(port), timeout=20, context=tls or ssl.create_default_context())
        else:
            self.http = http.client.HTTPConnection(host, int(port), timeout=20)
        self.challenge, self.count = None, 0

    def close(self):
        self.http.close()

    def path(self, auid, document, node=None, xui=None):
        path = f"{self.root}/{auid}/users/{xui or self.xui}/{document}"
        return path if node is None else f"{path}/~~/{node}"

    def send(self, method, target, body=None, headers=()):
        headers = dict(headers)
        if isinstance(body, str):
            body = body.encode()
        for name in [n for n, v in headers.items() if v is None]:
            del headers[name]
        self.http.request(method, target, body=body, headers=headers)
        answer = self.http.getresponse()
        return Answer(answer, answer.read())

    def ask(self, method, target, body=None, headers=()):
        headers = dict(headers)
        if self.secret is not None and self.challenge:
            headers["Authorization"] = self.authorization(method, target)
        answer = self.send(method, target, body, headers)
        if answer.status == 401 and self.secret is not None:
            self.take_challenge(answer)
            headers["Authorization"] = self.authorization(method, target)
            answer = self.send(method, target, body, headers)
        return answer

    def take_challenge(self, answer):
        for text in answer.headers.get_all("WWW-Authenticate"):
            found = {k: a or b for k, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', text)}
            if found.get("algorithm", "MD5") == self.algorithm:
                self.challenge, self.count = found, 0
                return
        raise AssertionError(f"no challenge of {self.algorithm}: {answer.show()}")

    def authorization(self, method, target, count=None):
        digest = lambda text: HASHES[self.algorithm](text.encode()).hexdigest()
        self.count += 1
        c, nc, cnonce = self.challenge, f"{count or self.count:08x}", "0a4f113b"
        ha1 = digest(f'{self.user}:{c["realm"]}:{self.secret}')
        response = digest(f'{ha1}:{c["nonce"]}:{nc}:{cnonce}:auth:{digest(f"{method}:{target}")}')
        return (f'Digest username="{self.user}", realm="{c["realm"]}", nonce="{c["nonce"]}", uri="{target}", qop=auth, nc={nc}, '
                f'cnonce="{cnonce}", response="{response}", opaque="{c.get("opaque", "")}", algorithm={self.algorithm}')

    # --- documents

    def put(self, auid, document, body, node=None, **headers):
        kind = TYPES.get(auid) if node is None else "application/xcap-att+xml" if "/@" in node else "application/xcap-el+xml"
        names = {"if_match": "If-Match", "if_none_match": "If-None-Match", "content_type": "Content-Type"}
        return self.ask("PUT", self.path(auid, document, node),
                        body, {"Content-Type": kind, **{names[k]: v for k, v in headers.items()}})

    def fetch(self, auid, document, node=None, xui=None, **headers):
        return self.ask("GET", self.path(auid, document, node, xui), None,
                        {k.replace("_", "-"): v for k, v in headers.items()})

    def delete(self, auid, document, node=None):
        return self.ask("DELETE", self.path(auid, document, node))


def group(uri, members, rules=""):
    entries = "".join(f'<entry uri="sip:{m}@example.org"/>' for m in members)
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="{uri}">'
            f"<list>{entries}</list><invite-members>true</invite-members>{rules}</list-service></group>\n")


def access_rules(sender, handling):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" '
            f'xmlns:p="urn:oma:xml:poc:poc-rules"><rule id="r1"><conditions><identity><one id="{sender}"/></identity></conditions>'
            f"<actions><p:allow-invite>{handling}</p:allow-invite></actions></rule></ruleset>\n")
