#!/usr/bin/env python3
"""Checks the tables of requirements: `| ID | requirement | state | test |` in each CONFORMANCE.md.

A row that is done names tests in backticks, and each of them exists; a row that is n/a or missing says why or names
nothing; no ID stands twice.
"""

import re
import subprocess
import sys
from pathlib import Path

ROW = re.compile(r"^\|\s*([A-Z]{2,5}-\d{3}[a-z]?)\s*\|(.*)\|\s*$")
NAME = re.compile(r"`([^`]+)`")


def files(*patterns):
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], check=True, capture_output=True, text=True)
    return [Path(name) for name in listed.stdout.split("\0") if name]


def main():
    tests = set()
    for source in files("*.rs", "interop/*.py"):
        tests.update(re.findall(r"\b(?:fn|def)\s+(\w+)", source.read_text()))
    faults, seen, states = [], {}, {}
    tables = files("CONFORMANCE.md", "*/CONFORMANCE.md")
    for table in tables:
        for number, line in enumerate(table.read_text().splitlines(), 1):
            row = ROW.match(line)
            if not row:
                continue
            where = f"{table}:{number}: {row[1]}"
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row[2])]
            if len(cells) != 3:
                faults.append(f"{where}: {len(cells) + 1} cells instead of 4")
                continue
            if row[1] in seen:
                faults.append(f"{where}: stands already at {seen[row[1]]}")
            seen[row[1]] = f"{table}:{number}"
            _, state, test = cells
            states[state] = states.get(state, 0) + 1
            if state not in ("done", "n/a", "missing"):
                faults.append(f"{where}: {state!r} is no state")
            if state == "done":
                names = NAME.findall(test)
                if not names:
                    faults.append(f"{where}: done, but shown by no test")
                faults.extend(f"{where}: there is no test {name}" for name in names if name not in tests)
    if not tables:
        faults.append("there is no table")
    print(f"{len(seen)} rows in {len(tables)} tables: {states}")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
