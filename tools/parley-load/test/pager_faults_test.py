#!/usr/bin/python3
# tools/parley-load/test/pager_faults_test.py - `parley-load pager` against a small server that also sends to lists and to a group:
# planted faults must be found and named, and without one the run must be clean.
import json
import re
import subprocess
import unittest

from sip_faults_test import PARLEY_LOAD, Server, at, header

USERS, LIST, MEMBERS = 8, 3, 4


class Exploder(Server):
    """What comes for the factory or the group is answered 202 and goes to each as a request of its own. `copies` gets the copies of
    the nth such message, as texts, and returns those to send."""

    def __init__(self, transport, fault=None, challenge=(), copies=None, code="202 Accepted"):
        self.copies = copies or (lambda number, texts: texts)
        self.code = code
        self.several = -1
        super().__init__(transport, fault, challenge)

    def take(self, peer, text):
        found = re.match(r"MESSAGE sip:(conference-factory|team)@", text)
        if not found:
            return super().take(peer, text)
        if not self.logged_in(peer, text, "MESSAGE"):
            return None
        self.several += 1
        self.reply(peer, text, self.code)
        body = text[text.index("\r\n\r\n") + 4:]
        sender = re.search(r"sip:(\w+)@", header(text, "From")).group(1)
        kind = header(text, "Content-Type")
        users = [f"u{i}" for i in range(MEMBERS)]
        if found.group(1) == "conference-factory":
            assert header(text, "Require") == "recipient-list-message", text
            _, listed, message, end = body.split("--" + re.search("boundary=(.*)", kind).group(1))
            assert end == "--\r\n", body
            users = re.findall(r'<entry uri="sip:(\w+)@example.org"/>', listed)
            assert len(users) == LIST and sender not in users, users
            kind, body = re.fullmatch(r"\r\nContent-Type: ([^\r]*)\r\n\r\n(.*)\r\n", message, re.DOTALL).groups()
        users = [user for user in users if user != sender]
        texts = []
        for place, user in enumerate(users):
            branch = f"z9hG4bKcopy{self.several}x{place}"
            self.origin[branch] = None
            texts.append("\r\n".join([f"MESSAGE {self.location[user][1]} SIP/2.0", f"Via: SIP/2.0/X 127.0.0.1:{self.port};branch={branch}",
                                      f"From: {header(text, 'From')}", f"To: <sip:{user}@example.org>", f"Call-ID: {branch}",
                                      "CSeq: 1 MESSAGE", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "", body]))
        for out in self.copies(self.several, texts):
            self.send(self.location[re.search(r"sip:(\w+)@", out).group(1)][0], out)
        return None

    def send(self, peer, text):
        if peer is not None:  # an answer to a copy is for the server itself
            super().send(peer, text)


def nth(number, change):
    return lambda count, texts: change(texts) if count == number else texts


class PagerFaults(unittest.TestCase):
    def load(self, *flags, transport="tcp", shares=(30, 30), rate=("--rate", "300"), **planted):
        server = Exploder(transport, **planted)
        try:
            done = subprocess.run(
                [PARLEY_LOAD, "pager", "--server", f"127.0.0.1:{server.port}", "--transport", transport, "--domain", "example.org",
                 "--users", str(USERS), "--list", str(LIST), "--list-share", str(shares[0]), "--group", "sip:team@example.org", "--group-members",
                 str(MEMBERS), "--group-share", str(shares[1]), "--duration", "0.5", "--warmup", "0", "--drain", "2", "--setup-timeout", "10",
                 "--timeout", "1", "--no-progress", "--json", "-", *rate, *flags], capture_output=True, text=True, timeout=60, check=False)
        finally:
            server.stop()
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def clean(self, *flags, **how):
        status, result = self.load(*flags, **how)
        self.assertEqual((status, result["failures"]), (0, []), result)
        total = result["total"]
        self.assertEqual(total["begun"], total["finished"], result)
        several = total["to_lists"] * LIST + total["to_groups"] * (MEMBERS - 1)
        self.assertEqual(total["deliveries"], total["begun"] - total["to_lists"] - total["to_groups"] + several)
        self.assertGreater(total["to_lists"], 10)
        self.assertGreater(total["to_groups"], 5)
        self.assertEqual(total["stray"], 0, result)
        return total

    def found(self, counter, *flags, **how):
        status, result = self.load(*flags, **how)
        self.assertEqual(status, 1, result)
        self.assertGreater(result["total"][counter], 0, result)
        return result

    def test_without_a_fault_every_load_is_clean(self):
        for transport in ("udp", "tcp", "ws"):
            for flags in ((), ("--cpim",)):
                with self.subTest(transport=transport, flags=flags):
                    self.clean(*flags, transport=transport)
        self.clean(rate=("--window", "4"))
        self.assertGreater(self.clean(challenge=("MESSAGE",))["challenged"], 0)

    def test_a_copy_that_never_comes_is_missing(self):
        result = self.found("missing", copies=nth(2, lambda texts: texts[1:]))
        self.assertEqual((result["total"]["missing"], result["total"]["lost"]), (1, 1))

    def test_a_second_copy_is_found_also_when_the_message_is_over(self):
        again = lambda texts: [*texts, *(text.replace("z9hG4bKcopy", "z9hG4bKother") for text in texts[-1:])]
        for transport in ("udp", "tcp"):
            self.found("duplicated", copies=nth(2, again), transport=transport)

    def test_the_same_datagram_again_is_a_repetition(self):
        self.assertGreater(self.clean(copies=nth(2, lambda texts: texts * 2), transport="udp")["repeated"], 0)

    def test_a_copy_for_somebody_else_is_corruption(self):
        def other(texts):
            there = re.search(r"sip:(\w+)@", texts[0]).group(1)
            mine = {re.search(r"sip:(\w+)@", text).group(1) for text in texts}
            target = next(f"u{i}" for i in range(USERS) if f"u{i}" not in mine)
            return [texts[0].replace(there, target), *texts[1:]]
        self.found("corrupted", copies=nth(2, other))

    def test_a_changed_byte_is_corruption(self):
        def flip(texts):
            return [texts[0][:-20] + chr(ord(texts[0][-20]) ^ 1) + texts[0][-19:], *texts[1:]]
        self.found("corrupted", copies=nth(2, flip))
        self.found("corrupted", "--cpim", copies=nth(2, flip))

    def test_one_behind_a_later_one_is_told(self):
        held = []

        def swap(kind, text, count):
            if kind != "MESSAGE" or "Call-ID: z9hG4bKcopy" in text:
                return [text]
            held.append(text)
            if len(held) == 1:
                return []
            return [text, held[0]] if len(held) == 2 else [text]
        alone = {"fault": swap, "shares": (0, 0), "rate": ("--pairs", "1", "--window", "2")}
        self.found("out_of_order", **alone)
        held.clear()
        status, result = self.load(**alone, transport="udp")
        self.assertEqual((status, result["total"]["out_of_order"]), (0, 1), result)  # UDP keeps no order

    def test_copies_out_of_order_are_told_and_judged_when_asked(self):
        held = []

        def swap(number, texts):
            held.append(texts)
            return [] if number == 0 else [*texts, *held[0]] if number == 1 else texts
        alone = {"copies": swap, "shares": (0, 100), "rate": ("--pairs", "1", "--window", "2")}
        status, result = self.load(**alone)
        self.assertEqual((status, result["total"]["copies_out_of_order"]), (0, MEMBERS - 1), result)
        held.clear()
        self.found("copies_out_of_order", "--copies-in-order", **alone)

    def test_another_status_than_fits_is_told(self):
        self.found("odd_answers", code="200 OK")
        self.found("odd_answers", fault=at("200 MESSAGE", 2, lambda text: [text.replace("200 OK", "202 Accepted")]))

    def test_a_refusal_is_counted_by_status(self):
        self.assertEqual(set(self.found("refused", code="403 Forbidden")["refusals"]), {"403"})

    def test_what_can_not_be_is_refused_at_the_start(self):
        good = {"--users": "8", "--list": "3", "--group": "sip:a@b", "--group-members": "4", "--group-share": "30"}
        for flag, value in (("--list", "8"), ("--size", "20"), ("--group-members", "9"), ("--group-members", "0"), ("--list-share", "80"),
                            ("--threads", "2"), ("--size", "50000"), ("--domain", "x" * 5000)):
            asked = [word for pair in {**good, flag: value}.items() for word in pair]
            done = subprocess.run([PARLEY_LOAD, "pager", "--server", "127.0.0.1:1", *asked], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, "--(list|size|group|group-members|group-share): ", flag)



if __name__ == "__main__":
    unittest.main()
