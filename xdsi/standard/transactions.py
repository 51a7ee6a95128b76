"""The transactions, one row each: server routes, callers, gateways and audit all read this table.

Source: ITI TF-2 sections "Message Semantics" of each transaction (WS-001 to WS-019).
"""

from dataclasses import dataclass
from types import MappingProxyType

from xdsi.standard.namespaces import HL7V3, LCM, QUERY, RAD, RS, WADO_WS, XDS, tag


@dataclass(frozen=True, slots=True)
class Transaction:
    """One SOAP transaction.

    action, answer_action: WS-Addressing actions of request and answer
    request_tag, answer_tag: Clark names of the single Body child
    is_mtom: MTOM/XOP is the packaging the framework asks for (WS-052)
    carries_documents: requests bring document bytes (attached or inline), to be staged
    operation: name of the WSDL operation
    older_actions: of requests, from earlier editions; understood, never sent
    """

    id: str
    title: str
    action: str
    answer_action: str
    request_tag: str
    answer_tag: str
    operation: str
    is_mtom: bool = False
    carries_documents: bool = False
    older_actions: tuple[str, ...] = ()


_ITI_2007 = "urn:ihe:iti:2007:"
_ITI_2010 = "urn:ihe:iti:2010:"

REGISTER = Transaction(
    "ITI-42",
    "Register Document Set-b",
    _ITI_2007 + "RegisterDocumentSet-b",
    _ITI_2007 + "RegisterDocumentSet-bResponse",
    tag(LCM, "SubmitObjectsRequest"),
    tag(RS, "RegistryResponse"),
    "DocumentRegistry_RegisterDocumentSet-b",
)
STORED_QUERY = Transaction(
    "ITI-18",
    "Registry Stored Query",
    _ITI_2007 + "RegistryStoredQuery",
    _ITI_2007 + "RegistryStoredQueryResponse",
    tag(QUERY, "AdhocQueryRequest"),
    tag(QUERY, "AdhocQueryResponse"),
    "DocumentRegistry_RegistryStoredQuery",
)
PROVIDE_AND_REGISTER = Transaction(
    "ITI-41",
    "Provide and Register Document Set-b",
    _ITI_2007 + "ProvideAndRegisterDocumentSet-b",
    _ITI_2007 + "ProvideAndRegisterDocumentSet-bResponse",
    tag(XDS, "ProvideAndRegisterDocumentSetRequest"),
    tag(RS, "RegistryResponse"),
    "DocumentRepository_ProvideAndRegisterDocumentSet-b",
    is_mtom=True,
    carries_documents=True,
)
RETRIEVE = Transaction(
    "ITI-43",
    "Retrieve Document Set",
    _ITI_2007 + "RetrieveDocumentSet",
    _ITI_2007 + "RetrieveDocumentSetResponse",
    tag(XDS, "RetrieveDocumentSetRequest"),
    tag(XDS, "RetrieveDocumentSetResponse"),
    "DocumentRepository_RetrieveDocumentSet",
    is_mtom=True,
)

MULTI_PATIENT_QUERY = Transaction(
    "ITI-51",
    "Multi-Patient Stored Query",
    "urn:ihe:iti:2009:MultiPatientStoredQuery",
    "urn:ihe:iti:2009:MultiPatientStoredQueryResponse",
    tag(QUERY, "AdhocQueryRequest"),
    tag(QUERY, "AdhocQueryResponse"),
    "DocumentRegistry_MultiPatientStoredQuery",
)
UPDATE = Transaction(
    "ITI-57",
    "Update Document Set",
    _ITI_2010 + "UpdateDocumentSet",
    _ITI_2010 + "UpdateDocumentSetResponse",
    tag(LCM, "SubmitObjectsRequest"),
    tag(RS, "RegistryResponse"),
    "DocumentRegistry_UpdateDocumentSet",
)
REGISTER_ON_DEMAND = Transaction(
    "ITI-61",
    "Register On-Demand Document Entry",
    _ITI_2010 + "RegisterOnDemandDocumentEntry",
    # not ...EntryResponse
    _ITI_2010 + "RegisterOnDemandDocumentResponse",
    tag(LCM, "SubmitObjectsRequest"),
    tag(RS, "RegistryResponse"),
    "DocumentRegistry_RegisterOnDemandDocumentEntry",
)
REMOVE_METADATA = Transaction(
    "ITI-62",
    "Remove Metadata",
    # its old name, Delete Document Set, lives on here
    _ITI_2010 + "DeleteDocumentSet",
    _ITI_2010 + "DeleteDocumentSetResponse",
    tag(LCM, "RemoveObjectsRequest"),
    tag(RS, "RegistryResponse"),
    "DocumentRegistry_DeleteDocumentSet",
)
RESTRICTED_UPDATE = Transaction(
    "ITI-92",
    "Restricted Update Document Set",
    "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
    "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse",
    tag(LCM, "SubmitObjectsRequest"),
    tag(RS, "RegistryResponse"),
    "UpdateResponder_RestrictedUpdateDocumentSet",
)
PATIENT_ADDED = Transaction(
    "ITI-44-301",
    "Patient Identity Feed HL7 V3: added",
    HL7V3 + ":PRPA_IN201301UV02",
    HL7V3 + ":MCCI_IN000002UV01",
    tag(HL7V3, "PRPA_IN201301UV02"),
    tag(HL7V3, "MCCI_IN000002UV01"),
    "DocumentRegistry_PRPA_IN201301UV02",
)
PATIENT_REVISED = Transaction(
    "ITI-44-302",
    "Patient Identity Feed HL7 V3: revised",
    HL7V3 + ":PRPA_IN201302UV02",
    HL7V3 + ":MCCI_IN000002UV01",
    tag(HL7V3, "PRPA_IN201302UV02"),
    tag(HL7V3, "MCCI_IN000002UV01"),
    "DocumentRegistry_PRPA_IN201302UV02",
)
PATIENT_MERGED = Transaction(
    "ITI-44-304",
    "Patient Identity Feed HL7 V3: duplicates resolved",
    HL7V3 + ":PRPA_IN201304UV02",
    HL7V3 + ":MCCI_IN000002UV01",
    tag(HL7V3, "PRPA_IN201304UV02"),
    tag(HL7V3, "MCCI_IN000002UV01"),
    "DocumentRegistry_PRPA_IN201304UV02",
)
PATIENT_FEED = (PATIENT_ADDED, PATIENT_REVISED, PATIENT_MERGED)
# answered at once; the deferred form has actions of its own, which nobody here serves
PATIENT_DISCOVERY = Transaction(
    "ITI-55",
    "Cross Gateway Patient Discovery",
    HL7V3 + ":PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
    HL7V3 + ":PRPA_IN201306UV02:CrossGatewayPatientDiscovery",
    tag(HL7V3, "PRPA_IN201305UV02"),
    tag(HL7V3, "PRPA_IN201306UV02"),
    "RespondingGateway_PRPA_IN201305UV02",
)
# their answers bear no status of ebXML: the codecs judge them
HL7_V3 = frozenset({*PATIENT_FEED, PATIENT_DISCOVERY})

RETRIEVE_IMAGING = Transaction(
    "RAD-69",
    "Retrieve Imaging Document Set",
    "urn:ihe:rad:2009:RetrieveImagingDocumentSet",
    # the answer is that of ITI-43 (IMG-074)
    _ITI_2007 + "RetrieveDocumentSetResponse",
    tag(RAD, "RetrieveImagingDocumentSetRequest"),
    tag(XDS, "RetrieveDocumentSetResponse"),
    "ImagingDocumentSource_RetrieveImagingDocumentSet",
    is_mtom=True,
)
RETRIEVE_RENDERED = Transaction(
    "WADO-WS",
    "Retrieve Rendered Imaging Document Set",
    WADO_WS + ":RetrieveRenderedImagingDocumentSet",
    WADO_WS + ":RetrieveRenderedImagingDocumentSetResponse",
    tag(WADO_WS, "RetrieveRenderedImagingDocumentSetRequest"),
    tag(WADO_WS, "RetrieveRenderedImagingDocumentSetResponse"),
    "ImagingDocumentSource_RetrieveRenderedImagingDocumentSet",
    is_mtom=True,
    older_actions=("urn:dicom:ws:wado:2011:RetrieveRenderedImagingDocumentSet",),
)

# between gateways; the messages are those of ITI-18, ITI-43 and RAD-69 (XC-003, XC-113)
CROSS_GATEWAY_QUERY = Transaction(
    "ITI-38",
    "Cross Gateway Query",
    _ITI_2007 + "CrossGatewayQuery",
    _ITI_2007 + "CrossGatewayQueryResponse",
    tag(QUERY, "AdhocQueryRequest"),
    tag(QUERY, "AdhocQueryResponse"),
    "RespondingGateway_CrossGatewayQuery",
)
CROSS_GATEWAY_RETRIEVE = Transaction(
    "ITI-39",
    "Cross Gateway Retrieve",
    _ITI_2007 + "CrossGatewayRetrieve",
    _ITI_2007 + "CrossGatewayRetrieveResponse",
    tag(XDS, "RetrieveDocumentSetRequest"),
    tag(XDS, "RetrieveDocumentSetResponse"),
    "RespondingGateway_CrossGatewayRetrieve",
    is_mtom=True,
)
CROSS_GATEWAY_RETRIEVE_IMAGING = Transaction(
    "RAD-75",
    "Cross Gateway Retrieve Imaging Document Set",
    "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet",
    "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSetResponse",
    tag(RAD, "RetrieveImagingDocumentSetRequest"),
    tag(XDS, "RetrieveDocumentSetResponse"),
    "RespondingGateway_CrossGatewayRetrieveImagingDocumentSet",
    is_mtom=True,
)

# plain HTTP: no SOAP, so no row (RAD TF-2 4.55, 4.107; DICOM PS3.18 10.5, 10.6)
WADO_URI = "RAD-55"
WADO_RS = "RAD-107"
STOW_RS = "STOW-RS"
QIDO_RS = "QIDO-RS"

# HL7 v2 over MLLP: no SOAP, so no row (TF-2 3.8)
PATIENT_IDENTITY_FEED = "ITI-8"

TRANSACTIONS = MappingProxyType(
    {
        row.id: row
        for row in (
            REGISTER,
            STORED_QUERY,
            PROVIDE_AND_REGISTER,
            RETRIEVE,
            MULTI_PATIENT_QUERY,
            UPDATE,
            REGISTER_ON_DEMAND,
            REMOVE_METADATA,
            RESTRICTED_UPDATE,
            *PATIENT_FEED,
            PATIENT_DISCOVERY,
            RETRIEVE_IMAGING,
            RETRIEVE_RENDERED,
            CROSS_GATEWAY_QUERY,
            CROSS_GATEWAY_RETRIEVE,
            CROSS_GATEWAY_RETRIEVE_IMAGING,
        )
    }
)
