#!/usr/bin/env python3
"""tests/layout/test_layout.py - the layout check says no where it should, and only there."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import layout


class LayoutTest(unittest.TestCase):
    def breaches(self, folder, text):
        return layout.check_text(folder, f"{folder}/x.cc", text)

    def assert_refused(self, folder, text):
        self.assertTrue(self.breaches(folder, text), f"{folder} may: {text}")

    def assert_allowed(self, folder, text):
        self.assertEqual(self.breaches(folder, text), [], f"{folder} may not: {text}")

    def test_arrows(self):
        allowed = {("core", "core"), ("sip", "core"), ("sip", "sip"), ("msrp", "core"), ("msrp", "msrp")}
        allowed |= {("policy", other) for other in ("core", "sip", "msrp", "policy")}
        allowed |= {("tools", other) for other in layout.ALLOWED}
        for folder in layout.ALLOWED:
            for other in layout.ALLOWED:
                text = f'#include "{other}/seam.h"\n'
                (self.assert_allowed if (folder, other) in allowed else self.assert_refused)(folder, text)

    def test_includes_cannot_hide(self):
        for text in ['#  include  "msrp/head.h"', '\t#include "msrp/head.h"', '/* a */\n#include "msrp/head.h"',
                     '#include "core/../msrp/head.h"', '#include "../msrp/head.h"', '#include "./x.h"',
                     'auto a = "/*";\n#include "msrp/head.h"\nauto b = "*/";', "char q = '\"';\n#include \"msrp/head.h\"",
                     'int n = 1\'000;\n#include "msrp/head.h"\nint m = 1\'000;', '#include "msrp/head.h" // "core/x.h"']:
            self.assert_refused("core", text)
        self.assert_refused("tools", '#include "tests/sim/world.h"')
        self.assert_refused("core", '#include "bench/x.h"')

    def test_two_types_of_one_name(self):
        one = "namespace parley::core {\n\nclass Table final : public Base {\n  struct Inner {\n};\n}  // namespace parley::core\n"
        for other in ("namespace parley::core {\nclass Table {\n", "namespace parley::core {\nstruct Table { int x; };\n",
                      "namespace parley {\nnamespace core {\nenum class Table : int {\n", "namespace parley::core {\nstruct Table\n{\n"):
            self.assertTrue(layout.check_types([("a.h", one), ("b.h", other)]), other)
        for other in ("namespace parley::sip {\nclass Table {\n", "namespace parley::core {\nclass Table;\n",
                      "namespace parley::core {\nnamespace {\nclass Table {\n", "namespace parley::core {\nstruct Table::Inner {\n",
                      "namespace parley::core {\nnamespace {\n}  // namespace\nstruct Inner {\n"):
            self.assertEqual(layout.check_types([("a.h", one), ("b.h", other)]), [], other)

    def test_a_mention_is_no_include(self):
        for text in ['// #include "msrp/head.h"', '/* \n#include "msrp/head.h"\n */', 'auto s = R"(\n#include "msrp/a.h"\n)";']:
            self.assert_allowed("core", text)

    def test_banned_above_the_seam(self):
        banned = ["std::thread t;", "std::mutex m;", "std::jthread t;", 'getenv("X")', "std::getenv(x)", "int i = rand();",
                  "std::rand ()", "srand(1);", "std::random_device d;", "std::mt19937_64 g;", "time(nullptr)",
                  "std::time(nullptr)", "time( NULL )", "std::chrono::steady_clock::now()", "Clock::now( )",
                  "std::unordered_map<int, int> m;", "std::unordered_set<int> s;", "::socket(1, 2, 3)", "::send(fd, p, n, 0)",
                  "::connect(fd, a, n)", "::read(fd, p, n)", "::epoll_wait(a, b, c, d)", "IORING_OP_SEND",
                  "io_uring_get_sqe(&r)", "clock_gettime(0, &t)", "#include <iostream>", "#include <thread>",
                  "#include <mutex>", "#include <sys/socket.h>", "#include <netinet/in.h>", "#include <unistd.h>",
                  "#include <liburing.h>", "#include <openssl/ssl.h>", '#include "core/loop.h"', '#include "core/entropy.h"',
                  '#include "core/log.h"']
        for text in banned:
            for folder in ("msrp", "sip", "policy"):
                self.assert_refused(folder, text + "\n")
            self.assert_allowed("core", text + "\n")
            self.assert_allowed("tools", text + "\n")

    def test_allowed_above_the_seam(self):
        for text in ["out.send(conn, slice);", "out_->connect(request);", "void Relay::send(int a) {", "Relay::close();",
                     "now.mono", "operand(3)", "brand(x)", "strand (x)", "random.uniform(3)", "runtime(nullptr)",
                     "// std::thread is forbidden here", 'const char* s = "std::mutex";', "#include <map>", "#include <chrono>",
                     "#include <arpa/inet.h>",
                     '#include "core/seam.h"', '#include "core/random.h"', '#include "core/session_table.h"',
                     "deadline(now.mono + 30s)", "table.lookup(key)", "bool known() const;", "x.rand(1)"]:
            self.assert_allowed("msrp", text + "\n")

    def test_cancel_by_descriptor_is_banned_everywhere(self):
        call = "io_uring_prep_cancel" + "_fd(sqe, fd, 0);"
        for folder in layout.EVERYWHERE:
            self.assert_refused(folder, call)
        self.assert_allowed("core", "io_uring_prep_cancel64(sqe, data, 0);")

    def test_lines_are_named(self):
        text = '// one\n/* two\nthree */\nauto s = "four";\nstd::mutex five;\n'
        self.assertEqual([breach.line for breach in self.breaches("msrp", text)], [5])

    def run_on(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                return layout.main(["layout.py", str(root)]), out.getvalue()

    def test_whole_trees(self):
        clean = {"core/a.h": "", "sip/s.cc": "", "msrp/b.cc": '#include "core/a.h"\n', "policy/c.cc": "",
                 "tools/parleyd/d.cc": ""}
        self.assertEqual(self.run_on(clean)[0], 0)
        status, text = self.run_on(clean | {"msrp/deep/e.rl": "%%{ }%%\nstd::mutex m;\n"})
        self.assertEqual(status, 1)
        self.assertIn("msrp/deep/e.rl:2: std::mutex", text)
        self.assertEqual(self.run_on(clean | {"core/f.h": '#include "policy/c.h"\n'})[0], 1)
        self.assertEqual(self.run_on({})[0], 1)
        del clean["msrp/b.cc"]
        self.assertEqual(self.run_on(clean)[0], 1)


if __name__ == "__main__":
    unittest.main()
