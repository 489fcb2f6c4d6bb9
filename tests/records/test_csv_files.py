"""CSV files: every line is a row or is set aside, whatever the file looks like."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import resource
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records import csv_repair

HEADER = "customer_id,timestamp,amount\n"
SOUND = HEADER + "1,2020-01-01,5\n2,2020-01-02,7.5\n"
ROWS = [(1, "2020-01-01", 5.0), (2, "2020-01-02", 7.5)]


def _check(log):
    check = log.checks["transactions"]
    assert len(log.quarantine()) == check.n_quarantined
    assert check.n_admitted + check.n_quarantined == check.n_rows
    return check


@pytest.mark.parametrize(
    "content",
    [
        SOUND.encode(),
        SOUND.rstrip("\n").encode(),
        b"\xef\xbb\xbf" + SOUND.encode(),
        SOUND.replace("\n", "\r\n").encode(),
        SOUND.replace("\n", "\r\n", 1).encode(),
        SOUND.encode("utf-16"),
        ("\n\n" + SOUND.replace("\n", "\n\n") + "\n\r\n").encode(),
        SOUND.replace(",", ";").encode(),
        SOUND.replace(",", "\t").encode(),
        SOUND.replace(",", "|").encode(),
        b'"customer_id","timestamp","amount"\n"1","2020-01-01","5"\n"2","2020-01-02","7.5"\n',
        b'customer_id, timestamp ,amount\n1, "2020-01-01" ,5\n 2 ,2020-01-02, 7.5\n',
        b",customer_id,timestamp,amount\n0,1,2020-01-01,5\n1,2,2020-01-02,7.5\n",
    ],
)
def test_sound_files_of_all_sorts_give_the_same_rows(read, rows_of, csv_file, content):
    log = read(csv_file(content))
    assert rows_of(log) == ROWS
    assert _check(log).n_quarantined == 0


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_compressed_files(read, rows_of, csv_file, suffix, pack):
    assert rows_of(read(csv_file(pack(SOUND.encode()), f"o.csv{suffix}"))) == ROWS
    broken = SOUND + '3,"2020-01-03,1\n'
    log = read(csv_file(pack(broken.encode()), f"b.csv{suffix}"))
    assert rows_of(log) == ROWS
    assert list(log.quarantine()["row"]) == [4]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_file_that_is_not_compressed_as_its_name_says(read, csv_file, suffix):
    with pytest.raises(DataError, match=r"could not be opened"):
        read(csv_file(SOUND, f"o.csv{suffix}"))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-16", "iso-8859-15"])
def test_encodings(read, csv_file, encoding):
    path = csv_file((HEADER + "é,2020-01-01,5\nÜ,2020-01-02,6\n").encode(encoding))
    given = None if encoding in {"latin-1", "utf-8", "utf-16"} else encoding
    ids = read(path, encoding=given).engine.rows("SELECT customer_id FROM transactions ORDER BY timestamp")
    assert ids == [("é",), ("Ü",)]


def test_a_line_of_another_encoding_is_set_aside(read, rows_of, csv_file):
    good = "".join(f"{n},2020-01-01,1\n" for n in range(9000))
    log = read(csv_file((HEADER + good).encode() + b"\xe9,2020-01-01,1\n" + b"5,2020-01-02,1\n"))
    assert _check(log).quarantined == {"line is no row: its characters are not of the file's encoding": 1}
    assert list(log.quarantine()["row"]) == [9002]


def test_line_numbers_are_those_of_the_file(read, rows_of, csv_file):
    path = csv_file(
        "\n"
        + HEADER
        + '1,2020-01-01,5\n\n7,"2020,1\n2,2020-01-02,7.5,9\n2,2020-01-02,7.5\n"x"y,2020-01-01,3\n8\n'
    )
    log = read(path)
    assert rows_of(log) == ROWS
    aside = log.quarantine()
    assert list(zip(aside["row"], aside["raw"], strict=True)) == [
        (5, '7,"2020,1'), (6, "2,2020-01-02,7.5,9"), (8, '"x"y,2020-01-01,3'), (9, "8"),
    ]  # fmt: skip


def test_a_value_may_span_lines(read, rows_of, csv_file):
    text = 'customer_id,timestamp,amount,channel\n1,2020-01-01,5,"a\n\nb, ""c"""\n2,2020-01-02,7.5,web\n'
    log = read(csv_file(text))
    assert rows_of(log) == ROWS
    assert log.engine.rows("SELECT channel FROM transactions") == [('a\n\nb, "c"',), ("web",)]
    log = read(csv_file(text + '3,"2020-01-03,1,\n4,2020-01-04,2,"x\ny"\n'))
    assert rows_of(log) == [*ROWS, (4, "2020-01-04", 2.0)]
    assert list(log.quarantine()["row"]) == [6]


@pytest.mark.parametrize("place", [0, 1, 60, 119])
@pytest.mark.parametrize("broken", ['9,"2020-01-01,5', '"9,2020-01-01,5', '9,2020-01-01,"5', '9,"2020"x,5'])
def test_one_broken_quote_costs_one_line(read, csv_file, place, broken):
    lines = [f"{n},2020-01-01,5" if n % 3 else f'"{n}","2020-01-01","5"' for n in range(1, 121)]
    lines.insert(place, broken)
    log = read(csv_file(HEADER + "\n".join(lines) + "\n"))
    assert log.n_customers == 120
    aside = log.quarantine()
    assert list(aside["row"]) == [place + 2]
    assert list(aside["raw"]) == [broken]


def test_quotes_inside_bare_values_are_characters(read, csv_file):
    text = 'customer_id,timestamp,amount,channel\n1,2020-01-01,5,12" pipe\n2,2020-01-02,7,5" x 3"\n'
    log = read(csv_file(text))
    assert log.engine.rows("SELECT channel FROM transactions") == [('12" pipe',), ('5" x 3"',)]
    log = read(csv_file(text + '3,"2020-01-03,1,\n'))
    assert log.checks["transactions"].n_admitted == 2


ALPHABET = st.sampled_from([*list('12,;"\n\r ax\t'), "2020-01-01", "5.5", '""', "\r\n"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text("12ax ,\n\"'é", max_size=4),
            st.just("2020-01-01"),
            st.sampled_from(["5", "-1.5", "x", ""]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_well_formed_files_hold_the_rows_that_python_reads(read, csv_file, rows):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["customer_id", "timestamp", "amount"])
    writer.writerow(["sound", "2020-01-01", "1"])
    writer.writerows(rows)
    log = read(csv_file(text.getvalue()))
    nothing = {"", "nan", "na"}
    expected = sorted(
        row[0].strip(" \t\r\n")
        for row in csv.reader(io.StringIO(text.getvalue(), newline=""))
        if row and row[2] in {"5", "-1.5", "1"} and row[0].strip(" \t\r\n") not in nothing
    )
    assert sorted(row[0] for row in log.engine.rows("SELECT customer_id FROM transactions")) == expected
    assert _check(log).n_rows == len(rows) + 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ALPHABET, max_size=25).map("".join))
def test_whatever_stands_in_a_file_no_sound_line_is_lost(read, csv_file, junk):
    sound = "".join(f"{n},2020-01-01,1\n" for n in range(100, 160))
    log = read(csv_file(HEADER + "1,2020-01-01,1\n" + junk + "\n" + sound))
    ids = {str(row[0]) for row in log.engine.rows("SELECT customer_id FROM transactions")}
    assert {str(n) for n in range(100, 160)} <= ids
    _check(log)


def test_lines_that_span_blocks(monkeypatch, read, csv_file):
    text = (
        HEADER
        + "".join(f'{n},2020-01-01,"{n}"\r\n' for n in range(1, 90))
        + '90,"2020\r\n"91","2020-01-01",3'
    )
    expected = read(csv_file(text)).fingerprint()
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(csv_repair, "_BLOCK_BYTES", size)
        log = read(csv_file(text))
        assert log.fingerprint() == expected
        assert list(log.quarantine()["row"]) == [91]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"  \n \n", "nothing but white space"),
        (HEADER.encode(), "has a header but no rows"),
        (SOUND.replace("\n", "\r").encode(), "CR alone"),
    ],
)
def test_files_without_rows(read, csv_file, content, told):
    with pytest.raises(DataError, match=told):
        read(csv_file(content))


@pytest.mark.parametrize(
    "header", ["customer_id,amount,timestamp,amount", "customer_id,amount,timestamp,Amount"]
)
def test_duplicate_columns_are_refused(read, csv_file, header):
    with pytest.raises(SchemaError, match=r"columns of the same name: .*'amount'.* Rename or remove one"):
        read(csv_file(header + "\n1,5,2020-01-01,6\n"))


def test_the_wrong_delimiter_is_told(read, csv_file):
    with pytest.raises(SchemaError, match=r"missing customer_id, timestamp, amount. The columns there are"):
        read(csv_file(SOUND), delimiter=";")


@pytest.mark.parametrize("delimiter", ["", "||", '"', "\n", "é"])
def test_impossible_delimiters(read, csv_file, delimiter):
    with pytest.raises(SettingsError, match="delimiter must be one character"):
        read(csv_file(SOUND), delimiter=delimiter)


def test_an_unknown_encoding(read, csv_file):
    with pytest.raises(SettingsError, match="encoding 'klingon' is unknown"):
        read(csv_file(SOUND), encoding="klingon")


def test_other_delimiters_are_taken_as_given(read, rows_of, csv_file):
    assert rows_of(read(csv_file(SOUND.replace(",", "~")), delimiter="~")) == ROWS


@pytest.mark.slow
def test_a_large_file_with_a_broken_line_in_the_middle_costs_that_line(read, tmp_path):
    line = b"1234567,2020-01-01,12.34\n"
    half = line * (25_000_000 // len(line))
    path = tmp_path / "large.csv"
    path.write_bytes(HEADER.encode() + half + b'77,"2021-01-01,5.00\n' + half)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    log = read(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert log.checks["transactions"].n_admitted == 2 * len(half) // len(line)
    assert list(log.quarantine()["row"]) == [len(half) // len(line) + 2]
    assert time.perf_counter() - start < 120
    assert grown < 1_500_000 or sys.platform != "linux"
