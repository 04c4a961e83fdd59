"""Run all measurements: `python -m bench [engine|steps|memory|checkpoint|rnn|kernels|leaks]`."""

import importlib
import os
import sys

NAMES = ("engine", "steps", "memory", "checkpoint", "rnn", "kernels", "leaks")


def main():
    chosen = sys.argv[1:] or NAMES
    unknown = set(chosen) - set(NAMES)
    if unknown:
        sys.exit(
            f"unknown measurement {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}"
        )
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for name in chosen:
        print(f"\n== {name}", flush=True)
        module = importlib.import_module(f"bench.{name}")
        module.main(list(module.CALLS)) if name == "steps" else module.main()


if __name__ == "__main__":
    main()
