"""Messages made of the types that zeep generates from our contract."""

from typing import Any

import zeep

from xdsi.standard import namespaces as ns
from xdsi.standard import urns
from xdsi.standard.attributes import DOCUMENT_ENTRY

KEYS = {row.name: row.key for row in DOCUMENT_ENTRY}


def slot(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "ValueList": {"Value": list(values)}}


def typed_submission(client: zeep.Client) -> dict[str, Any]:
    """A small submission made of the types of the schema."""

    def new(kind: str, **content: Any) -> Any:
        return client.get_type(ns.tag(ns.RIM, kind))(**content)

    entry = new(
        "ExtrinsicObjectType",
        id="Document01",
        objectType=urns.STABLE_DOCUMENT,
        mimeType="text/plain",
        Slot=[slot("creationTime", "20240102")],
        Name={"LocalizedString": [{"lang": "de-CH", "value": "Invented"}]},
        Classification=[
            new(
                "ClassificationType",
                id="c1",
                classificationScheme=KEYS["authors"],
                classifiedObject="Document01",
                nodeRepresentation="",
                Slot=[slot("authorPerson", "^Muster^Max")],
            )
        ],
        ExternalIdentifier=[
            new(
                "ExternalIdentifierType",
                id="e1",
                registryObject="Document01",
                identificationScheme=KEYS["unique_id"],
                Name={"LocalizedString": [{"value": "XDSDocumentEntry.uniqueId"}]},
                value="2.25.1",
            )
        ],
    )
    member = new(
        "AssociationType1",
        id="as1",
        associationType=urns.HAS_MEMBER,
        sourceObject="SubmissionSet01",
        targetObject="Document01",
        Slot=[slot("SubmissionSetStatus", "Original")],
    )
    return {
        "_value_1": [
            {"RegistryPackage": new("RegistryPackageType", id="SubmissionSet01")},
            {"ExtrinsicObject": entry},
            {"Association": member},
            {
                "Classification": new(
                    "ClassificationType",
                    id="c2",
                    classifiedObject="SubmissionSet01",
                    classificationNode=urns.SUBMISSION_SET_NODE,
                )
            },
        ]
    }
