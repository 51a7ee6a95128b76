"""Times of DICOM, HL7 v3 and PDF as DTM in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdsi.model.values import DTM
from xdsi.wire import times

OFFSETS = st.builds(
    lambda sign, hours, minutes: f"{sign}{hours:02d}{minutes:02d}",
    st.sampled_from("+-"),
    st.integers(0, 14),
    st.sampled_from([0, 15, 30, 45]),
)
# a day of room on both sides, so that no zone leaves the calendar
INSTANTS = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)).map(
    lambda when: when.replace(microsecond=0)
)


def aware(offset: str) -> timezone:
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:])))


@given(INSTANTS, OFFSETS)
@pytest.mark.proves("MD-087", "IMG-037")
def test_a_ts_with_zone_names_the_same_instant(when: datetime, offset: str) -> None:
    ts = when.strftime("%Y%m%d%H%M%S") + offset
    expected = when.replace(tzinfo=aware(offset)).astimezone(UTC)
    assert times.dtm_from_hl7(ts) == expected.strftime("%Y%m%d%H%M%S")


@given(INSTANTS, OFFSETS)
@pytest.mark.proves("IMG-037", "IMG-038")
def test_dicom_date_and_time_are_converted_with_their_zone(when: datetime, offset: str) -> None:
    expected = when.replace(tzinfo=aware(offset)).astimezone(UTC)
    dtm = times.dtm_from_dicom(when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f"), offset)
    assert dtm == expected.strftime("%Y%m%d%H%M%S")
    assert times.da_tm(expected, offset) == (when.strftime("%Y%m%d"), when.strftime("%H%M%S"))


@given(st.text(alphabet="0123456789.+-Z: D'", max_size=24))
@pytest.mark.proves("MD-087")
def test_whatever_comes_the_result_is_a_dtm_or_nothing(text: str) -> None:
    for result in (
        times.dtm_from_hl7(text),
        times.dtm_from_dicom(text[:10], text[10:]),
        times.dtm_from_pdf(text),
        times.dtm(text),
    ):
        assert result == "" or DTM(result).problem is None


@pytest.mark.parametrize(
    ("ts", "dtm"),
    [
        ("2026", "2026"),
        ("202603", "202603"),
        ("20260304", "20260304"),
        ("20260304+0100", "20260304"),
        ("2026030410+0100", "2026030409"),
        ("2026030410+0530", "202603040430"),
        ("202603040030+0100", "202603032330"),
        ("20260304003000.123456-0200", "20260304023000"),
        ("20260304103000", "20260304103000"),
        ("20260304103000Z", "20260304103000"),
        ("20161231235960", "20161231235959"),
        (" 20260304 ", "20260304"),
        ("", ""),
        ("20261304", ""),
        ("2026-03-04", ""),
        ("20260304103000+9900", ""),
        ("２０２６", ""),
    ],
)
@pytest.mark.proves("MD-087")
def test_precision_is_kept(ts: str, dtm: str) -> None:
    assert times.dtm_from_hl7(ts) == dtm


def test_a_default_zone_counts_only_where_none_is_given() -> None:
    assert times.dtm_from_hl7("202603041000", "+0100") == "202603040900"
    assert times.dtm_from_hl7("202603041000+0000", "+0100") == "202603041000"


@pytest.mark.parametrize(
    ("date", "time", "offset", "dtm"),
    [
        ("20260304", "", "+0100", "20260304"),
        ("20260304", "10", "+0100", "2026030409"),
        ("2004.01.19", "11:27:31", "", "20040119112731"),
        ("20260304", "nonsense", "", "20260304"),
        ("20260304", "250000", "", "20260304"),
        ("20260304", "103000", "CET", "20260304103000"),
        ("", "103000", "", ""),
        ("2026", "", "", ""),
    ],
)
@pytest.mark.proves("IMG-037", "IMG-038")
def test_dicom_values_as_they_are_found(date: str, time: str, offset: str, dtm: str) -> None:
    assert times.dtm_from_dicom(date, time, offset) == dtm


@pytest.mark.parametrize(
    ("text", "dtm"),
    [
        ("D:20260304103000+01'00'", "20260304093000"),
        ("D:20260304103000-0230", "20260304130000"),
        ("D:20260304103000Z", "20260304103000"),
        ("D:20260304103000Z00'00'", "20260304103000"),
        ("D:2026", "2026"),
        ("20260304", "20260304"),
        ("Wed Mar 4", ""),
    ],
)
def test_pdf_dates(text: str, dtm: str) -> None:
    assert times.dtm_from_pdf(text) == dtm
