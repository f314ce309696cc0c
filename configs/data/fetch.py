#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches data sets that Debian packages carry and writes them as plain files.

    configs/data/fetch.py NAME... [--out build/datasets]

NAME: austen (text: five novels to train on, the sixth to test), wdbc, german-credit (tables). The
packages are downloaded with apt-get, unpacked and not installed. Tables become five folds by a
fixed shuffle; their numbers are standardised by the training part's means and deviations and their
categories become columns of 0 and 1. Only Python's standard library is needed.
"""
import argparse
import csv
import gzip
import bz2
import lzma
import pathlib
import random
import struct
import subprocess
import sys
import zlib

BOOKS_TEST = "persuasion"
FOLDS = 5


# ---- R's serialisation, version 2 and 3, as far as data sets need it ----

class Xdr:
    def __init__(self, data):
        self.data, self.at, self.references = data, 0, []
        if self.take(2) != b"X\n":
            raise ValueError("not R's XDR format")
        version = self.integer()
        self.take(8)
        if version == 3:
            self.take(self.integer())

    def take(self, count):
        self.at += count
        if self.at > len(self.data):
            raise ValueError("R data is cut short")
        return self.data[self.at - count:self.at]

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def many(self, code, size):
        count = self.integer()
        return list(struct.unpack(">%d%s" % (count, code), self.take(count * size)))

    def string(self):
        """A CHARSXP; NA is None."""
        flags, count = self.integer(), self.integer()
        if flags & 0xFF != 9:
            raise ValueError("text expected")
        return None if count < 0 else self.take(count).decode("latin-1" if flags & 0x4000 else "utf-8")

    def pairs(self, flags):
        """A pairlist, as a dictionary of its tags."""
        found = {}
        while flags & 0xFF == 2:
            if flags & 0x200:
                self.item()
            tag = self.item() if flags & 0x400 else len(found)
            found[tag] = self.item()
            flags = self.integer()
        if flags & 0xFF != 254:
            raise ValueError("a list without an end")
        return found

    def item(self):
        flags = self.integer()
        kind = flags & 0xFF
        if kind in (254, 242, 241, 253, 251):  # nothing, the empty and other environments
            return None
        if kind == 255:
            return self.references[(flags >> 8 or self.integer()) - 1]
        if kind == 1:
            name = self.string()
            self.references.append(name)
            return name
        if kind == 2:
            return self.pairs(flags)
        if kind == 16:
            value = [self.string() for _ in range(self.integer())]
        elif kind == 19:
            value = [self.item() for _ in range(self.integer())]
        elif kind in (10, 13):
            value = self.many("i", 4)
        elif kind == 14:
            value = self.many("d", 8)
        else:
            raise ValueError("R objects of type %d are not read" % kind)
        if not flags & 0x200:
            return value
        return {"value": value, **self.pairs(self.integer())}


def unpack(data):
    """One object of an .rdb file: length, a letter for the method, packed bytes."""
    method = data[4:5]
    if method == b"Z":
        return lzma.decompress(data[5:], format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])
    if method == b"2":
        return bz2.decompress(data[5:])
    return zlib.decompress(data[4:])


def r_objects(stem):
    """The objects of stem.rdb, by name: stem.rdx says where each lies."""
    index = pathlib.Path(str(stem) + ".rdx").read_bytes()
    index = gzip.decompress(index) if index[:2] == b"\x1f\x8b" else zlib.decompress(index)
    table = Xdr(index).item()
    variables = table["value"][table["names"].index("variables")]
    packed = pathlib.Path(str(stem) + ".rdb").read_bytes()
    for name, (at, count) in zip(variables["names"], variables["value"]):
        yield name, Xdr(unpack(packed[at:at + count])).item()


# ---- packages and tables ----

def package(name, work):
    """Downloads and unpacks a Debian package; gives the folder."""
    folder = work / name
    if not folder.is_dir():
        work.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", name], cwd=work, check=True, timeout=600,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "-x", sorted(work.glob(name + "_*.deb"))[-1], folder], check=True)
    return folder


def standardise(rows, train):
    """Columns of numbers by the training rows' means and deviations; of words as 0 and 1 each."""
    columns = []
    for column in zip(*rows):
        try:
            numbers = [float(v) for v in column]
        except ValueError:
            columns += [[1.0 if v == word else 0.0 for v in column] for word in sorted(set(column))]
            continue
        known = [numbers[i] for i in train]
        mean = sum(known) / len(known)
        deviation = (sum((v - mean) ** 2 for v in known) / len(known)) ** 0.5 or 1.0
        columns.append([(v - mean) / deviation for v in numbers])
    return list(zip(*columns))


def write_table(out, name, rows, labels):
    """FOLDS pairs of files: each fifth once as the test, the rest to train on."""
    order = list(range(len(rows)))
    random.Random(1).shuffle(order)
    for fold in range(FOLDS):
        test = order[fold::FOLDS]
        train = [i for k, i in enumerate(order) if k % FOLDS != fold]
        values = standardise(rows, train)
        head = ["c%d" % i for i in range(len(values[0]))] + ["label"]
        for part, picks in (("train", train), ("test", test)):
            with open(out / ("%s-%s-%d.csv" % (name, part, fold)), "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(head)
                writer.writerows(["%.6g" % v for v in values[i]] + [labels[i]] for i in picks)
    print("%s: %d rows in %d folds, %d columns" % (name, len(rows), FOLDS, len(values[0])))


def wdbc(out, work):
    path = package("python3-sklearn", work) / "usr/lib/python3/dist-packages/sklearn/datasets/data"
    with open(path / "breast_cancer.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    write_table(out, "wdbc", [r[:-1] for r in rows], [int(r[-1]) for r in rows])


def german_credit(out, work):
    path = package("weka", work) / "usr/share/doc/weka/examples/credit-g.arff"
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().lower() == "@data")
    rows = [r for r in csv.reader(lines[start + 1:], quotechar="'", skipinitialspace=True) if r]
    rows = [[v.strip() for v in r] for r in rows if not r[0].startswith("%")]
    write_table(out, "german-credit", [r[:-1] for r in rows], [int(r[-1] == "bad") for r in rows])


def austen(out, work):
    folder = package("r-cran-janeaustenr", work) / "usr/lib/R/site-library/janeaustenr/data"
    books = {n: o for n, o in r_objects(folder / "Rdata") if isinstance(o, list)}
    text = {n: ("\n".join(v or "" for v in lines) + "\n").encode() for n, lines in books.items()}
    train = b"".join(v for n, v in sorted(text.items()) if n != BOOKS_TEST)
    (out / "austen-train.txt").write_bytes(train)
    (out / "austen-test.txt").write_bytes(text[BOOKS_TEST])
    print("austen: %d + %d bytes, books %s" % (len(train), len(text[BOOKS_TEST]), ", ".join(sorted(text))))


SETS = {"austen": austen, "wdbc": wdbc, "german-credit": german_credit}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", choices=sorted(SETS), metavar="NAME",
                        help=", ".join(sorted(SETS)))
    parser.add_argument("--out", default="build/datasets", type=pathlib.Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        SETS[name](options.out, (options.out / "packages").resolve())


if __name__ == "__main__":
    sys.exit(main())
