"""Spark's driver of a pass. One line of JSON on standard input; frames of merged rows on standard output.

A frame is its length (four bytes, little-endian) and an Arrow stream with one batch; length 0 is the end. Spark does
three things here and knows nothing of what the rows mean: it runs `executor lake pass-share` over each share, shuffles
and sorts the rows by their first column, and runs `executor lake pass-merge` over each part of the sorted rows.
"""

import json
import os
import re
import struct
import subprocess
import sys
import threading

MAX_FRAME_BYTES = 1 << 30
BATCH_BYTES = 8 << 20
TOLD_BYTES = 4096
# Standard output is for frames alone: what Java or a library prints goes to standard error.
OUT = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def give_up(reason):
    print("hinomi-reason:", " ".join(reason.split())[:TOLD_BYTES], file=sys.stderr, flush=True)
    sys.exit(1)


def end_with_us():
    """Whoever started us keeps our input open as long as it is there."""
    sys.stdin.read()
    os._exit(1)


def is_loopback(master):
    if master.startswith("local"):
        return True
    hosts = [part.rsplit(":", 1)[0] for part in master.removeprefix("spark://").split(",")]
    return all(host in ("localhost", "[::1]") or re.fullmatch(r"127(\.\d+){3}", host) for host in hosts)


def start(order):
    """A session; settings that the order names win over ours."""
    from pyspark.sql import SparkSession

    conf = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    }
    if is_loopback(order["master"]):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        conf.update({"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"})
    conf.update(dict(order["conf"]))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    builder = SparkSession.builder.master(order["master"]).appName(order["name"])
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def frames_of(stream):
    """The frames of a stream; one that ends before its end was told is an error."""
    while True:
        head = stream.read(4)
        length = struct.unpack("<I", head)[0] if len(head) == 4 else None
        if length == 0:
            return
        if length is None or length > MAX_FRAME_BYTES:
            raise RuntimeError("partial rows end before their end was told")
        frame = stream.read(length)
        if len(frame) < length:
            raise RuntimeError("partial rows end before their end was told")
        yield frame


def run(command, feed):
    """The frames that a program answers; what it says on standard error is the reason when it fails."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, broken = bytearray(), []

    def talk():
        for line in process.stderr:
            said.extend(line)
            del said[:-TOLD_BYTES]

    def pour():
        try:
            for piece in feed:
                process.stdin.write(piece)
            process.stdin.close()
        except BrokenPipeError:
            pass  # It ended early, and says why.
        except BaseException as error:
            broken.append(error)
            process.kill()

    threads = [threading.Thread(target=work, daemon=True) for work in (talk, pour)]
    for thread in threads:
        thread.start()
    cut = None
    try:
        try:
            yield from frames_of(process.stdout)
        except RuntimeError as error:
            cut = error
        code = process.wait()
        for thread in threads:
            thread.join()
        if broken:
            raise broken[0]
        if code != 0 or cut:
            reason = bytes(said).decode("utf-8", "replace").strip() or str(cut or f"exit code {code}")
            raise RuntimeError(f"hinomi-executor<<{' '.join(reason.split())}>>")
    finally:
        process.kill()
        process.wait()


def batches_of(frames):
    import pyarrow as pa

    for frame in frames:
        with pa.ipc.open_stream(frame) as stream:
            yield from stream


def pieces_of(batches):
    """Batches as frames, each of bounded size."""
    import pyarrow as pa

    for batch in batches:
        rows = max(1, batch.num_rows * BATCH_BYTES // max(1, batch.nbytes))
        for at in range(0, batch.num_rows, rows):
            part = batch.slice(at, rows)
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, part.schema) as stream:
                stream.write_batch(part)
            frame = sink.getvalue().to_pybytes()
            yield struct.pack("<I", len(frame))
            yield frame
    yield struct.pack("<I", 0)


def main():
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_us, daemon=True).start()
    try:
        spark = start(order)
    except ImportError as error:
        give_up(f"{sys.executable} has no pyspark with pyarrow and pandas: {error}")
    context = spark.sparkContext
    header, executor = context.broadcast(order["header"].encode() + b"\n"), order["executor"]

    def share(batches):
        lines = (line for batch in batches for line in batch.column(0).to_pylist())
        feed = (piece for part in ([header.value], (line.encode() + b"\n" for line in lines)) for piece in part)
        yield from batches_of(run([executor, "lake", "pass-share"], feed))

    def merge(batches):
        import pyarrow as pa

        feed = (piece for part in ([header.value], pieces_of(batches)) for piece in part)
        for frame in run([executor, "lake", "pass-merge"], feed):
            yield pa.record_batch([pa.array([frame], pa.binary())], names=["frame"])

    from pyspark import StorageLevel

    columns = ", ".join(f"`{name}` {kind}" for name, kind in order["columns"])
    shares, key = order["shares"], order["columns"][0][0]
    parts = int(spark.conf.get("spark.hinomi.parts", str(min(len(shares), 2 * context.defaultParallelism))))
    told = spark.createDataFrame(context.parallelize([(share,) for share in shares], len(shares)), "share string")
    rows = told.mapInArrow(share, columns)
    merged = rows.repartition(max(1, parts), key).sortWithinPartitions(key).mapInArrow(merge, "frame binary")
    # Every part is merged before the first is fetched: side by side, and none twice.
    merged = merged.persist(StorageLevel.DISK_ONLY)
    merged.count()
    for row in merged.toLocalIterator():
        OUT.write(struct.pack("<I", len(row.frame)))
        OUT.write(row.frame)
    OUT.write(struct.pack("<I", 0))
    OUT.flush()
    spark.stop()


try:
    main()
except Exception as error:
    told = re.findall(r"hinomi-executor<<(.*?)>>", str(error), re.S)
    give_up(told[0] if told else str(error))
