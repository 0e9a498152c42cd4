"""test_relay.py - SEND, REPORT and other methods across one relay (RFC 4976 sections 6.2, 6.4)."""
import unittest

from base import RelayCase, path
from peer import Gone, make_response, new_id


def status(report):
    return int(report.get("Status").split(" ")[1])


class Relay(RelayCase):
    # --- SEND --------------------------------------------------------------------------------------------------

    def test_R4976_8_send_between_two_users_both_ways(self):
        a, b = self.pair()
        for x, y in ((a, b), (b, a)):
            tid, mid = x.send(path(x, y), b"a message", sr="no")
            answer = x.take_response(tid)
            self.assertEqual(answer.code, 200)
            self.assertEqual(answer.to_path, [x.uri])
            self.assertEqual(answer.from_path, x.use_path)
            frame = y.take_request("SEND", mid)
            self.assertEqual(frame.to_path, [y.uri])
            self.assertEqual(frame.from_path, y.use_path + x.use_path + [x.uri])
            self.assertEqual(frame.body, b"a message")
            self.assertEqual(frame.get("Content-Type"), "text/plain")
            self.assertNotEqual(frame.tid, tid)
            self.assertIn(frame.byte_range, ((1, 9, 9), (1, None, 9)))

    def test_R4976_7_caller_without_auth_reaches_a_live_session_and_is_answered(self):
        b, c = self.user("bob"), self.peer(name="caller")
        tid, mid = c.send(path(c, b), b"from outside")
        self.assertEqual(c.take_response(tid).code, 200)
        frame = b.take_request("SEND", mid)
        self.assertEqual(frame.from_path, b.use_path + [c.uri])
        tid, mid = b.send(b.use_path + [c.uri], b"and back")
        self.assertEqual(b.take_response(tid).code, 200)
        frame = c.take_request("SEND", mid)
        self.assertEqual((frame.to_path, frame.from_path, frame.body), ([c.uri], b.use_path + [b.uri], b"and back"))
        self.assertEqual(status_of_report(self, b, c), 200)

    def test_R4976_7_callers_return_path_cannot_be_taken_over(self):
        b, c, thief = self.user("bob"), self.peer(name="caller"), self.peer(name="thief")
        tid, mid = c.send(path(c, b), b"first")
        c.take_response(tid)
        b.take_message(mid)
        thief.send(path(thief, b), b"I am the caller", from_path=c.uri)
        tid, mid = b.send(b.use_path + [c.uri], b"secret answer")
        self.assertEqual(c.take_message(mid).body, b"secret answer")
        b.take_response(tid)
        self.ask(thief)
        self.assertNotIn(mid, thief.messages)

    def test_R4976_8_headers_are_kept_in_order(self):
        a, b = self.pair()
        extra = [("X-First", "1"), ("Subject", "two  spaces, \u00e4"), ("x-first", "again"), ("X-Empty", ""),
                 ("Content-ID", "<a@b>"), ("Content-Disposition", "inline")]
        _, mid = a.send(path(a, b), b"x", headers=extra, content_type='text/plain;charset="utf-8";x=y', sr="no",
                        fr="yes")
        frame = b.take_request("SEND", mid)
        kept = [h for h in frame.headers if h in extra]
        self.assertEqual(kept, extra)
        self.assertEqual(frame.get("Content-Type"), 'text/plain;charset="utf-8";x=y')
        self.assertEqual((frame.get("Success-Report"), frame.get("Failure-Report")), ("no", "yes"))

    def test_R4976_8_header_names_in_any_case(self):
        a, b = self.pair()
        tid, mid = new_id(), new_id()
        a.raw(f"MSRP {tid} SEND\r\nto-path: {' '.join(path(a, b))}\r\nFROM-PATH: {a.uri}\r\nmessage-id: {mid}\r\n"
              f"byte-range: 1-2/2\r\ncontent-type: text/plain\r\n\r\nhi\r\n-------{tid}$\r\n".encode())
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(b.take_message(mid).body, b"hi")

    def test_R4976_10_failure_report_decides_who_is_answered(self):
        a, b = self.pair()
        for fr in (None, "yes", "partial", "no"):
            tid, mid = a.send(path(a, b), b"x", fr=fr)
            self.assertEqual(b.take_request("SEND", mid).get("Failure-Report"), fr)
            if fr in (None, "yes"):
                self.assertEqual(a.take_response(tid).code, 200)
            else:
                self.fence(a, b)
                self.assertEqual([f for f in a.frames if f.tid == tid], [])
        self.assertEqual(list(a.frames), [])

    def test_R4976_8_empty_body_is_not_bodiless(self):
        a, b = self.pair()
        _, mid = a.send(path(a, b), b"", byte_range="1-0/0")
        frame = b.take_request("SEND", mid)
        self.assertTrue(frame.has_body)
        self.assertEqual((frame.body, frame.byte_range), (b"", (1, 0, 0)))

    def test_R4975_4_T58_bodiless_and_binding_sends_are_answered_and_passed_on(self):
        a, b = self.pair()
        for headers in ([], [("Message-ID", new_id())], [("Message-ID", new_id()), ("Byte-Range", "1-0/0")],
                        [("Keep-Alive", "yes")]):
            with self.subTest(headers):
                tid = a.request("SEND", path(a, b), headers)
                self.assertEqual(a.take_response(tid).code, 200)
                frame = b.take_request("SEND")
                self.assertFalse(frame.has_body)
                self.assertEqual(frame.get("Keep-Alive"), dict(headers).get("Keep-Alive"))
        self.fence(a, b)

    def test_R4975_4_binding_send_of_a_caller_without_auth(self):
        b, c = self.user("bob"), self.peer()
        tid = c.request("SEND", path(c, b))
        self.assertEqual(c.take_response(tid).code, 200)
        self.assertEqual(b.take_request("SEND").from_path, b.use_path + [c.uri])

    def test_T59_chunk_without_byte_range(self):
        a, b = self.pair()
        tid, mid = a.send(path(a, b), b"whole", byte_range=None)
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(b.take_message(mid).body, b"whole")

    def test_R4975_7_chunks_in_any_order_arrive_with_their_places(self):
        a, b = self.pair()
        mid = new_id()
        a.send(path(a, b), b"56789", mid, byte_range="6-10/10", flag="$")
        a.send(path(a, b), b"01234", mid, byte_range="1-5/10", flag="+")
        self.assertEqual(b.take_message(mid).body, b"0123456789")

    def test_R4975_7_aborted_message_is_passed_on_as_aborted(self):
        a, b = self.pair()
        tid, mid = a.send(path(a, b), b"abc", byte_range="1-*/9", flag="#")
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(b.take_request("SEND", mid).flag, "#")

    def test_T67_tid_used_again_before_the_answer(self):
        a, b = self.pair()
        tid = new_id()
        a.pause()
        mids = [a.send(path(a, b), b"%d" % i, tid=tid)[1] for i in range(3)]
        a.resume()
        for i, mid in enumerate(mids):
            self.assertEqual(b.take_message(mid).body, b"%d" % i)
            self.assertEqual(a.take_response(tid).code, 200)

    def test_R4976_5_several_sessions_on_one_connection(self):
        a, b = self.user("alice"), self.user("bob")
        second = f"msrp://127.0.0.1:{a.local[1]}/{new_id()};tcp"
        first_path = a.use_path
        a.auth(self.server.uri(), from_path=second)
        second_path = a.use_path
        self.assertNotEqual(first_path, second_path)
        mid = new_id()  # T-68: the same Message-ID on two sessions
        for use, own in ((first_path, a.uri), (second_path, second)):
            tid, _ = b.send(b.use_path + use + [own], b"to " + own.encode(), mid)
            self.assertEqual(b.take_response(tid).code, 200)
            frame = a.take_request("SEND", mid)
            self.assertEqual((frame.to_path, frame.body), ([own], b"to " + own.encode()))
            tid, back = a.send(use + b.use_path + [b.uri], b"back", from_path=own)
            self.assertEqual(a.take_response(tid).code, 200)
            self.assertEqual(b.take_request("SEND", back).from_path, b.use_path + use + [own])

    def test_T72_uris_are_compared_not_copied(self):
        a, b = self.pair()
        odd = b.use_path[0].replace("msrp://", "MSRP://someone@").replace(";tcp", ";TCP;x=y")
        tid, mid = a.send(a.use_path + [odd, b.uri], b"odd")
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(b.take_message(mid).body, b"odd")

    # --- REPORT ------------------------------------------------------------------------------------------------

    def test_R4976_8_reports_travel_both_ways(self):
        a, b = self.pair()
        for x, y in ((a, b), (b, a)):
            for code in (200, 415):
                _, mid = x.send(path(x, y), b"please confirm", sr="yes")
                frame = y.take_request("SEND", mid)
                self.assertEqual(frame.get("Success-Report"), "yes")
                y.report(frame, code)
                report = x.take_request("REPORT", mid)
                self.assertEqual(status(report), code)
                self.assertEqual(report.byte_range, (1, 14, 14))
                self.assertEqual(report.to_path, [x.uri])
                self.assertEqual(report.from_path, x.use_path + y.use_path + [y.uri])

    def test_T64_reports_may_cover_other_ranges(self):
        a, b = self.pair()
        _, mid = a.send(path(a, b), b"0123456789", sr="yes")
        frame = b.take_request("SEND", mid)
        for byte_range in ("1-3/10", "4-10/10", "1-10/*"):
            b.report(frame, 200, byte_range)
            self.assertEqual(a.take_request("REPORT", mid).get("Byte-Range"), byte_range)

    def test_R4975_10_report_is_never_answered(self):
        a, b = self.pair()
        dead = a.use_path[0].replace(a.use_path[0].split("/")[3].split(";")[0], "A" * 22)
        for to_path in (path(a, b), [dead, b.uri], a.use_path + [dead, b.uri]):
            a.request("REPORT", to_path, [("Message-ID", new_id()), ("Byte-Range", "1-1/1"), ("Status", "000 200 OK")])
        self.fence(a, b)
        self.assertEqual(list(a.frames), [])  # the peer itself fails on a response to a REPORT

    def test_T63_response_to_a_report_is_swallowed(self):
        a, b = self.pair()
        _, mid = a.send(path(a, b), b"x", sr="yes")
        b.report(b.take_request("SEND", mid))
        report = a.take_request("REPORT", mid)
        a.write(make_response(report))
        self.fence(a, b)

    # --- responses and failures --------------------------------------------------------------------------------

    def test_R4976_10_error_response_becomes_a_report(self):
        a, b = self.pair()
        for fr, code in ((None, 415), ("yes", 413), ("partial", 481), ("yes", 506), ("partial", 403), ("no", 415)):
            with self.subTest(code=code, fr=fr):
                b.auto = lambda frame, code=code: code
                tid, mid = a.send(path(a, b), b"56789", fr=fr, byte_range="6-10/10", flag="+")
                b.take_request("SEND", mid)
                if fr in (None, "yes"):
                    self.assertEqual(a.take_response(tid).code, 200)
                if fr != "no":
                    report = a.take_request("REPORT", mid)
                    self.assertEqual(status(report), code)
                    self.assertEqual(report.to_path, [a.uri])
                    self.assertTrue(report.from_path[0].startswith(self.server.uri()[:-4]), report)
                    self.assertEqual(report.byte_range[:2], (6, 10))
                b.auto = True
                self.fence(a, b)
                self.assertEqual(list(a.frames), [])

    def test_T73_response_with_the_whole_path_counts(self):
        a, b = self.pair()
        b.auto = False
        tid, mid = a.send(path(a, b), b"x")
        a.take_response(tid)
        frame = b.take_request("SEND", mid)
        b.write(f"MSRP {frame.tid} 415 No\r\nTo-Path: {' '.join(frame.from_path)}\r\nFrom-Path: {b.uri}\r\n"
                f"-------{frame.tid}$\r\n".encode())
        self.assertEqual(status(a.take_request("REPORT", mid)), 415)

    def test_R4976_11_response_to_nothing_is_dropped(self):
        a, b = self.pair()
        unknown = self.server.metric("parley_relay_unknown_responses_total")
        tid = new_id()
        a.write(f"MSRP {tid} 200 OK\r\nTo-Path: {a.use_path[0]}\r\nFrom-Path: {a.uri}\r\n-------{tid}$\r\n".encode())
        self.fence(a, b)
        self.server.wait_metric("parley_relay_unknown_responses_total", lambda v: v >= unknown + 1)

    def test_R4976_7_unknown_session_is_reported_481_unless_nobody_wants_to_know(self):
        a, b = self.pair()
        refused = self.server.metric("parley_relay_refused_total", reason="unknown_session")
        dead = b.use_path[0].replace(b.use_path[0].split("/")[3].split(";")[0], "A" * 22)
        for to_path in ([dead, b.uri], a.use_path + [dead, b.uri]):
            for fr in (None, "yes", "partial", "no"):
                with self.subTest(fr=fr, to_path=to_path):
                    _, mid = a.send(to_path, b"x", fr=fr)
                    if fr != "no":
                        report = a.take_request("REPORT", mid)
                        self.assertEqual(status(report), 481)
                        self.assertEqual(report.to_path, [a.uri])
                    self.fence(a, b)
                    self.assertEqual([f for f in a.frames if f.get("Message-ID") == mid], [])
        self.assertGreater(self.server.metric("parley_relay_refused_total", reason="unknown_session"), refused)

    def test_R4976_7_foreign_first_uri_drops_the_connection(self):
        b = self.user("bob")
        for first in ("msrp://other.example:2855/abc;tcp", f"msrp://127.0.0.1:1/{'A' * 22};tcp"):
            a = self.user("alice")
            refused = self.server.metric("parley_relay_refused_total", reason="foreign_uri")
            a.send([first] + path(a, b), b"x")
            a.wait_closed()
            self.assertEqual(self.server.metric("parley_relay_refused_total", reason="foreign_uri"), refused + 1)
        self.assertEqual(b.messages, {})

    def test_R4976_10_peer_gone_is_told_to_the_sender(self):
        a, b = self.pair()
        self.fence(a, b)
        b.close()
        _, mid = a.send(path(a, b), b"too late")
        self.assertIn(status(a.take_request("REPORT", mid)), (408, 481))

    def test_R4976_10_peer_that_vanishes_with_messages_unanswered(self):
        a, b = self.pair()
        b.auto = False
        sent = {a.send(path(a, b), b"%d" % i)[1] for i in range(5)}
        quiet = a.send(path(a, b), b"nobody asks", fr="no")[1]
        for mid in sent | {quiet}:
            b.take_request("SEND", mid)
        b.rst()
        reports = [a.take_request("REPORT") for _ in sent]
        self.assertEqual({r.get("Message-ID") for r in reports}, sent)
        self.assertLessEqual({status(r) for r in reports}, {408, 481})

    def test_R4976_10_caller_gone_is_told_to_the_owner(self):
        b, c = self.user("bob"), self.peer()
        tid, mid = c.send(path(c, b), b"x")
        c.take_response(tid)
        b.take_message(mid)
        c.close()
        self.server.wait_metric("parley_connections", lambda v: v == 1)
        _, mid = b.send(b.use_path + [c.uri], b"answer")
        self.assertIn(status(b.take_request("REPORT", mid)), (403, 408, 481))

    def test_R4975_7_source_that_dies_in_mid_chunk_ends_it_with_a_hash_sign(self):
        for how in ("rst", "close"):
            a, b = self.pair()
            tid, mid = new_id(), new_id()
            a.raw(f"MSRP {tid} SEND\r\nTo-Path: {' '.join(path(a, b))}\r\nFrom-Path: {a.uri}\r\nMessage-ID: {mid}\r\n"
                  f"Byte-Range: 1-*/100000\r\nContent-Type: text/plain\r\n\r\n".encode() + b"x" * 50000)
            b.wait(lambda: b.arriving and b.arriving[1] > 0 or b.frames, "the beginning of the chunk")
            getattr(a, how)()
            frame = b.take(lambda f: f.get("Message-ID") == mid and f.flag != "+", "the end of the chunk")
            self.assertEqual(frame.flag, "#")
            self.fence_self(b)
            b.close()

    def fence_self(self, b):
        c = self.peer()
        tid, mid = c.send(path(c, b), b"fence")
        c.take_response(tid)
        b.take_message(mid)
        c.close()

    # --- other methods -----------------------------------------------------------------------------------------

    def test_R4976_11_nickname_and_its_response_pass_through(self):
        a, b = self.pair()
        for method, code, comment in (("NICKNAME", 200, "OK"), ("NICKNAME", 425, "Nickname usage failed"),
                                      ("WHATEVER", 501, "Unknown method"), ("WHATEVER", 200, "OK")):
            with self.subTest(method, code=code):
                tid = a.request(method, path(a, b), [("Use-Nickname", '"Alice \u00e4"')])
                frame = b.take_request(method)
                self.assertEqual(frame.get("Use-Nickname"), '"Alice \u00e4"')
                self.assertEqual(frame.from_path, b.use_path + a.use_path + [a.uri])
                self.assertNotEqual(frame.tid, tid)
                b.respond(frame, code, comment, [("X-Reason", "just so")])
                answer = a.take_response(tid)
                self.assertEqual((answer.code, answer.comment), (code, comment))
                self.assertEqual(answer.get("X-Reason"), "just so")
                self.assertEqual(answer.to_path, [a.uri])
                self.assertEqual(answer.from_path, a.use_path + b.use_path + [b.uri])

    def test_R4976_11_unknown_method_with_a_body_and_from_outside(self):
        b, c = self.user("bob"), self.peer()
        tid = c.request("WHATEVER", path(c, b), [("Message-ID", new_id())], b"\x00\xff body", "application/x")
        frame = b.take_request("WHATEVER")
        self.assertEqual(frame.body, b"\x00\xff body")
        b.respond(frame, 200)
        self.assertEqual(c.take_response(tid).code, 200)

    def test_R4976_11_response_to_a_gone_caller_is_dropped(self):
        b, c = self.user("bob"), self.peer()
        c.request("NICKNAME", path(c, b), [("Use-Nickname", '"x"')])
        frame = b.take_request("NICKNAME")
        c.rst()
        self.server.wait_metric("parley_connections", lambda v: v == 1)
        b.respond(frame, 200)
        self.fence_self(b)

    def test_R4976_8_tids_of_two_senders_may_collide(self):
        a, b, c = self.user("alice"), self.user("bob"), self.user("carol")
        b.auto = False
        tid = new_id()
        a.send(path(a, b), b"from a", tid=tid)
        c.send(path(c, b), b"from c", tid=tid)
        frames = [b.take_request("SEND") for _ in range(2)]
        self.assertNotEqual(frames[0].tid, frames[1].tid)
        for frame in frames:
            b.respond(frame, 413 if frame.body == b"from a" else 200, "x")
        self.assertEqual(a.take_response(tid).code, 200)
        self.assertEqual(c.take_response(tid).code, 200)
        self.assertEqual(status(a.take_request("REPORT")), 413)
        self.fence(c, a)
        self.assertEqual(list(c.frames), [])


def status_of_report(case, b, c):
    """A success report from the owner b to a caller c without AUTH."""
    _, mid = c.send(path(c, b), b"confirm", sr="yes")
    b.report(b.take_request("SEND", mid))
    report = c.take_request("REPORT", mid)
    case.assertEqual(report.from_path, b.use_path + [b.uri])
    return status(report)


class Timeout(RelayCase):
    FLAGS = ("--msrp-response-timeout", "1s")

    def test_R4976_10_no_response_becomes_a_408_report(self):
        a, b = self.pair()
        b.auto = False
        quiet = [a.send(path(a, b), b"x", fr=fr)[1] for fr in ("partial", "no")]
        tid, mid = a.send(path(a, b), b"56789", byte_range="6-10/10")
        self.assertEqual(a.take_response(tid).code, 200)
        timeouts = self.server.metric("parley_relay_response_timeouts_total")
        report = a.take_request("REPORT", mid)
        self.assertEqual(status(report), 408)
        self.assertEqual(report.byte_range[:2], (6, 10))
        self.assertEqual(report.to_path, [a.uri])
        self.assertGreater(self.server.metric("parley_relay_response_timeouts_total"), timeouts)
        self.fence_back(b, a)
        self.assertEqual([f for f in a.frames if f.get("Message-ID") in quiet], [])

    def fence_back(self, b, a):
        tid, mid = b.send(path(b, a), b"fence")
        b.take_response(tid)
        a.take_message(mid)

    def test_R4976_10_late_response_changes_nothing(self):
        a, b = self.pair()
        b.auto = False
        _, mid = a.send(path(a, b), b"x")
        frame = b.take_request("SEND", mid)
        self.assertEqual(status(a.take_request("REPORT", mid)), 408)
        b.respond(frame, 415, "late")
        self.fence_back(b, a)
        self.assertEqual([f for f in a.frames if f.method == "REPORT"], [])

    def test_R4976_10_answered_in_time_is_not_reported(self):
        a, b = self.pair()
        mids = [a.send(path(a, b), b"x")[1] for _ in range(20)]
        for mid in mids:
            b.take_message(mid)
        self.server.wait_metric("parley_relay_transactions", lambda v: v == 0)
        self.fence(a, b)
        self.assertEqual([f for f in a.frames if f.method == "REPORT"], [])


class Shards(Relay):
    """The same with two shards: sender and receiver often live on different ones."""

    @classmethod
    def setUpClass(cls):
        from server import Parleyd
        cls.server = Parleyd(*cls.FLAGS, shards=2).start()


class OneShard(Relay):
    @classmethod
    def setUpClass(cls):
        from server import Parleyd
        cls.server = Parleyd(*cls.FLAGS, shards=1).start()


class ExplicitRanges(RelayCase):
    FLAGS = ("--explicit-ranges-for", "127.0.0.0/8", "--explicit-range-bytes", "4096")

    def test_T_60_every_chunk_says_its_length(self):
        a, b = self.pair()
        body = bytes(range(256)) * 400
        for byte_range, total in ((f"1-*/{len(body)}", str(len(body))), (None, None)):
            tid, mid = a.send(path(a, b), body, byte_range=byte_range)
            self.assertEqual(a.take_response(tid).code, 200)
            message = b.take_message(mid)
            self.assertEqual(message.body, body)
            at = 1
            for chunk in message.chunks:
                self.assertLessEqual(chunk.body_len, 4096)
                known = total or (str(len(body)) if chunk is message.chunks[-1] else "*")
                self.assertEqual(chunk.get("Byte-Range"), f"{at}-{at + chunk.body_len - 1}/{known}")
                at += chunk.body_len
            self.assertEqual(len(message.chunks), 25)


del Relay  # runs as OneShard and Shards


if __name__ == "__main__":
    unittest.main()
