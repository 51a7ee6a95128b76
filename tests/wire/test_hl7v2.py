"""HL7 v2 messages as events, and their acknowledgements, read back by the library."""

import tracemalloc
from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feed import Ack, adt, msh
from xdsi.model.errors import XDSRegistryBusy, XDSRegistryError, XDSUnknownPatientId
from xdsi.model.identity import Acknowledgement, Act, Demographics, IdentityEvent
from xdsi.model.manifest import IssuedId
from xdsi.standard import hl7 as tables
from xdsi.wire.hl7v2 import (
    ACTS,
    IDS,
    SEGMENT,
    Header,
    Refused,
    acknowledgement_to_er7,
    event_from_er7,
    header_of,
    listed,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ID = "77^^^&1.2.3&ISO"


def read(message: str | bytes) -> IdentityEvent:
    data = message.encode() if isinstance(message, str) else message
    return event_from_er7(data, header_of(data))


def refused(message: str | bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read(message)
    assert caught.value.condition in tables.CONDITIONS
    return caught.value


def ack(message: str | bytes, answer: Acknowledgement | Refused = Acknowledgement()) -> Ack:
    data = message.encode() if isinstance(message, str) else message
    written = acknowledgement_to_er7(header_of(data), answer, NOW, "C1")
    assert written.endswith(b"\r") and written.count(b"\rMSA") == 1
    return Ack(hl7.parse(written.decode("latin_1")))


# reading


@pytest.mark.proves("PIF-014", "PIF-020")
@pytest.mark.parametrize("structure", ["", "^ADT_A01", "^ADT_A39", "^ADT_A05"])
@pytest.mark.parametrize("event", ACTS)
def test_events_are_told_by_their_trigger(event: str, structure: str) -> None:
    mrg = "88^^^&1.2.3&ISO" if event == "A40" else None
    found = read(adt(event, ID, mrg=mrg, f9=f"ADT^{event}{structure}"))
    assert found.act is ACTS[event]
    assert found.ids == (IssuedId("77", "", "1.2.3", "ISO"),)
    assert found.subsumed == ((IssuedId("88", "", "1.2.3", "ISO"),) if mrg else ())


@pytest.mark.proves("PIF-020")
def test_only_header_and_pid_are_needed() -> None:
    assert read(msh("A01") + f"\rPID|||{ID}").act is Act.ADD


IDENTIFIERS = {
    "all of it": ("7^^^NS&1.2&ISO", (IssuedId("7", "NS", "1.2", "ISO"),)),
    "namespace": ("7^^^NS", (IssuedId("7", "NS"),)),
    "bare": ("7", (IssuedId("7"),)),
    "several": ("7^^^A~8^^^&1.2&ISO", (IssuedId("7", "A"), IssuedId("8", "", "1.2", "ISO"))),
    "empty ones between": ("~^^^A~8^^^B~", (IssuedId("8", "B"),)),
    "check digit and type": ("7^1^M10^A^MR^B", (IssuedId("7", "A"),)),
    "escaped": (r"7\T\8\S\9\F\\R\\E\0", (IssuedId("7&8^9|~\\0"),)),
    "hex": (r"7\XC3A4\8", (IssuedId("7ä8"),)),
    "blanks": (" 7 ^^^ A ", (IssuedId("7", "A"),)),
}


@pytest.mark.proves("PIF-021")
@pytest.mark.parametrize(("text", "expected"), IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_identifiers_are_read(text: str, expected: tuple[IssuedId, ...]) -> None:
    assert read(adt("A01", text)).ids == expected
    assert read(adt("A40", "1^^^A", mrg=text)).subsumed == expected


@pytest.mark.proves("PIF-012")
def test_delimiters_come_from_the_message() -> None:
    message = adt("A01", "7^^^N&1.2&ISO~9^^^M", f13="").translate(str.maketrans("|^~\\&", "#*%!;"))
    assert message.startswith("MSH#*%!;#")
    found = read(message)
    assert found.ids == (IssuedId("7", "N", "1.2", "ISO"), IssuedId("9", "M"))
    assert found.demographics.family == "Example"
    answer = acknowledgement_to_er7(header_of(message.encode()), Acknowledgement(), NOW, "C1")
    assert answer.startswith(b"MSH#*%!;#XDSI#REGISTRY#INVENTED_ADT#")


@pytest.mark.proves("PIF-011")
@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_line_feeds_behind_the_terminator_are_read_past(end: str) -> None:
    message = adt("A01", ID).replace("\r", end)
    assert read(message).ids == read(end + message).ids == (IssuedId("77", "", "1.2.3", "ISO"),)
    assert ack(message).control_id == header_of(message.encode()).field(10)


CHARSETS = {
    "none, ASCII": ("", "ascii", "Example"),
    "none, UTF-8": ("", "utf-8", "Müller-Ωmega"),
    "ASCII": ("ASCII", "ascii", "Example"),
    "Latin 1": ("8859/1", "latin-1", "Müller"),
    "Latin 2": ("8859/2", "iso8859-2", "Dvořák"),
    "Greek": ("8859/7", "iso8859-7", "Ωμέγα"),
    "Cyrillic": ("8859/5", "iso8859-5", "Пример"),
    "UTF-8": ("UNICODE UTF-8", "utf-8", "例え"),
    "UTF-8 first of two": ("UNICODE UTF-8~8859/1", "utf-8", "Müller"),
}


@pytest.mark.proves("PIF-015")
@pytest.mark.parametrize(("name", "codec", "text"), CHARSETS.values(), ids=CHARSETS)
def test_character_set_is_that_of_msh_18(name: str, codec: str, text: str) -> None:
    message = adt("A01", ID, name=f"{text}^Erika", f18=name, f3=text).encode(codec)
    assert read(message).demographics.family == text
    written = acknowledgement_to_er7(header_of(message), Acknowledgement(), NOW, "C1")
    # echoed as it came
    assert f"|{text}|".encode(codec) in written
    assert hl7.parse(written.decode(codec)).segment("MSH")(5)[0] == text


@pytest.mark.proves("PIF-016", "PIF-018")
@pytest.mark.parametrize("version", [*sorted(tables.VERSIONS), "2.5^AUT"])
def test_versions_are_taken(version: str) -> None:
    message = adt("A01", ID, f12=version, f13="")
    assert read(message).act is Act.ADD
    assert str(ack(message).message.segment("MSH")(12)) == version


def test_demographics_are_read() -> None:
    lines = [
        msh("A01"),
        "PID||2^^^&1.2.9&ISO~3&4|" + ID + "|4^^^OLD|Maiden^Erika^^^^^M~Example^Erika^M.^^^^L||"
        "19700131123000+0100|f|||1 Street&1&A^x^Town^State^1010^AT~2 Other",
    ]
    assert read("\r".join(lines)).demographics == Demographics(
        "Example", "Erika M.", "19700131", "F", "1 Street", "Town", "State", "1010", "AT",
        (IssuedId("2", "", "1.2.9", "ISO"), IssuedId("4", "OLD")),
    )  # fmt: skip
    for pid in (f'PID|||{ID}||""||""|""|||""', f"PID|||{ID}", f"PID|||{ID}||^^||x|?|||^^^"):
        assert read(f"{msh('A08')}\r{pid}").demographics == Demographics()


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("19700131", "19700131"), ("197001", "197001"), ("1970013", "197001"), ("1970", "1970"),
     ("197", None), ("", None)],
)  # fmt: skip
def test_birth_date_keeps_its_precision(digits: str, expected: str | None) -> None:
    assert read(f"{msh('A01')}\rPID|||7||||{digits}").demographics.birth_date == expected


# refusing

GOOD = adt("A01", ID)
MERGE = adt("A40", ID, mrg="8")
# message -> (rejected, condition, location)
REFUSED: dict[str, tuple[str | bytes, bool, int, str]] = {
    "nothing": ("", True, 100, ""),
    "no header": (GOOD.partition("\r")[2], True, 100, ""),
    "header cut": ("MSH", True, 100, ""),
    "header of delimiters": ("MSH|", True, 100, ""),
    "one encoding character": ("MSH|^|A", True, 100, ""),
    "equal encoding characters": (GOOD.replace("^~\\&", "^^\\&", 1), True, 100, ""),
    "letters as delimiters": (GOOD.replace("^~\\&", "AB\\&", 1), True, 100, ""),
    "binary": (bytes(range(256)), True, 100, ""),
    "no type": (adt("A01", ID, f9=""), True, 200, "MSH^1^9^1^1"),
    "another type": (adt("A01", ID, f9="ORU^R01"), True, 200, "MSH^1^9^1^1"),
    "no event": (adt("A01", ID, f9="ADT"), True, 201, "MSH^1^9^1^2"),
    "another event": (adt("A03", ID), True, 201, "MSH^1^9^1^2"),
    "no version": (adt("A01", ID, f12=""), True, 203, "MSH^1^12"),
    "another version": (adt("A01", ID, f12="3.0"), True, 203, "MSH^1^12"),
    "old version": (adt("A01", ID, f12="2.2"), True, 203, "MSH^1^12"),
    **{
        f"no MSH-{n}": (adt("A01", ID, **{f"f{n}": ""}), False, 101, f"MSH^1^{n}")
        for n in (3, 4, 5, 6, 7, 10, 11)
    },
    "another processing": (adt("A01", ID, f11="X"), True, 202, "MSH^1^11"),
    "unknown character set": (adt("A01", ID, f18="EBCDIC"), False, 103, "MSH^1^18"),
    "wide character set": (adt("A01", ID, f18="UNICODE UTF-16"), False, 103, "MSH^1^18"),
    "not its character set": (
        adt("A01", ID, name="Müller", f18="UNICODE UTF-8").encode("latin-1"),
        True, 102, "MSH^1^18"),
    "not even UTF-8": (adt("A01", ID, name="Müller").encode("latin-1"), True, 102, "MSH^1^18"),
    "not ASCII": (adt("A01", ID, name="Müller", f18="ASCII"), True, 102, "MSH^1^18"),
    "no PID": (msh("A01") + "\rEVN|A01", False, 100, "PID"),
    "PID mistyped": (GOOD.replace("PID|", "PIDX|"), False, 100, "PID"),
    "two PID": (GOOD + "PID|||8", False, 100, "PID"),
    "no PID-3": (GOOD.replace(ID, ""), False, 101, "PID^1^3"),
    "PID-3 without id": (GOOD.replace(ID, "^^^&1.2.3&ISO"), False, 101, "PID^1^3"),
    "PID-3 deleted": (GOOD.replace(ID, '""'), False, 101, "PID^1^3"),
    "PID ends early": (msh("A01") + "\rPID|1", False, 101, "PID^1^3"),
    "too many identifiers": (GOOD.replace(ID, "~".join(["7"] * (IDS + 1))), False, 102, "PID^1^3"),
    "identifier with a delimiter": (GOOD.replace(ID, "7&8^^^A"), False, 102, "PID^1^3"),
    "subsumed with a delimiter": (MERGE.replace("MRG|8", "MRG|8&9"), False, 102, "MRG^1^1"),
    "PID too long": (GOOD.replace("Town", "x" * SEGMENT), False, 102, "PID"),
    "no MRG": (adt("A40", ID), False, 100, "MRG"),
    "two MRG": (MERGE + "MRG|9", False, 100, "MRG"),
    "MRG without id": (MERGE.replace("MRG|8", "MRG|"), False, 101, "MRG^1^1"),
}  # fmt: skip


@pytest.mark.proves("PIF-013", "PIF-025", "PIF-030", "PIF-031", "PIF-051", "PIF-052", "PIF-055")
@pytest.mark.parametrize(
    ("message", "rejected", "condition", "location"), REFUSED.values(), ids=REFUSED
)
def test_message_is_refused_by_name(
    message: str | bytes, rejected: bool, condition: int, location: str
) -> None:
    found = refused(message)
    assert (found.is_rejected, found.condition, found.location) == (rejected, condition, location)
    answer = ack(message, found)
    assert answer.code == ("AR" if rejected else "AE")
    assert answer.conditions == [(location, str(condition))]


@given(st.binary(max_size=300))
def test_any_octets_are_an_event_or_refused(data: bytes) -> None:
    for message in (data, b"MSH|^~\\&|" + data, GOOD.encode().replace(b"Example", data)):
        header = header_of(message)
        try:
            event_from_er7(message, header)
        except Refused as found:
            acknowledgement_to_er7(header, found, NOW, "C1")
        assert acknowledgement_to_er7(header, Acknowledgement(), NOW, "C1").count(b"\r") == 2


SEPARATORS = "|^~\\&"
ESCAPES = {ord(s): f"\\{n}\\" for s, n in zip(SEPARATORS, "FSREE", strict=True)} | {
    ord("\\"): "\\E\\", ord("&"): "\\T\\",
}  # fmt: skip
plain = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20
).filter(lambda text: text != '""')


@given(st.lists(st.tuples(plain, plain, plain), min_size=1, max_size=5))
def test_any_text_comes_through_escaped(ids: list[tuple[str, str, str]]) -> None:
    def field(*texts: str) -> list[str]:
        return [each.translate(ESCAPES) for each in texts]

    written = "~".join(
        f"{value}^^^{name}&{oid}&ISO" for value, name, oid in (field(*each) for each in ids)
    )
    assert read(adt("A01", written)).ids == tuple(
        IssuedId(value, name, oid, "ISO") for value, name, oid in ids
    )


def test_a_message_cannot_make_itself_long() -> None:
    bomb = "7" + r"\.sp999999999\\.in99999999999999\\H\\C2842\\X\\Xqq\\Z9\8"
    assert read(adt("A01", bomb)).ids == (IssuedId("78"),)
    tracemalloc.start()
    long = adt("A01", ID, f20="|" * 100_000) + "OBX|" + "~^&" * 300_000
    assert read(long).act is Act.ADD
    many = refused(adt("A01", ID) + "PID|\r" * 200_000)
    assert many.location == "PID"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * len(long)


def test_the_longest_segment_is_read_in_bounded_memory() -> None:
    pid = f"PID|||{ID}||"
    message = f"{msh('A01')}\r{pid}" + ("~^&" * SEGMENT)[: SEGMENT - len(pid)]
    tracemalloc.start()
    assert read(message).ids == (IssuedId("77", "", "1.2.3", "ISO"),)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


# answering


@pytest.mark.proves("PIF-050", "PIF-051", "PIF-054")
def test_acknowledgement_goes_back_where_the_message_came_from() -> None:
    message = adt("A04", ID, f3="APP^1.2^ISO", f10="CONTROL/1", f11="T", f12="2.5")
    written = acknowledgement_to_er7(header_of(message.encode()), Acknowledgement(), NOW, "C1")
    assert written == (
        b"MSH|^~\\&|XDSI|REGISTRY|APP^1.2^ISO|INVENTED_HOSPITAL|20261124120000+0000||ACK^A04|C1|T|"
        b"2.5\rMSA|AA|CONTROL/1\r"
    )
    assert ack("no header").text.startswith("MSH|^~\\&|||||20261124120000+0000||ACK|C1|P|2.3.1\r")


@pytest.mark.proves("PIF-050", "PIF-053", "PIF-055")
def test_findings_are_told_in_err() -> None:
    unknown = XDSUnknownPatientId("a|b^c", "is ~unknown\\ & ä", rule="PIF-032")
    equal = XDSRegistryError("d", "e", rule="PIF-032")
    answer = ack(GOOD, Acknowledgement((unknown, equal)))
    assert answer.code == "AE"
    assert answer.conditions == [("", "204"), ("", "205")]
    err = answer.message.segments("ERR")[0]
    assert answer.message.unescape(str(err(8))) == "a|b^c: is ~unknown\\ & ? [PIF-032]"
    assert str(err(3)) == "204^Unknown key identifier^HL70357" and str(err(4)) == "E"
    text = answer.message.unescape(str(answer.message.segment("MSA")(3)))
    assert text.startswith("a|b^c: is ")


@pytest.mark.parametrize(
    "error",
    [XDSRegistryBusy("database", "busy"), XDSRegistryError("database", "lost", rule="SEC-T-017")],
    ids=["busy", "lost"],
)
def test_a_failure_of_ours_is_a_rejection(error: XDSRegistryError) -> None:
    answer = ack(GOOD, Acknowledgement((error,)))
    assert answer.code == "AR" and answer.conditions == [("", "207")]


def test_an_echo_is_bounded() -> None:
    message = adt("A01", ID, f3="x" * 100_000, f10="y" * 100_000)
    assert len(ack(message).text) < 2_000


@pytest.mark.proves("PIF-005")
def test_senders_are_told_by_application_and_facility() -> None:
    header = header_of(adt("A01", ID, f3="APP^1.2^ISO").encode())
    assert listed((), header) and listed(("B|C", "APP|INVENTED_HOSPITAL"), header)
    assert not listed(("APP|",), header) and not listed(("A|B",), Header())


@pytest.mark.proves("PIF-010", "PIF-055")
def test_the_signs_of_a_frame_are_not_echoed() -> None:
    header = header_of(b"MSH|^~\\&|A\x0bB|F|C|D|20260101||ADT^A01|7\x1c7|P|2.3.1\r")
    answer = Refused(tables.SEGMENT_SEQUENCE, "frame: broken", is_rejected=True)
    written = acknowledgement_to_er7(header, answer, NOW, "1")
    assert not {0x0B, 0x1C} & set(written)
    assert b"MSA|AR|77|" in written
