#!/usr/bin/env python3
"""Writes a made-up request trace of a given size, for benchmarks: make-trace.py azure|csv|mooncake BYTES FILE

Times and lengths follow plain formulas, so that the same arguments give the same file. It resembles the traces that are
read in the width of its lines, not in what it says of any traffic."""
import sys


def azure():
    yield "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    i = 0
    while True:
        tenths_of_us = i * 4321
        seconds, fraction = divmod(tenths_of_us, 10_000_000)
        day, second = divmod(seconds, 86400)
        yield "2024-05-%02d %02d:%02d:%02d.%07d,%d,%d\n" % (
            day + 1, second // 3600, second // 60 % 60, second % 60, fraction, i * 7919 % 4000 + 1, i * 104729 % 600 + 1)
        i += 1


def csv():
    yield "offset_s,prompt_tokens,output_tokens\n"
    i = 0
    while True:
        ms, us = divmod(i * 431, 1000)
        yield "%d.%03d%03d,%d,%d\n" % (ms // 1000, ms % 1000, us, i * 7919 % 4000 + 1, i * 104729 % 600 + 1)
        i += 1


def mooncake():
    i = 0
    while True:
        blocks = i * 31 % 60 + 1
        ids = ", ".join(map(str, range(i % 180_000, i % 180_000 + blocks)))
        yield '{"timestamp": %d, "input_length": %d, "output_length": %d, "hash_ids": [%s]}\n' % (
            i // 12 * 3000, blocks * 512 - i % 512, i * 104729 % 900 + 1, ids)
        i += 1


layout, size, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
written, lines = 0, []
with open(path, "w") as file:
    for line in {"azure": azure, "csv": csv, "mooncake": mooncake}[layout]():
        lines.append(line)
        written += len(line)
        if len(lines) == 100_000 or written >= size:
            file.writelines(lines)
            lines = []
        if written >= size:
            break
