#!/usr/bin/env python3
"""tests/layout/layout.py - the arrows between the folders point one way, nothing above the seam reaches around it, and no two
types have one name.

    layout.py <root>     prints every breach as file:line: what, and fails when there is one
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

# Who may include whom: core <- sip, core <- msrp, {sip, msrp} <- policy <- tools. sip and msrp do not know each other.
ALLOWED = {
    "core": {"core"},
    "sip": {"core", "sip"},
    "msrp": {"core", "msrp"},
    "policy": {"core", "sip", "msrp", "policy"},
    "tools": {"core", "sip", "msrp", "policy", "tools"},
}
# Bytes, time, seeds and peers come in as Inputs here.
ABOVE_THE_SEAM = {"sip", "msrp", "policy"}
# Everything that is read for names that are forbidden everywhere.
EVERYWHERE = [*ALLOWED, "tests", "bench"]
SUFFIXES = {".h", ".cc", ".rl", ".rli", ".in"}

# Parts of core that hold a descriptor, a clock, a thread or the kernel's randomness.
BELOW_HEADERS = {
    "core/conn.h", "core/datagram_io.h", "core/entropy.h", "core/epoll_proactor.h", "core/log.h", "core/loop.h",
    "core/mailbox.h", "core/proactor.h", "core/resolver.h", "core/socket.h", "core/tls.h", "core/tls_conn.h", "core/uring_proactor.h",
}
# <arpa/inet.h> is not among them: inet_pton and its like are pure functions.
BANNED_SYSTEM_HEADERS = re.compile(
    r"(iostream|fstream|thread|mutex|shared_mutex|condition_variable|future|semaphore|random|unordered_map|unordered_set"
    r"|ctime|time\.h|unistd\.h|fcntl\.h|poll\.h|netdb\.h|pthread\.h|liburing\.h|ares\.h|sys/.*|netinet/.*|arpa/nameser.*"
    r"|linux/.*|openssl/ssl\.h|openssl/bio\.h|openssl/rand\.h)")
SOCKET_CALLS = ("socket|bind|listen|accept|accept4|connect|send|sendto|sendmsg|recv|recvfrom|recvmsg|read|write|readv"
                "|writev|close|shutdown|poll|ppoll|select|epoll_\\w+|setsockopt|getsockopt|getaddrinfo")
BANNED_NAMES = [
    (re.compile(r"std::(jthread|thread|mutex|shared_mutex|condition_variable\w*|async|future)\b"), "a thread or a lock"),
    (re.compile(r"\b(secure_)?getenv\s*\("), "the environment"),
    (re.compile(r"(?<![.>\w])(std::|::)?s?rand\s*\("), "a random source"),
    (re.compile(r"\brandom_device\b|\bmt19937|\bRAND_bytes\b|\bgetrandom\b"), "a random source"),
    (re.compile(r"(?<![.>\w])(std::|::)?time\s*\(\s*(nullptr|NULL|0|&)"), "a clock"),
    (re.compile(r"::now\s*\(\s*\)|\bclock_gettime\b|\bgettimeofday\b"), "a clock"),
    (re.compile(r"\bunordered_"), "a container whose order differs from run to run"),
    (re.compile(rf"(?<![\w>])::({SOCKET_CALLS})\s*\("), "a descriptor"),
    (re.compile(r"\bIORING_\w+|\bio_uring_\w+"), "io_uring"),
]
# By descriptor the kernel may cancel what a later owner of the same number started.
BANNED_EVERYWHERE = [(re.compile(r"prep_cancel" + r"_fd\b"), "cancel by descriptor")]

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]", re.MULTILINE)
TOKEN = re.compile(
    r"""(?P<keep>\b\d[\w']*|^[ \t]*\#[ \t]*include[^\n]*)"""  # digit separators are no quotes; includes are read whole
    r"""|(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)\""""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Breach:
    file: str
    line: int
    what: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.what}"


def without_comments_and_strings(text):
    """Same length in lines, so that positions stay; a mention is no use."""

    def blank(match):
        if match.group("keep") is not None:
            return match.group("keep").split("//")[0]
        return "\n" * match.group(0).count("\n") if match.group(0).count("\n") else " "

    return TOKEN.sub(blank, text)


def included_folder(path):
    first = path.split("/")[0]
    return first if "/" in path else None


def check_include(folder, name, quoted, path):
    """What is wrong with `#include path` in a file of `folder`, or nothing."""
    if not quoted:
        if folder in ABOVE_THE_SEAM and BANNED_SYSTEM_HEADERS.fullmatch(path):
            return f"<{path}> above the seam"
        return None
    if path.startswith(".") or "/../" in path or "/./" in path:
        return f'"{path}": includes are written from the root'
    target = included_folder(path)
    if target in ALLOWED and target not in ALLOWED[folder]:
        return f'"{path}": {folder} must not know {target}'
    if target in ("tests", "bench"):
        return f'"{path}": the product must not know {target}'
    if folder in ABOVE_THE_SEAM and path in BELOW_HEADERS:
        return f'"{path}" is below the seam'
    return None


def check_text(folder, name, text):
    code = without_comments_and_strings(text)
    breaches = []

    def add(position, what):
        breaches.append(Breach(name, code.count("\n", 0, position) + 1, what))

    if folder in ALLOWED:
        for match in INCLUDE.finditer(code):
            what = check_include(folder, name, match.group(1) == '"', match.group(2))
            if what:
                add(match.start(2), what)
    names = list(BANNED_EVERYWHERE)
    if folder in ABOVE_THE_SEAM:
        names += BANNED_NAMES
    for pattern, what in names:
        for match in pattern.finditer(code):
            add(match.start(), f"{match.group(0).strip()}: {what}")
    return breaches


NAMESPACE = re.compile(r"(?:inline )?namespace ?([\w:]*) ?\{")
TYPE = re.compile(r"(?:class|struct|union|enum class) (\w+)(?: final)?(?: : [^;]*)? ?\{?$|(?:class|struct|union|enum class) (\w+)[^;:]*\{")


def types_in(text):
    """(line, full name) of each type that others can see: at the start of a line, in a namespace that has a name."""
    inside = []
    for number, line in enumerate(text.splitlines(), 1):
        if opens := NAMESPACE.match(line):
            if "}" not in line:
                inside.append(opens.group(1))
        elif line.startswith("}  // namespace") and inside:
            inside.pop()
        elif (named := TYPE.match(line)) and all(inside):
            yield number, "::".join([*inside, named.group(1) or named.group(2)])


def check_types(texts):
    """Two types of one name are one to the linker: it takes the inline functions of either for both."""
    first = {}
    breaches = []
    for name, text in texts:
        for number, full in types_in(text):
            if full in first:
                breaches.append(Breach(name, number, f"{full} is defined in {first[full]}, too"))
            first.setdefault(full, name)
    return breaches


def source_files(root):
    for folder in EVERYWHERE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield folder, path


def check_tree(root):
    breaches = []
    seen = {}
    product = []
    for folder, path in source_files(root):
        seen[folder] = seen.get(folder, 0) + 1
        name, text = str(path.relative_to(root)), path.read_text(encoding="utf-8", errors="replace")
        breaches += check_text(folder, name, text)
        if folder in ALLOWED:
            product.append((name, text))
    return breaches + check_types(product), seen


def main(arguments):
    if len(arguments) != 2:
        print(__doc__)
        return 2
    breaches, seen = check_tree(Path(arguments[1]))
    for breach in breaches:
        print(breach)
    # A wrong root, or a folder that was renamed, must not look like a clean tree.
    missing = [folder for folder in ("core", "sip", "msrp", "policy", "tools") if not seen.get(folder)]
    if missing:
        print("no sources found in: " + ", ".join(missing))
    print(f"{sum(seen.values())} files, {len(breaches)} breaches")
    return 1 if breaches or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
