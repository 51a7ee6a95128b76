"""Times of foreign formats as DTM: UTC, digits only, with the precision they came with.

DICOM has a date, a time and an offset in three attributes, HL7 v3 one TS with an optional zone,
PDF its own form of the same. A value without zone is taken as UTC unless a zone is given; a
value without a time of day is no instant and stays the date it is.
Source: ITI TF-3 4.2.3.1.7 (MD-087); DICOM PS3.5 6.2; HL7 v3 TS; ISO 32000-1 7.9.4.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

_ZONE = re.compile(r"[+-]\d{4}")
_TS = re.compile(r"(\d{4}(?:\d\d){0,5})(?:\.\d*)?([+-]\d{4}|Z)?")
_PDF = re.compile(
    r"(?:D:)?(\d{4}(?:\d\d){0,5})(?:([+\-Z])(?:(\d\d)'?(?:(\d\d)'?)?)?)?.*", re.DOTALL
)
_FHIR = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d*)?)?([+-]\d\d:\d\d|Z)?)?)?)?"
)
_DICOM_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_DICOM_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.\d{0,6})?)?)?")
_FORMS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def zone(offset: str) -> timezone | None:
    """`+0100` as a time zone; None when the text is no offset of less than a day."""
    if not _ZONE.fullmatch(offset) or int(offset[1:3]) > 23 or int(offset[3:]) > 59:
        return None
    delta = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-delta if offset[0] == "-" else delta)


def dtm(digits: str, offset: str = "") -> str:
    """A time of `YYYY` to `YYYYMMDDhhmmss` in the zone `offset` as DTM; "" when it is no time.

    A leap second becomes second 59. Hours move with their zone; where the zone has minutes, a
    value of hour precision gains the minutes, for it would name another hour without them.
    """
    form = _FORMS.get(len(digits))
    if form is None or not digits.isascii() or not digits.isdigit():
        return ""
    if len(digits) == 14 and digits.endswith("60"):
        digits = digits[:12] + "59"
    try:
        when = datetime.strptime(digits, form)
        if len(digits) < 10:
            return digits
        where = zone(offset) or UTC
        moved = when.replace(tzinfo=where).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    if len(digits) == 10 and moved.minute:
        form = _FORMS[12]
    return f"{moved.year:04d}" + moved.strftime(form[2:])  # strftime does not pad years


def dtm_from_dicom(date: str, time: str = "", offset: str = "") -> str:
    """Date (DA) and time (TM) in the zone `offset` (0008,0201) as DTM; "" without a date."""
    day = _DICOM_DATE.fullmatch(date.strip())
    if not day:
        return ""
    clock = _DICOM_TIME.fullmatch(time.strip())
    hours = "".join(part or "" for part in clock.groups()) if clock else ""
    return dtm("".join(day.groups()) + hours, offset.strip()) or dtm("".join(day.groups()))


def plain_date(date: str) -> str:
    """A DICOM date, in today's or the old form with dots, as YYYYMMDD; "" when it is no day."""
    day = _DICOM_DATE.fullmatch(date.strip())
    return dtm("".join(day.groups())) if day else ""


def plain_time(time: str) -> str:
    """A DICOM time, in today's or the old form with colons, without colons; "" when it is none."""
    time = time.strip()
    return time.replace(":", "") if _DICOM_TIME.fullmatch(time) else ""


def dtm_from_hl7(ts: str, default_offset: str = "") -> str:
    """An HL7 TS (`YYYY[MM[DD[HH[MM[SS[.f]]]]]][+/-ZZzz]`) as DTM; "" when it is none."""
    found = _TS.fullmatch(ts.strip())
    if not found:
        return ""
    offset = found[2] or default_offset
    if found[2] and found[2] != "Z" and zone(found[2]) is None:
        return ""
    return dtm(found[1], offset)


def dtm_from_fhir(text: str) -> str:
    """A FHIR date, dateTime or instant as DTM; "" when it is none."""
    found = _FHIR.fullmatch(text.strip())
    if not found:
        return ""
    digits = "".join(part or "" for part in found.groups()[:6])
    return dtm(digits, (found[7] or "").replace(":", ""))


def dtm_from_pdf(text: str) -> str:
    """A PDF date (`D:YYYYMMDDHHmmSSOHH'mm'`) as DTM; "" when it is none."""
    found = _PDF.fullmatch(text.strip())
    if not found:
        return ""
    sign = found[2] if found[2] in ("+", "-") else ""
    return dtm(found[1], f"{sign}{found[3] or '00'}{found[4] or '00'}" if sign else "")


def da_tm(when: datetime, offset: str) -> tuple[str, str]:
    """An aware time as DICOM date and time in the zone `offset`."""
    local = when.astimezone(zone(offset) or UTC)
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")
