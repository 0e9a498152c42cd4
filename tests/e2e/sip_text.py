"""sip_text.py - how the user agents of sip_peer write messages, and what they read again."""
import os

import strict_sip
from sip_wire import host_text

REASONS = {100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK",
           202: "Accepted", 302: "Moved Temporarily", 400: "Bad Request", 404: "Not Found", 415: "Unsupported Media Type",
           480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here",
           487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
           503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline"}
SDP = ("v=0\r\no=- {number} 1 IN IP{version} {host}\r\ns=-\r\nc=IN IP{version} {host}\r\nt=0 0\r\n"
       "m=message 2855 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://{bracketed}:2855/{number};tcp\r\n")


class NoAnswer(AssertionError):
    """What the test waits for did not come in time."""


def token(size=8):
    return os.urandom(size).hex()


def sdp(host="127.0.0.1", number=1):
    return SDP.format(number=number, host=host, bracketed=host_text(host), version=6 if ":" in host else 4).encode()


def lines(headers):
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


def finish(head, body=b"", content_type=None):
    """The bytes of a message from its head so far."""
    if body and content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode("utf-8") + f"Content-Length: {len(body)}\r\n\r\n".encode() + bytes(body)


def read(data):
    """A message of our own as an object; not judged, for a test may want it to be odd."""
    end = data.index(b"\r\n\r\n") + 4
    message = strict_sip.parse_head(data[:end])
    message.raw, message.body = bytes(data), data[end:]
    return message
