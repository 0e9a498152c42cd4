"""ws_wire.py - the client's side of RFC 6455 as far as bytes go: handshake and single frames. Nothing here knows parleyd."""
import base64
import hashlib
import os

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class NoAnswer(Exception):
    """The server closed before its answer to the handshake was complete."""


def new_key():
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def handshake(host, key, path="/", origin=None, subprotocol="msrp", version="13", method="GET"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Version: {version}"]
    lines += [f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []
    lines += [f"Origin: {origin}"] if origin else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_head(sock):
    """(status, fields with lower-case names, what follows) of an HTTP answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(4096)
        if not piece:
            raise NoAnswer(f"the handshake was answered {data!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    start, *fields = head.decode("ascii").split("\r\n")
    return int(start.split()[1]), {n.strip().lower(): v.strip() for n, _, v in (f.partition(":") for f in fields)}, rest


def what_is_wrong(fields, key, subprotocol):
    """Of the fields of a 101, as a client checks them; None when all is well (RFC 6455 section 4.1)."""
    good = (fields.get("upgrade", "").lower() == "websocket" and "upgrade" in fields.get("connection", "").lower()
            and fields.get("sec-websocket-accept") == accept_of(key)
            and fields.get("sec-websocket-protocol") == subprotocol and "sec-websocket-extensions" not in fields)
    return None if good else f"handshake: {fields}"


def frame(opcode, payload=b"", fin=True, mask=True, extra_bits=0):
    """One frame as a client writes it; the odd arguments are for clients that break the rules."""
    size, flag = len(payload), 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | extra_bits | opcode])
    if size < 126:
        head += bytes([flag | size])
    elif size < 65536:
        head += bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + size.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    long = (key * (size // 4 + 1))[:size]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(long, "big")).to_bytes(size, "big")
