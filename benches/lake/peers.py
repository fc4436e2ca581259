"""DuckDB and chDB as a child process each: loads rows, then answers questions, one line of JSON each.

    peers.py ENGINE FOLDER load|ask THREADS

Both get what suits them: unsigned integers for addresses and ports, low-cardinality types for what repeats, rows sorted by
(ip, port, time), chDB a text index of the words. `current` holds the last look at each service, `looks` all of them; where
there is but one week they are the same table.
"""

import json
import os
import sys
import time

COLUMNS = "ip, port, transport, time, asn, country, prefecture, protocol, vendor, product, version, kind, banner, extra"
SHOWN = "ip, port, transport, time, product, version, banner"


def peak_memory_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:"))


def halves(prefix):
    address, bits = prefix.split("/")
    first = number(address)
    return first, first + (1 << (32 - int(bits))) - 1


def number(address):
    a, b, c, d = map(int, address.split("."))
    return a << 24 | b << 16 | c << 8 | d


def dotted(value):
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class DuckDB:
    def __init__(self, folder, threads):
        import duckdb
        os.makedirs(folder, exist_ok=True)
        self.version = duckdb.__version__
        self.base = duckdb.connect(f"{folder}/current.duckdb")
        self.base.execute(f"SET threads = {threads}; SET memory_limit = '8GB'; SET temp_directory = '{folder}/spill'")
        self.base.execute("SET TimeZone = 'UTC'")
        self.base.execute(f"ATTACH '{folder}/looks.duckdb' AS past")
        self.folder = folder

    def load(self, files):
        for part in files:
            sort = "" if part.get("sorted") else "ORDER BY ip, port, time"
            source = f"SELECT {COLUMNS} FROM read_parquet({part['paths']!r}) {sort}"
            table = "main.current" if part["table"] == "current" else "past.looks"
            verb = f"CREATE TABLE {table} AS" if part["first"] else f"INSERT INTO {table}"
            self.base.execute(f"{verb} {source}")
        self.base.execute("CHECKPOINT; CHECKPOINT past")

    def sizes(self):
        size = lambda name: os.path.getsize(f"{self.folder}/{name}.duckdb")
        return {"current": size("current"), "looks": size("looks")}

    def has_looks(self):
        tables = self.base.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        return ("looks",) in tables

    def rows(self, sql):
        return self.base.execute(sql).fetchall()

    def looks(self):
        return "past.looks" if self.has_looks() else "main.current"

    def word(self, word):
        return f"contains(banner, '{word}') AND regexp_matches(banner, '(^|[^a-z0-9]){word}([^a-z0-9]|$)')"

    def within(self, text):
        return f"contains(banner, '{text}')"

    def distinct(self):
        return "count(DISTINCT ip)"

    def micros(self, column):
        return f"epoch_us({column})"


class ChDB:
    def __init__(self, folder, threads):
        from chdb import session
        os.makedirs(folder, exist_ok=True)
        self.base = session.Session(f"{folder}/data")
        self.version = self.rows("SELECT version()")[0][0]
        self.run(f"SET max_threads = {threads}")
        self.run("CREATE DATABASE IF NOT EXISTS bench")
        self.run(f"SET max_insert_threads = {threads}")

    def run(self, sql, form="JSONCompact"):
        return self.base.query(sql, form)

    def create(self, table):
        low, some = "LowCardinality(String)", "LowCardinality(Nullable(String))"
        self.run(f"""
            CREATE TABLE bench.{table} (
                ip UInt32, port UInt16, transport {low}, time DateTime64(6, 'UTC'), asn UInt32, country {low},
                prefecture {some}, protocol {some}, vendor {some}, product {some}, version {some}, kind {some},
                banner String CODEC(ZSTD(1)), extra Nullable(String) CODEC(ZSTD(1)),
                INDEX words banner TYPE text(tokenizer = splitByNonAlpha)
            ) ENGINE = MergeTree ORDER BY (ip, port, time)""")

    def load(self, files):
        for part in files:
            if part["first"]:
                self.create(part["table"])
            for path in part["paths"]:
                self.run(f"INSERT INTO bench.{part['table']} SELECT {COLUMNS} FROM file('{path}', Parquet)")
        self.inserted = time.monotonic()
        if not any(part.get("more") for part in files):
            for table in sorted({part["table"] for part in files}):
                self.run(f"OPTIMIZE TABLE bench.{table} FINAL")

    def sizes(self):
        sql = "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench' GROUP BY table"
        return {name: int(size) for name, size in self.rows(sql)}

    def rows(self, sql):
        return json.loads(str(self.run(sql)))["data"]

    def looks(self):
        return "bench.looks" if [["looks"]] == self.rows(
            "SELECT name FROM system.tables WHERE database = 'bench' AND name = 'looks'") else "bench.current"

    def word(self, word):
        return f"hasAllTokens(banner, ['{word}'])"

    def within(self, text):
        return f"position(banner, '{text}') > 0"

    def distinct(self):
        return "uniqExact(ip)"

    def micros(self, column):
        return f"toUnixTimestamp64Micro({column})"


class Asker:
    """The questions in SQL. A shape is what the driver compares between the engines."""

    def __init__(self, engine):
        self.engine = engine
        self.current = "bench.current" if isinstance(engine, ChDB) else "main.current"
        self.looks = engine.looks()

    def sql(self, question, parameter):
        engine, current = self.engine, self.current
        if question == "open":
            return "SELECT 1"
        if question == "address":
            return f"SELECT {SHOWN} FROM {current} WHERE ip = {number(parameter)} ORDER BY port"
        if question == "prefix":
            first, last = halves(parameter)
            return f"SELECT {SHOWN} FROM {current} WHERE ip BETWEEN {first} AND {last} ORDER BY ip, port"
        if question == "word":
            return (f"SELECT {SHOWN} FROM {current} WHERE port = 443 AND {engine.word(parameter)} "
                    "ORDER BY time DESC LIMIT 100")
        if question == "facet":
            return (f"SELECT product, count(*) AS services FROM {current} WHERE country = '{parameter}' "
                    "AND product IS NOT NULL GROUP BY product ORDER BY services DESC, product LIMIT 20")
        if question == "distinct":
            return (f"SELECT port, {engine.distinct()} AS addresses FROM {current} GROUP BY port "
                    "ORDER BY addresses DESC, port LIMIT 20")
        if question == "history":
            return (f"SELECT {engine.micros('time')} AS seen_at, port, product, version, banner FROM {self.looks} "
                    f"WHERE ip = {number(parameter)} ORDER BY seen_at")
        if question == "substring":
            return f"SELECT count(*) FROM {current} WHERE {engine.within(parameter)}"
        raise SystemExit(f"no question is called {question}")

    def shape(self, question, rows):
        if question in ("address", "prefix"):
            return [len(rows), sum(int(row[1]) for row in rows)]
        if question == "word":
            return [f"{dotted(int(row[0]))}:{row[1]}" for row in rows]
        if question in ("facet", "distinct"):
            return [int(row[1]) for row in rows]
        if question == "history":
            return [int(row[0]) for row in rows]
        return int(rows[0][0])

    def answer(self, question, parameter):
        sql = self.sql(question, parameter)
        if isinstance(self.engine, ChDB):
            start = time.perf_counter()
            text = self.engine.run(sql)
            seconds = time.perf_counter() - start
            rows = json.loads(str(text))["data"]
        else:
            start = time.perf_counter()
            rows = self.engine.rows(sql)
            seconds = time.perf_counter() - start
        return {"seconds": seconds, "answer": self.shape(question, rows), "peak_memory_mb": peak_memory_mb()}


def main():
    name, folder, what, threads = sys.argv[1:5]
    engine = {"duckdb": DuckDB, "chdb": ChDB}[name](folder, int(threads))
    for line in sys.stdin:
        asked = json.loads(line)
        if what == "load":
            start = time.monotonic()
            engine.load(asked["files"])
            end = time.monotonic()
            told = {"seconds": end - start, "sizes": engine.sizes(), "peak_memory_mb": peak_memory_mb(),
                    "version": engine.version}
            if hasattr(engine, "inserted"):
                told["seconds_without_final_merge"] = engine.inserted - start
        else:
            asker = Asker(engine)
            told = asker.answer(asked["question"], asked["parameter"])
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
