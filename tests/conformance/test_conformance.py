"""The generator finds ids, calls a page out of date, and takes T-16 for no trap of ours."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "conformance")


class Conformance(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory()
        for folder in ("core", "msrp", "policy", "docs", "tests/conformance"):
            os.makedirs(os.path.join(self.root.name, folder))
        self.write("tests/conformance/ids.tsv", "R4975-1\tboth\tone\nR4975-11\tboth\televen\nT-57\tendpoint\ttrap\n")

    def tearDown(self):
        self.root.cleanup()

    def write(self, name, text):
        with open(os.path.join(self.root.name, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run_tool(self, *flags):
        return subprocess.run([sys.executable, TOOL, "--root", self.root.name, *flags], capture_output=True, text=True)

    def page(self):
        with open(os.path.join(self.root.name, "docs/conformance.md"), encoding="utf-8") as file:
            return file.read()

    def test_ids_of_the_im_service_with_their_parts(self):
        self.write("tests/conformance/ids.tsv", "OMA-SET-1\tim\tone\nDEC-16\tim\tdecided\n")
        self.write("policy/a.h", "// OMA-SET-1 and OMA-SET-10, DEC-16\n")
        self.write("tests/a_test.cc", "TEST(A, OMA_SET_1_works) TEST(A, DEC_16_too)\n")
        self.run_tool()
        self.assertIn("| OMA-SET-1 | im | one | `policy/a.h` | `tests/a_test.cc` |", self.page())
        self.assertIn("| DEC-16 | im | decided | `policy/a.h` | `tests/a_test.cc` |", self.page())

    def test_the_longest_id_counts_and_lists_name_several(self):
        names = ["SEED4-6.1.1-1", "SEED4-6.1.1.1-1", "SEED4-6.1.1.1-1w", "OMA-SES-1", "OMA-SES-2", "OMA-SES-3", "OMA-SES-5", "OMA-SES-9"]
        self.write("tests/conformance/ids.tsv", "".join(f"{name}\tim\t{name} text\n" for name in names))
        self.write("policy/a.h", "// OMA-SES-1 to -3, -5 and DEC-9; SEED4-6.1.1.1-1w\n")
        self.write("tests/a_test.cc", "TEST(A, SEED4_6_1_1_1_1_is_no_SEED4_6_1_1)\n")
        self.run_tool()
        found = [line.split(" | ")[0][2:] for line in self.page().splitlines() if "`policy/a.h`" in line]
        self.assertEqual(found, ["SEED4-6.1.1.1-1w", "OMA-SES-1", "OMA-SES-2", "OMA-SES-3", "OMA-SES-5"])
        self.assertEqual([line[2:19] for line in self.page().splitlines() if "`tests/a_test.cc`" in line], ["SEED4-6.1.1.1-1 |"])

    def test_lists_go_on_in_the_next_line_and_numbers_keep_their_zeros(self):
        names = ["SMM-S-025", "SMM-S-026", "SMM-S-028", "SEED4-6.1-1", "SEED4-6.1-2b", "SEED4-6.1-9"]
        self.write("tests/conformance/ids.tsv", "".join(f"{name}\tim\ttext\n" for name in names))
        self.write("policy/a.h", "// SMM-S-025 to -028 (SEED4-6.1-1,\n// -2b).\n// -9 is no part of it\n")
        self.run_tool()
        found = [line.split(" | ")[0][2:] for line in self.page().splitlines() if "`policy/a.h`" in line]
        self.assertEqual(found, names[:5])

    def test_ids_are_found_in_comments_and_test_names(self):
        self.write("msrp/a.h", "// R4975-11 is here\n")
        self.write("tests/t.py", "def test_R4975_1_and_R4975_11(self): pass\n")
        self.assertEqual(self.run_tool().returncode, 0)
        self.assertIn("| R4975-1 | both | one | not yet | `tests/t.py` |", self.page())
        self.assertIn("| R4975-11 | both | eleven | `msrp/a.h` | `tests/t.py` |", self.page())
        self.assertIn("R4975-1\n", self.run_tool("--check").stdout)

    def test_a_reason_stands_where_nothing_does_and_must_go_when_something_does(self):
        self.write("tests/conformance/ids.tsv", "R4975-1\tboth\tone\tnobody asked\n")
        self.assertEqual(self.run_tool().returncode, 0)
        self.assertIn("| R4975-1 | both | one | nobody asked | nobody asked |", self.page())
        self.assertIn("nothing", self.run_tool().stdout)
        self.write("msrp/a.h", "// R4975-1\n")
        self.write("tests/t.py", "def test_R4975_1(self): pass\n")
        self.assertNotEqual(self.run_tool().returncode, 0)

    def test_a_stale_page_fails(self):
        self.run_tool()
        self.assertEqual(self.run_tool("--check").returncode, 0)
        self.write("core/b.cc", "// T-57\n")
        self.assertNotEqual(self.run_tool("--check").returncode, 0)

    def test_a_missing_page_fails(self):
        self.assertNotEqual(self.run_tool("--check").returncode, 0)

    def test_a_bad_list_fails(self):
        self.write("tests/conformance/ids.tsv", "R4975-1\tsomebody\tone\n")
        self.assertNotEqual(self.run_tool().returncode, 0)


if __name__ == "__main__":
    unittest.main()
