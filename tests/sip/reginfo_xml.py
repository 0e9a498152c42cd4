#!/usr/bin/env python3
"""tests/sip/reginfo_xml.py - registration documents, read by a parser that is not ours (R3680-1).

    reginfo_xml.py <reginfo_documents>

Texts with everything a peer may put into a REGISTER, and random bytes, go through the writer; expat must find the
document well-formed, without any element or attribute too many, and the texts as they were.
"""

import random
import subprocess
import sys
import xml.etree.ElementTree as ET

NAMESPACE = "{urn:ietf:params:xml:ns:reginfo}"
PIECES = [
    b"", b"a", b"sip:a@b.example;x=y?h=1&i=2", b"<", b">", b"&", b'"', b"'", b"]]>", b"<!--", b"<![CDATA[", b"<?x?>",
    b"&lt;", b"&#0;", b"\t", b"\r\n ", b"\n", b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xc0\x80", b"\xe2\x82",
    "äß".encode(), "€".encode(), "😀".encode(), b"\xed\xa0\x80", b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xef\xbf\xbd",
    b"\xf4\x90\x80\x80", b"\xf0\x80\x80\x80", b"\\", b" ", b"</uri>", b"%00",
]


def allowed(char):
    code = ord(char)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def readable(data):
    """What has to arrive: every byte that belongs to no character of XML is replaced."""
    text = ""
    at = 0
    while at < len(data):
        for size in (1, 2, 3, 4):
            try:
                char = data[at:at + size].decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(char) == 1 and allowed(char):
                text += char
                at += size
                break
        else:
            text += "\ufffd"
            at += 1
    return text


def unquoted(data):
    if not data.startswith(b'"'):
        return data
    if len(data) >= 2 and data.endswith(b'"'):
        data = data[1:-1]
    out = b""
    at = 0
    while at < len(data):
        if data[at:at + 1] == b"\\" and at + 1 < len(data):
            at += 1
        out += data[at:at + 1]
        at += 1
    return out


def check(texts, document):
    aor, registration_id, contact_id, uri, display, _, call_id = texts
    root = ET.fromstring(document)
    assert root.tag == NAMESPACE + "reginfo", root.tag
    assert root.attrib == {"version": "4294967295", "state": "full"}, root.attrib
    assert [child.tag for child in root] == [NAMESPACE + "registration"]
    registration = root[0]
    expected = {"aor": readable(aor), "id": readable(registration_id), "state": "active"}
    assert registration.attrib == expected, (registration.attrib, expected)
    assert [child.tag for child in registration] == [NAMESPACE + "contact"]
    contact = registration[0]
    expected = {"id": readable(contact_id), "state": "active", "event": "registered"}
    if call_id:
        expected["callid"] = readable(call_id)
    assert contact.attrib == expected, (contact.attrib, expected)
    assert contact[0].tag == NAMESPACE + "uri"
    assert (contact[0].text or "") == readable(uri), (contact[0].text, uri)
    rest = list(contact[1:])
    if display:
        name = rest.pop(0)
        assert name.tag == NAMESPACE + "display-name" and len(name) == 0
        assert (name.text or "") == readable(unquoted(display)), (name.text, display)
    for parameter in rest:
        assert parameter.tag == NAMESPACE + "unknown-param" and len(parameter) == 0
        assert list(parameter.attrib) == ["name"]
    return len(rest)


def main():
    pick = random.Random(3680)

    def text():
        if pick.random() < 0.2:
            return bytes(pick.randrange(256) for _ in range(pick.randrange(12)))
        return b"".join(pick.choice(PIECES) for _ in range(pick.randrange(5)))

    cases = [[piece] * 7 for piece in PIECES]
    cases += [[b"sip:a@b", b"1", b"2", b"sip:c", b"D", b';+x="' + piece + b'";y', b"c"] for piece in PIECES]
    for _ in range(3000):
        case = [text() for _ in range(7)]
        if pick.random() < 0.5:
            case[4] = b'"' + case[4] + b'"'
        if pick.random() < 0.8:
            case[5] = b';q=1;+p="' + case[5] + b'";z'
        cases.append(case)
    lines = "".join(" ".join("x" + field.hex() for field in case) + "\n" for case in cases)
    out = subprocess.run([sys.argv[1]], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    documents = out.split(b"\0")
    assert documents.pop() == b"" and len(documents) == len(cases), len(documents)
    parameters = sum(check(case, document) for case, document in zip(cases, documents))
    print(f"{len(cases)} documents, {parameters} unknown-params")
    assert parameters > 1000
    return 0


if __name__ == "__main__":
    sys.exit(main())
