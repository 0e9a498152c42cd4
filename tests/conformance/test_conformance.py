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

    def test_ids_are_found_in_comments_and_test_names(self):
        self.write("msrp/a.h", "// R4975-11 is here\n")
        self.write("tests/t.py", "def test_R4975_1_and_R4975_11(self): pass\n")
        self.assertEqual(self.run_tool().returncode, 0)
        self.assertIn("| R4975-1 | both | one | not yet | `tests/t.py` |", self.page())
        self.assertIn("| R4975-11 | both | eleven | `msrp/a.h` | `tests/t.py` |", self.page())
        self.assertIn("R4975-1\n", self.run_tool("--check").stdout)

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
