# tools/compare/tables.py - medians with their spread, tables, and goals met or missed.
import statistics


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def number(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cell(values):
    if not values:
        return "-"
    s = spread(values)
    return f"{number(s['median'])} [{number(s['min'])}..{number(s['max'])}] n={s['n']}"


def print_table(title, header, rows):
    rows = [header] + rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    print(f"\n{title}\n")
    for index, row in enumerate(rows):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def verdict(values, goal):
    if not values or goal is None:
        return "-"
    median = statistics.median(values)
    return "stretch" if median <= goal[1] else "met" if median <= goal[0] else f"missed by {100 * (median / goal[0] - 1):.0f} %"
