"""Ids without a row, and the tests that show them instead."""

from tests.errors.table import Reason

LEAF = ("registry/test_leafclass.py::test_answers_pass_the_validator",)


def _iti42(name: str) -> tuple[str, ...]:
    return (f"registry/test_iti42.py::{name}",)


def _effect(name: str) -> Reason:
    return Reason("what a good submission does, no error", _iti42(name))


_ANSWER = Reason("about answers of queries", LEAF)

REASONS: dict[str, Reason] = {
    "REG-078": _effect("test_submitted_status_and_version_are_ignored"),
    "REG-085": Reason(
        "a merge is made by the identity feed, which rewrites the patient of what is stored",
        ("registry/test_iti18.py::test_a_merged_patient_is_found_under_the_survivor",),
    ),
    "REG-101": _effect("test_a_replacement_enters_the_folders_of_its_target"),
    "REG-102": _effect("test_the_registry_alone_sets_the_time_of_a_folder"),
    "REG-103": _effect("test_the_registry_alone_sets_the_time_of_a_folder"),
    "REG-104": Reason(
        "no error of its own: every refused row leaves the time as it was",
        _iti42("test_a_refused_replacement_changes_neither_status_nor_folder"),
    ),
    "REG-113": _effect("test_a_replacement_deprecates_its_target_and_all_that_hangs_on_it"),
    "REG-115": _effect("test_a_replacement_enters_a_folder_once"),
    "REG-117": Reason(
        "a code that must never come",
        ("model/test_errors.py::test_codes_are_listed_ones_or_collide_with_none",),
    ),
    "REG-121": _effect("test_several_entries_of_one_submission_may_replace_one"),
    "REG-122": _effect("test_documentation_of_a_relationship_comes_back"),
    "4.10": _effect("test_a_replacement_deprecates_its_target_and_all_that_hangs_on_it"),
    "4.11": _effect("test_a_replacement_enters_the_folders_of_its_target"),
    "4.12": _effect("test_the_registry_alone_sets_the_time_of_a_folder"),
    "5.5": Reason(
        "every refused row leaves the content as it was, those of 5.1 to 5.3 too",
        ("errors/test_table.py::test_row",),
    ),
    "5.6": Reason(
        "no error where the domain names no MIME types",
        ("repository/test_iti43.py::test_documents_come_with_their_type_size_and_octets",),
    ),
    "5.7": Reason(
        "every row without an answer of its own at ITI-41 says the same as at ITI-42",
        ("errors/test_table.py::test_row",),
    ),
    "5.9": Reason(
        "about ITI-43",
        ("repository/test_iti43.py::test_documents_come_with_their_type_size_and_octets",),
    ),
    "5.10": Reason(
        "about packaging",
        (
            "errors/test_over_http.py::test_refusal_over_http",
            "server/test_dialects.py::test_simple_soap_to_an_mtom_action_is_answered_in_simple_soap",
        ),
    ),
    "5.11": Reason(
        "no error of its own", ("errors/test_table.py::test_ids_of_a_refused_message_are_free",)
    ),
    **{f"6.{number}": _ANSWER for number in range(1, 9)},
    "6.9": Reason(
        "about answers of gateways",
        (
            "actors/gateway/test_iti38.py::test_every_object_carries_our_home_and_is_else_as_the_registry_has_it",
        ),
    ),
    "6.10": Reason(
        "about answers of queries", ("registry/test_iti18.py::test_a_query_is_refused",)
    ),
    "8 Expected error text": Reason(
        "every row compares errorCode, severity and parts of codeContext",
        ("errors/test_table.py::test_row",),
    ),
}

# Where checklist and register.md differ, the latter counts:
# - 1.8: a dangling symbol is UnresolvedReferenceException (REG-062);
# - 1.11: XFRM, APND and signs may lead into the message (REG-111), one tool refuses it;
# - 4.5: XDSRegistryDuplicateUniqueIdInMessage (REG-096), one simulator says MetadataError;
# - 3 DocumentEntry.uniqueId: opaque (MD-088), one tool demands an OID.
