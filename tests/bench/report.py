#!/usr/bin/env python3
"""Make a table, and JSON, of measurements.

    report.py MEASUREMENTS [JSON]

MEASUREMENTS has lines `row<TAB>system<TAB>value`, one for each time that a thing was measured. What
is shown is the median; a ratio is that of the medians, pagefs : the other. The goals are here.
"""

import json
import statistics
import sys

# name, text, unit, goal: ("ratio", at least, against ext4) or ("max", at most) or None
ROWS = [
    ("init", "pgbench -i", "rows/s", ("ratio", 0.9)),
    ("tpcb-1", "TPC-B, 1 client", "tps", ("ratio", 0.9)),
    ("tpcb-1-fpw", "  full_page_writes on everywhere", "tps", ("ratio", 0.9)),
    ("tpcb-8", "TPC-B, 8 clients", "tps", ("ratio", 1.0)),
    ("tpcb-8-fpw", "  full_page_writes on everywhere", "tps", ("ratio", 1.0)),
    ("tpcb-8-bytes", "Bytes to disk, TPC-B, 8 clients", "B/transaction", None),
    ("tpcb-8-fpw-bytes", "  full_page_writes on everywhere", "B/transaction", None),
    ("select", "Select only, 8 clients", "tps", ("ratio", 0.95)),
    ("randread", "8 KiB reads, random", "1/s", None),
    ("seqread", "8 KiB reads, sequential", "1/s", None),
    ("randwrite", "8 KiB writes, random", "1/s", None),
    ("seqwrite", "8 KiB writes, sequential", "1/s", None),
    ("randwrite-fsync", "8 KiB writes + fsync, random", "1/s", None),
    ("seqwrite-fsync", "8 KiB writes + fsync, sequential", "1/s", None),
    ("create", "Small files: create", "1/s", ("ratio", 0.5)),
    ("stat", "Small files: stat", "1/s", ("ratio", 0.5)),
    ("rename", "Small files: rename", "1/s", ("ratio", 0.5)),
    ("unlink", "Small files: unlink", "1/s", ("ratio", 0.5)),
    ("recovery", "Mount after a crash, 1 GiB journaled", "s", ("max", 3)),
    ("memory", "Peak memory, a big database written", "MiB", ("max", 300)),
]
SYSTEMS = ["pagefs", "ext4", "xfs", "btrfs"]


def read(path):
    """Values by row, then by system."""
    values = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            row, system, value = line.rstrip("\n").split("\t")
            values.setdefault(row, {}).setdefault(system, []).append(float(value))
    return values


def judge(goal, medians, ratios):
    """The goal in words, and whether it is met (None if it can't be told)."""
    if goal is None:
        return "", None
    kind, limit = goal
    if kind == "ratio":
        return f">= {limit:.2f} x ext4", ratios["ext4"] >= limit if "ext4" in ratios else None
    return f"< {limit}", medians["pagefs"] < limit if "pagefs" in medians else None


def number(value):
    """Three digits and more, without noise."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def summarize(values):
    """What the table and the JSON say, row by row."""
    for name, text, unit, goal in ROWS:
        if name not in values:
            continue
        medians = {s: statistics.median(v) for s, v in values[name].items()}
        ratios = {
            s: medians["pagefs"] / m
            for s, m in medians.items()
            if s != "pagefs" and "pagefs" in medians and m > 0
        }
        words, met = judge(goal, medians, ratios)
        yield {
            "name": name,
            "text": text,
            "unit": unit,
            "median": medians,
            "ratio": ratios,
            "goal": words,
            "met": met,
            "all": values[name],
        }


def table(rows):
    """Aligned lines."""
    systems = [s for s in SYSTEMS if any(s in r["median"] for r in rows)]
    others = [s for s in systems if s != "pagefs"]
    cells = [["measured", "unit", *systems, *[f"p:{s}" for s in others], "goal", ""]]
    for r in rows:
        cells.append(
            [r["text"], r["unit"]]
            + [number(r["median"][s]) if s in r["median"] else "" for s in systems]
            + [f"{r['ratio'][s]:.2f}" if s in r["ratio"] else "" for s in others]
            + [r["goal"], {True: "met", False: "MISSED", None: ""}[r["met"]]]
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    numeric = range(2, 2 + len(systems) + len(others))
    for line in cells:
        padded = [
            cell.rjust(width) if i in numeric else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths))
        ]
        print("  ".join(padded).rstrip())


def main():
    rows = list(summarize(read(sys.argv[1])))
    table(rows)
    missed = sum(r["met"] is False for r in rows)
    met = sum(r["met"] is True for r in rows)
    print(f"\nGoals: {met} met, {missed} missed.")
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="ascii") as out:
            json.dump(rows, out, indent=1)
            out.write("\n")


main()
