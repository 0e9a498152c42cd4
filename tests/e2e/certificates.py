"""certificates.py - a test CA and certificates of every sort, made by the openssl command in a temporary directory."""
import os
import shutil
import ssl
import subprocess
import tempfile


def _openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise AssertionError(f"openssl {arguments}: {done.stdout.decode()}")


class Authority:
    """One certificate authority in a directory of its own."""

    def __init__(self, name="Test CA"):
        self.dir = tempfile.mkdtemp(prefix="parley-ca-")
        self.ca = os.path.join(self.dir, "ca.pem")
        self.serial = 0
        _openssl(self.dir, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "30", "-subj", f"/CN={name}", "-keyout", "ca.key", "-out",
                 "ca.pem")

    def issue(self, *names, cn=None, expired=False, name=None):
        """(certificate file, key file) for these dNSNames; none at all gives a certificate with a CN only."""
        self.serial += 1
        base = os.path.join(self.dir, name or f"cert{self.serial}")
        cn = cn or (names[0] if names else "nobody")
        _openssl(self.dir, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                 f"/CN={cn}", "-keyout", base + ".key", "-out", base + ".csr")
        with open(base + ".ext", "w", encoding="ascii") as file:
            file.write("basicConstraints=CA:FALSE\n")
            if names:
                file.write("subjectAltName=" + ",".join(
                    ("IP:" if n[0].isdigit() or ":" in n else "DNS:") + n for n in names) + "\n")
        if expired:
            self._issue_expired(base)
        else:
            _openssl(self.dir, "x509", "-req", "-in", base + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial",
                     str(self.serial), "-days", "20", "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"

    def _issue_expired(self, base):
        """`openssl x509` cannot look back; `openssl ca` can."""
        for file in (base + ".index", base + ".index.attr"):
            open(file, "w", encoding="ascii").close()
        with open(base + ".cnf", "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={base}.index\nnew_certs_dir={self.dir}\n"
                       f"default_md=sha256\npolicy=p\nrand_serial=yes\nunique_subject=no\n[p]\ncommonName=supplied\n")
        _openssl(self.dir, "ca", "-batch", "-config", base + ".cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in",
                 base + ".csr", "-out", base + ".pem", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
                 "-notext", "-extfile", base + ".ext")

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def make(case, *names):
    """A CA and one server certificate; removed with the test (case: TestCase or TestCase class)."""
    authority = Authority()
    clean = case.addClassCleanup if isinstance(case, type) else case.addCleanup
    clean(authority.remove)
    cert, key = authority.issue(*(names or ("localhost", "example.org")))
    return {"authority": authority, "ca": authority.ca, "cert": cert, "key": key}


def client_context(ca, minimum=None, maximum=None, cert=None, key=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    if cert:
        context.load_cert_chain(cert, key)
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    return context
