"""sip_dialog.py - one side of a dialog (RFC 3261 section 12) of the user agents of sip_peer."""
import strict_sip
from strict_sip import Address, fail


class Dialog:
    """One side of a dialog (section 12)."""

    def __init__(self, peer, call_id, local, remote, local_seq, remote_seq, target, routes):
        self.peer, self.call_id, self.local, self.remote = peer, call_id, local, remote
        self.local_seq, self.remote_seq, self.target, self.routes = local_seq, remote_seq, target, routes
        self.invite = None
        peer.dialogs[(call_id, Address(local).tag, Address(remote).tag)] = self

    @classmethod
    def uac(cls, tx, response):
        request = tx.request
        key = (request.call_id, request.from_.tag, response.to.tag)
        found = tx.peer.dialogs.get(key)
        if found:
            if response.contact:
                found.target = response.contact.uri
            if 200 <= response.code < 300:
                found.routes = list(reversed(response.items("record-route")))
            return found
        dialog = cls(tx.peer, request.call_id, request.get("from"), response.get("to"), request.cseq[0], None,
                     response.contact.uri, list(reversed(response.items("record-route"))))
        dialog.invite = tx
        return dialog

    @classmethod
    def uas(cls, tx, tag):
        request = tx.request
        key = (request.call_id, tag, request.from_.tag)
        found = tx.peer.dialogs.get(key)
        if found:
            found.target = request.contact.uri
            return found
        return cls(tx.peer, request.call_id, request.get("to") + f";tag={tag}", request.get("from"), 0,
                   request.cseq[0], request.contact.uri, request.items("record-route"))

    def arrived(self, request):
        number, method = request.cseq
        if method in ("ACK", "CANCEL"):
            return
        if self.remote_seq is not None and number <= self.remote_seq:
            fail(f"CSeq {number} after {self.remote_seq} in a dialog", request.raw)
        self.remote_seq = number
        if method in strict_sip.DIALOG_METHODS and request.contact:
            self.target = request.contact.uri

    def request(self, method, headers=(), body=b"", content_type=None, cseq=None, auth=True, **how):
        if cseq is None:
            self.local_seq += 1
            cseq = self.local_seq
        return self.peer.ask(method, self.target, to=self.remote, from_=self.local, call_id=self.call_id, cseq=cseq,
                             headers=headers, body=body, content_type=content_type, route=self.routes, auth=auth,
                             dialog=self, **how)

    def ack(self, tx=None, body=b"", headers=()):
        """The ACK for a 2xx; repeated by itself when the 2xx is."""
        tx = tx or self.invite
        credentials = [(n, v) for n, v in tx.request.headers if n.lower() in ("proxy-authorization", "authorization")]
        flow, to = self.peer.hop(self.routes[0] if self.routes else self.target)
        message = self.peer.compose("ACK", self.target, to=self.remote, from_=self.local, call_id=self.call_id,
                                    cseq=tx.request.cseq[0], headers=credentials + list(headers), body=body,
                                    content_type="application/sdp" if body else None, route=self.routes, flow=flow)
        with self.peer.lock:
            tx.acks[Address(self.remote).tag] = (flow, to, message.raw)
            flow.send(message.raw, to)
        return message

    def bye(self, **how):
        response = self.request("BYE", **how).final()
        if response.code not in (200, 481):
            raise AssertionError(f"BYE was answered {response.show()}")
        return response
