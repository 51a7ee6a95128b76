"""lcm:SubmitObjectsRequest: the message of ITI-42, ITI-57, ITI-61 and the head of ITI-41.

Source: ITI TF-3 4.2.1.5; ebRS 3.0 schema (MD-057).
"""

from xdsi.model.errors import XDSRegistryMetadataError
from xdsi.model.messages import Submission
from xdsi.model.objects import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xdsi.standard.namespaces import LCM, RIM, RS, tag
from xdsi.wire import ebrim
from xdsi.wire.body import Body, Element, Parts
from xdsi.wire.ebrim_reader import objects_from_list
from xdsi.wire.frame import allow, expect, only

# Beyond it nothing is read: the configured limit cannot be higher (SEC-T-051).
MOST_OBJECTS = 20_000

TAG = tag(LCM, "SubmitObjectsRequest")
_LIST = tag(RIM, "RegistryObjectList")
_SLOTS = tag(RS, "RequestSlotList")

_START = f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>'
_END = b"</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"


def submission_from_xml(element: Element, parts: Parts) -> Submission:
    """The objects, and as findings what is wrong with their form. parts: not looked at.

    ObjectRefs and the RequestSlotList are read past.
    Raises SoapFault where the frame is wrong: another element, no or several object lists.
    """
    expect(element, TAG)
    allow(element, _SLOTS, _LIST)
    listed = only(element, _LIST)
    if len(listed) > MOST_OBJECTS:
        problem = f"{len(listed)} objects, allowed are {MOST_OBJECTS} at most; split it"
        return Submission(
            findings=(XDSRegistryMetadataError("Submission", problem, rule="SEC-T-051"),)
        )
    found, findings = objects_from_list(listed)
    return Submission(
        submission_sets=tuple([one for one in found if isinstance(one, SubmissionSet)]),
        entries=tuple([one for one in found if isinstance(one, DocumentEntry)]),
        folders=tuple([one for one in found if isinstance(one, Folder)]),
        associations=tuple([one for one in found if isinstance(one, Association)]),
        findings=findings,
    )


def submission_to_xml(submission: Submission) -> Body:
    """The element in one piece; findings have no wire form."""
    objects: tuple[RegistryObject, ...] = (
        *submission.submission_sets,
        *submission.entries,
        *submission.folders,
        *submission.associations,
    )
    return (b"".join((_START.encode(), *map(ebrim.to_request, objects), _END)),)
