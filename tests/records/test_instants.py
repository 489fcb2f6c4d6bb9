"""Instants: ISO is known, other formats are found, and where two readings are possible the user is asked."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.errors import DataError, SchemaError, SettingsError


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2020-01-31", "2020-01-31"), ("2020-1-5", "2020-01-05"), ("2020/01/05", "2020-01-05"),
        ("2020-01-31 23:59", "2020-01-31"), ("2020-01-31T23:59:59", "2020-01-31"),
        ("2020-01-31 23:59:59.999999", "2020-01-31"), ("2020-02-29", "2020-02-29"), (" 2020-01-31 ",
        "2020-01-31"),
        ("2020-01-31 10:00:00.123456789", "2020-01-31"),
    ],
)  # fmt: skip
def test_iso_is_known_without_asking(cell, written, day):
    assert cell(timestamp=written)[1] == day


@pytest.mark.parametrize(
    "written",
    [
        "0000-00-00", "31/02/2020", "2020-02-30", "2020-13-01", "20200101", "43831", "1577836800", "infinity",
        "-infinity", "epoch", "today", "now", "2020-01", "2020", "2020-W01-1", "01-02-20", "12020-01-01",
        "2020-01-01 25:00:00", "2020-01-01 10:00 PM", "2020-01-01 10:00 Europe/Paris", "2020-01-01 BC",
        "2020-01-01+02:00", "NaT", "yesterday",
    ],
)  # fmt: skip
def test_what_is_no_date_is_set_aside(cell, written):
    assert cell(timestamp=written) == ("aside", "timestamp cannot be read as a date")


@pytest.mark.parametrize(
    "written", ["0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31", "9999-12-31 23:59:59"]
)
def test_days_that_mean_unknown_are_set_aside(cell, written):
    assert cell(timestamp=written) == ("aside", "timestamp is not a day from 1900 to 2199")


def _file(csv_file, *written):
    rows = "".join(f'1,"{value}",{place}\n' for place, value in enumerate(written))
    return csv_file("customer_id,timestamp,amount\n" + rows)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("13/02/2020", "2020-02-13"), ("02/13/2020", "2020-02-13"), ("13.02.2020 10:30", "2020-02-13"),
        ("20200213", "2020-02-13"), ("13/02/20", "2020-02-13"), ("13 Feb 2020", "2020-02-13"),
        ("Feb 13, 2020", "2020-02-13"), ("13 February 2020", "2020-02-13"), ("2/13/2020 3:04 PM",
        "2020-02-13"),
        ("13-02-2020", "2020-02-13"),
    ],
)  # fmt: skip
def test_a_format_is_found_that_fits(read, rows_of, csv_file, written, day):
    assert rows_of(read(_file(csv_file, written, written)))[0][1] == day


@pytest.mark.parametrize("written", ["01/02/2020", "1/2/2020 3:04 PM", "01-02-2020", "01/02/20"])
def test_day_and_month_that_could_be_swapped_are_a_question(read, csv_file, written):
    with pytest.raises(
        SchemaError, match=r"more than one way: %d.%m.%[Yy] or %m.%d.%[Yy] .* timestamp_format='%d"
    ):
        read(_file(csv_file, written))


def test_the_answer_to_the_question_is_taken(read, rows_of, csv_file):
    assert rows_of(read(_file(csv_file, "01/02/2020"), timestamp_format="%m/%d/%Y"))[0][1] == "2020-01-02"


def test_a_column_that_mixes_both_orders_is_refused(read, csv_file):
    with pytest.raises(SchemaError, match=r"seems to mix %d/%m/%Y and %m/%d/%Y: 1 of 4 values"):
        read(_file(csv_file, "13/02/2020", "02/05/2020", "15/05/2020", "02/13/2020"))


def test_one_slip_in_many_does_not_refuse_the_rest(read, csv_file):
    log = read(_file(csv_file, *["13/02/2020"] * 150, "02/13/2020"))
    assert log.checks["transactions"].quarantined == {"timestamp cannot be read as a date": 1}


def test_a_column_of_numbers_is_not_guessed_at(read, csv_file):
    with pytest.raises(
        DataError, match=r"none of its 2 rows.*cannot be read as a date \(2\)\. Say how .*timestamp_format"
    ):
        read(_file(csv_file, "43831", "43832"))


def test_mixed_offsets_are_a_question(read, rows_of, csv_file):
    path = _file(csv_file, "2020-01-01T23:30:00Z", "2020-01-01 23:30:00")
    with pytest.raises(
        SchemaError, match=r"mixes 1 instants with a UTC offset and 1 without\. Say .*timezone="
    ):
        read(path)
    days = [row[1] for row in rows_of(read(path, timezone="Europe/Paris"))]
    assert days == ["2020-01-02", "2020-01-01"]


@pytest.mark.parametrize("offset", ["Z", "+00", "+00:00", "+0000", " +00:00"])
def test_offsets_are_read_and_days_counted_in_utc(read, rows_of, csv_file, offset):
    assert rows_of(read(_file(csv_file, f"2020-01-01T23:30:00{offset}")))[0][1] == "2020-01-01"


def test_days_are_those_of_the_stated_zone(read, rows_of, orders):
    frame = orders.assign(timestamp=(orders["timestamp"] + pd.Timedelta(hours=23)).dt.tz_localize("UTC"))
    here = [row[1] for row in rows_of(read(frame))]
    there = [row[1] for row in rows_of(read(frame, timezone="Asia/Tokyo"))]
    assert [str(pd.Timestamp(day).date() + pd.Timedelta(days=1)) for day in here] == there


def test_an_unknown_zone_is_refused(read, orders):
    with pytest.raises(SettingsError, match=r"timezone 'Mars/Olympus' is unknown; give an IANA name"):
        read(orders, timezone="Mars/Olympus")


def test_dates_before_1677_and_infinite_ones_in_sql_types_are_set_aside(read):
    import pyarrow as pa

    table = pa.table(
        {"customer_id": [1, 1], "timestamp": pa.array([-(2**31) + 1, 18000], pa.date32()), "amount": [1, 2]}
    )
    assert read(table).checks["transactions"].n_quarantined == 1


@pytest.mark.parametrize(
    ("most", "other", "day", "way"),
    [
        ("13.02.2020", "2020-03-04", "2020-03-04", "ISO 8601"),
        ("13/02/2020 10:00", "2020-03-04 23:30", "2020-03-04", "ISO 8601"),
        ("02/13/2020", "4 Mar 2020", "2020-03-04", "%d %b %Y"),
        ("2020-02-13", "04.03.2020", "2020-03-04", "%d.%m.%Y"),
        ("2020-02-13", "March 4, 2020", "2020-03-04", "%B %d, %Y"),
        ("13 Feb 2020", "04.03.2020 08:15", "2020-03-04", "%d.%m.%Y"),
    ],
)
def test_what_can_mean_one_day_only_is_read_beside_most(read, rows_of, csv_file, most, other, day, way):
    log = read(_file(csv_file, most, most, most, other))
    check = log.checks["transactions"]
    assert [row[1] for row in rows_of(log)] == ["2020-02-13"] * 3 + [day]
    assert not check.quarantined
    assert f"1 value of timestamp is not written as most are, but as {way}" in check.notes[0]


@pytest.mark.parametrize(
    ("most", "other"),
    [
        ("2020-02-13", "03/04/2020"), ("2020-02-13", "13/02/2020"), ("2020-02-13", "03-04-2020"),
        ("2020-02-13", "04.03.20"), ("2020-02-13", "20200304"), ("13.02.2020", "03/04/2020"),
        ("13/02/2020", "03-04-2020"), ("02/13/2020", "04.03.2020"), ("13.02.2020", "2020-03-04T10:00Z"),
        ("13.02.2020", "epoch"),
    ],
)  # fmt: skip
def test_what_could_mean_another_day_is_set_aside_beside_most(read, csv_file, most, other):
    log = read(_file(csv_file, most, most, most, other))
    assert log.checks["transactions"].quarantined == {"timestamp cannot be read as a date": 1}


def test_two_kinds_of_dates_come_to_the_same_in_one_piece_and_in_two(read, rows_of):
    days = pd.date_range("2024-01-01", periods=60).repeat(2)
    written = [f"{day:%Y-%m-%d}" if place % 3 == 0 else f"{day:%d.%m.%Y}" for place, day in enumerate(days)]
    table = pd.DataFrame({"customer_id": 1, "timestamp": written, "amount": range(120)})
    whole, parted = read(table), read(table[:50]).extend(transactions=table[50:])
    for log in (whole, parted):
        assert [row[1] for row in rows_of(log)] == [str(day.date()) for day in days]
        assert "40 values of timestamp are not written as most are, but as ISO 8601" in str(
            log.checks["transactions"].notes
        )
