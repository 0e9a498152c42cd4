#!/usr/bin/env python3
"""Chooses inputs for the tree: those that cover most, the smallest first where they cover the same, and at most so many.

    choose.py CONTROL FOLDER [MOST]

CONTROL is what libFuzzer's -merge_control_file holds after -set_cover_merge=1; the inputs are copied to FOLDER, which is made.
"""
import hashlib
import os
import sys


def read(control):
    with open(control) as lines:
        count = int(next(lines))
        next(lines)  # how many of them are in the first corpus
        paths = [next(lines).rstrip("\n") for _ in range(count)]
        covers = {}
        for line in lines:
            kind, index, *features = line.split()
            if kind == "FT":
                covers[paths[int(index)]] = set(features)
    return covers


def choose(covers, most):
    """Greedy: what a path adds only shrinks, so the best of last time is looked at first and often still is."""
    left = sorted(((len(features), -os.path.getsize(path), path) for path, features in covers.items()), reverse=True)
    covered = set()
    while left and most:
        best = None
        for position, (bound, size, path) in enumerate(left):
            if best and bound < best[0]:
                break
            adds = len(covers[path] - covered)
            left[position] = (adds, size, path)
            if best is None or (adds, size) > best[:2]:
                best = (adds, size, path)
        if not best[0]:
            return
        covered |= covers[best[2]]
        left = sorted((entry for entry in left if entry[0] and entry[2] != best[2]), reverse=True)
        most -= 1
        yield best[2]


def main():
    control, folder = sys.argv[1:3]
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 250
    os.makedirs(folder, exist_ok=True)
    files = size = 0
    for path in choose(read(control), most):
        with open(path, "rb") as source:
            data = source.read()
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()[:16]), "wb") as out:
            out.write(data)
        files += 1
        size += len(data)
    print(f"{files} inputs, {size} bytes")


main()
