#!/usr/bin/env python3
"""The lake beside DuckDB and chDB, on the same generated services, in one run.

    python3 benches/lake/run.py --services 10000000                 # everything: generate, load, ask, table
    python3 benches/lake/run.py --services 10000000 --steps generate    # the rows beforehand
    python3 benches/lake/run.py --services 10000000 --fresh hinomi      # Hinomi anew, the others as they are
    python3 benches/lake/run.py --services 100000000 --weeks 0 --parts 80 --disk-free-gb 15
    python3 benches/lake/run.py --services 10000000 --steps table       # prints once more what was measured

Builds `benches/lake` for release and makes a Python environment with the two engines under $CARGO_TARGET_DIR (or ~/.cache).
What is made stays under --out, /tmp/lakebench/SERVICES by default; a step that is done is not done again.

Hinomi is asked through its library in a process that stays, as the other two are. Warm: the engines take turns; median of
nine runs of each of three parameters, shown is the median of the three. Cold: a new process each, opened, then the page
cache dropped (root) or the files' pages dropped one by one, then one question. Answers are compared before anything is
shown; where they differ the run fails. With --parts the others are loaded with rows that are sorted already, in parts that
are deleted at once, so that a hundred million fit on the disk.
"""

import argparse
import glob
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUESTIONS = {
    "address": "one address",
    "prefix": "a /20",
    "word": "word in text and port, newest 100",
    "facet": "20 commonest products of a country",
    "distinct": "distinct addresses by port, 20 first",
    "history": "history of one address",
    "substring": "letters anywhere in the text",
}
ENGINES = ["hinomi", "duckdb", "chdb"]
WARM_RUNS = 9
PARAMETERS = 3


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=200_000)
    parser.add_argument("--weeks", type=int, default=3, help="weeks of seeing them again, after the first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evidence", choices=["full", "banner"], default="full", help="with certificates and keys or not")
    parser.add_argument("--rules", choices=["real", "plain"], default="real")
    parser.add_argument("--batch", type=int, default=100_000, help="sightings told to Hinomi at once")
    parser.add_argument("--parts", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--disk-free-gb", type=int, default=15, help="stop before less is free")
    parser.add_argument("--steps", default="generate,load,ask,table")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--fresh", default="", help="engines whose stored data is deleted first")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.out = asked.out or Path("/tmp/lakebench") / str(asked.services)
    asked.engines, asked.steps = asked.engines.split(","), asked.steps.split(",")
    if asked.parts and asked.weeks:
        parser.error("--parts goes with --weeks 0")
    return asked


def target():
    return Path(os.environ.get("CARGO_TARGET_DIR", Path.home() / ".cache/hinomi-bench"))


def build():
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target()))
    subprocess.run(["cargo", "build", "--release", "--quiet", "--locked"], cwd=HERE, env=environment, check=True)
    return target() / "release/hinomi-bench-lake"


def python():
    home = target() / "tools/lakebench"
    if not (home / "bin/python").exists():
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", "duckdb==2.0.0", "chdb==4.4.0"], check=True)
    return home / "bin/python"


class Bench:
    def __init__(self, asked):
        self.asked, self.out = asked, asked.out
        self.program, self.python = build(), python()
        (self.out / "results").mkdir(parents=True, exist_ok=True)

    # -- results -----------------------------------------------------------------------------------------------------

    def keep(self, name, value):
        (self.out / "results" / f"{name}.json").write_text(json.dumps(value, indent=1))

    def kept(self, name):
        path = self.out / "results" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    # -- making ------------------------------------------------------------------------------------------------------

    def hinomi(self, verb, *words, **options):
        same = ["--seed", self.asked.seed, "--evidence", self.asked.evidence, "--rules", self.asked.rules,
                "--services", self.asked.services]
        return subprocess.Popen([str(word) for word in [self.program, verb, *words, *same]], text=True, **options)

    def made(self, *words):
        child = self.hinomi(*words, stdout=subprocess.PIPE)
        output, _ = child.communicate()
        if child.returncode:
            sys.exit(f"{words} failed")
        return output

    def generate(self):
        if self.kept("parameters"):
            return
        self.check_room()
        rows = "false" if self.asked.parts else "true"
        told = json.loads(self.made("generate", "--weeks", self.asked.weeks, "--out", self.out, "--rows", rows))
        self.keep("parameters", told)

    def check_room(self):
        free = shutil.disk_usage(self.out).free / 1e9
        if free < self.asked.disk_free_gb:
            sys.exit(f"only {free:.0f} GB are free below {self.out}; --disk-free-gb asks for {self.asked.disk_free_gb}")

    # -- loading -----------------------------------------------------------------------------------------------------

    def load(self, engine):
        folder = self.out / engine
        if engine in self.asked.fresh.split(","):
            shutil.rmtree(folder, ignore_errors=True)
            (self.out / "results" / f"load-{engine}.json").unlink(missing_ok=True)
        if self.kept(f"load-{engine}"):
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"loading {engine}", file=sys.stderr, flush=True)
        told = self.load_hinomi(folder) if engine == "hinomi" else self.load_peer(engine, folder)
        self.keep(f"load-{engine}", told)

    def load_hinomi(self, folder):
        shutil.copy(self.out / "places.csv", folder / "places.csv")
        weeks = []
        for week in range(self.asked.weeks + 1):
            self.check_room()
            told = self.made("ingest", "--week", week, "--state", folder, "--batch", self.asked.batch)
            weeks.append(json.loads(told))
            print(told.strip(), file=sys.stderr, flush=True)
        compacted = json.loads(self.made("compact", "--state", folder))
        print(json.dumps(compacted), file=sys.stderr, flush=True)
        size = lambda path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        shelves = {name: size(folder / "tables" / name) for name in ("sightings", "evidence", "facts")}
        return {"weeks": weeks, "compacted": compacted, "sizes": {**shelves, "index": size(folder / "index"), "all": size(folder)}}

    def load_peer(self, engine, folder):
        child = self.start(engine, "load")
        told = {"seconds": 0.0}
        for files in self.files():
            self.check_room()
            more = ask(child, {"files": files})
            more["seconds"] += told["seconds"]
            told = more
            for part in files:
                if part.get("delete"):
                    [os.unlink(path) for path in part["paths"]]
        child.stdin.close()
        child.wait()
        looks = self.kept("parameters")["services"] * (self.asked.weeks + 1)
        own = self.kept("parameters")["services"] if self.asked.weeks else 0
        told["rows"], told["rate"] = looks + own, round((looks + own) / told["seconds"])
        return told

    def files(self):
        """What the peers load, step by step; `current` is the last week."""
        if self.asked.parts:
            for part in range(self.asked.parts):
                self.made("generate", "--weeks", 0, "--out", self.out, "--by-address", "true", "--part", part, "--parts",
                          self.asked.parts)
                last = part + 1 == self.asked.parts
                paths = [str(self.out / f"rows/part-{part:04}.parquet")]
                yield [{"table": "current", "paths": paths, "first": part == 0, "sorted": True, "delete": True, "more": not last}]
            return
        weeks = sorted(glob.glob(str(self.out / "rows/week-*.parquet")))
        tables = [{"table": "current", "paths": weeks[-1:], "first": True}]
        if len(weeks) > 1:
            tables.append({"table": "looks", "paths": weeks, "first": True})
        yield tables

    # -- asking ------------------------------------------------------------------------------------------------------

    def start(self, engine, what="ask"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        if engine == "hinomi":
            return self.hinomi("ask", "--state", self.out / engine, **pipes)
        words = [self.python, HERE / "peers.py", engine, self.out / engine, what, self.asked.threads]
        return subprocess.Popen([str(word) for word in words], text=True, **pipes)

    def ask_all(self):
        parameters, results = self.kept("parameters"), {}
        children = {engine: self.start(engine) for engine in self.asked.engines}
        opened = {"question": "open", "parameter": ""}
        [ask(child, opened) for child in children.values()]
        for question in QUESTIONS:
            results[question] = self.ask_warm(children, question, parameters[question])
            print(question, {name: results[question][name].get("warm_ms") for name in children}, file=sys.stderr, flush=True)
        memory = {engine: ask(child, opened)["peak_memory_mb"] for engine, child in children.items()}
        for child in children.values():
            child.stdin.close()
            child.wait()
        for question in QUESTIONS:
            self.ask_cold(results[question], question, parameters[question])
        self.keep("ask", {"questions": results, "memory_mb": memory})

    def ask_warm(self, children, question, parameters):
        medians, answers = {engine: [] for engine in children}, {engine: [] for engine in children}
        for parameter in parameters[:PARAMETERS]:
            line = {"question": question, "parameter": parameter}
            for engine, child in children.items():
                answers[engine].append(ask(child, line)["answer"])
            runs = {engine: [] for engine in children}
            for _ in range(WARM_RUNS):
                for engine, child in children.items():
                    runs[engine].append(ask(child, line)["seconds"] * 1e3)
            for engine in children:
                medians[engine].append(statistics.median(runs[engine]))
        return self.compare(question, answers, medians)

    def compare(self, question, answers, medians):
        told, found = {}, []
        for engine, answer in answers.items():
            error = next((one["error"] for one in answer if isinstance(one, dict)), None)
            told[engine] = {"error": error} if error else {"warm_ms": statistics.median(medians[engine]),
                                                           "warm_ms_each": medians[engine]}
            if not error:
                found.append((engine, answer))
        for engine, answer in found[1:]:
            if answer != found[0][1]:
                sys.exit(f"{question}: {engine} says {str(answer)[:400]}\nand {found[0][0]} {str(found[0][1])[:400]}")
        told["answer"] = str(found[0][1])[:200] if found else ""
        return told

    def ask_cold(self, told, question, parameters):
        for engine in self.asked.engines:
            if "error" in told[engine]:
                continue
            times = []
            for parameter in parameters[:PARAMETERS]:
                child = self.start(engine)
                ask(child, {"question": "open", "parameter": ""})
                drop_caches(self.out / engine)
                times.append(ask(child, {"question": question, "parameter": parameter})["seconds"] * 1e3)
                child.stdin.close()
                child.wait()
            told[engine]["cold_ms"] = statistics.median(times)

    # -- telling -----------------------------------------------------------------------------------------------------

    def table(self):
        asked, parameters = self.kept("ask"), self.kept("parameters")
        print(f"{parameters['services']:,} services on {parameters['hosts']:,} hosts, {parameters['weeks']} weeks of seeing "
              f"them again, evidence {self.asked.evidence}, rules {self.asked.rules}; {os.cpu_count()} cores, "
              f"{platform.processor() or platform.machine()}, Linux {platform.release()}\n")
        print("| milliseconds, warm / cold | Hinomi | DuckDB | chDB | best other to Hinomi, warm / cold |")
        print("|---|---|---|---|---|")
        for question, label in QUESTIONS.items():
            one = asked["questions"][question]
            cells = [f"{ms(one, name, 'warm_ms')} / {ms(one, name, 'cold_ms')}" for name in ENGINES]
            ratio = f"{best(one, 'warm_ms')} / {best(one, 'cold_ms')}"
            print(f"| {label} | {' | '.join(cells)} | {ratio} |")
        self.table_of_loading(asked["memory_mb"])
        self.table_of_growth(parameters)

    def table_of_loading(self, memory):
        loads = {name: self.kept(f"load-{name}") for name in ENGINES}
        hinomi = loads["hinomi"]
        print("\n| | Hinomi | DuckDB | chDB |\n|---|---|---|---|")
        weeks = hinomi["weeks"]
        again = weeks[1:] or [None]
        print(f"| taken in a second, all new | {weeks[0]['rate']:,} | {rate(loads['duckdb'])} | {rate(loads['chdb'])} |")
        if again[0]:
            told = ", ".join(f"{week['rate']:,}" for week in again)
            print(f"| taken in a second, seen again, 2% changed | {told} | the same | the same |")
        sizes = [loads[name] and loads[name]["sizes"] for name in ("duckdb", "chdb")]
        whole = [f"{one.get('looks' if weeks[1:] else 'current', 0) / 1e6:,.0f}" if one else "-" for one in sizes]
        print(f"| disk, MB, all weeks once | {hinomi['sizes']['all'] / 1e6:,.0f} | {' | '.join(whole)} |")
        if again[0]:
            both = [f"{sum(one.values()) / 1e6:,.0f}" if one else "-" for one in sizes]
            print(f"| disk, MB, with the current state as a table | {hinomi['sizes']['all'] / 1e6:,.0f} | {' | '.join(both)} |")
        peaks = [max(week["peak_memory_mb"] for week in weeks)]
        peaks += [loads[name]["peak_memory_mb"] if loads[name] else "-" for name in ("duckdb", "chdb")]
        print(f"| peak memory, MB, taking in | {' | '.join(map(str, peaks))} |")
        print(f"| peak memory, MB, asking | {' | '.join(str(memory.get(name, '-')) for name in ENGINES)} |")

    def table_of_growth(self, parameters):
        """What the capacity plan needs, a service and a sighting at a time."""
        load = self.kept("load-hinomi")
        services = parameters["services"]
        looks = services * (parameters["weeks"] + 1)
        sizes = load["sizes"]
        print("\n| Hinomi, bytes on disk | in all, MB | a sighting | a service |\n|---|---|---|---|")
        for shelf in ("sightings", "evidence", "facts", "index", "all"):
            size = sizes[shelf]
            print(f"| {shelf} | {size / 1e6:,.0f} | {size / looks:,.0f} | {size / services:,.0f} |")
        for week in load["weeks"]:
            print(f"\nweek {week['week']}: {json.dumps(week)}", end="")
        print()


def ask(child, question):
    child.stdin.write(json.dumps(question) + "\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        sys.exit(f"no answer to {question}: the process ended with {child.wait()}")
    return json.loads(line)


def drop_caches(folder):
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        for path in folder.rglob("*"):
            if path.is_file():
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ms(one, engine, key):
    value = one.get(engine, {}).get(key)
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def best(one, key):
    others = [one[name][key] for name in ENGINES[1:] if key in one.get(name, {})]
    own = one.get("hinomi", {}).get(key)
    return f"{min(others) / own:.2f}" if others and own else "-"


def rate(load):
    return f"{load['rate']:,}" if load else "-"


def main():
    asked = options()
    bench = Bench(asked)
    if "generate" in asked.steps:
        bench.generate()
    if "load" in asked.steps:
        [bench.load(engine) for engine in asked.engines]
    if "ask" in asked.steps:
        bench.ask_all()
    if "table" in asked.steps:
        bench.table()


if __name__ == "__main__":
    main()
