"""Codes of Cross Gateway Patient Discovery.

Source: ITI TF-2 3.55.4.1.2, 3.55.4.2.2, 3.55.4.2.3 (XC-095, XC-103, XC-107).
"""

from types import MappingProxyType

# parameter of the query -> semanticsText; in the order of the schema
PARAMETERS = MappingProxyType(
    {
        "livingSubjectAdministrativeGender": "LivingSubject.administrativeGender",
        "livingSubjectBirthPlaceAddress": "LivingSubject.BirthPlace.Addr",
        "livingSubjectBirthPlaceName": "LivingSubject.BirthPlace.Place.Name",
        "livingSubjectBirthTime": "LivingSubject.birthTime",
        "livingSubjectId": "LivingSubject.id",
        "livingSubjectName": "LivingSubject.name",
        "mothersMaidenName": "Person.MothersMaidenName",
        "patientAddress": "Patient.addr",
        "patientTelecom": "Patient.telecom",
        "principalCareProviderId": "AssignedProvider.id",
    }
)

# what a responder may ask for besides
REQUESTED = "1.3.6.1.4.1.19376.1.2.27.1"
SEX_REQUESTED = "LivingSubjectAdministrativeGenderRequested"
ADDRESS_REQUESTED = "PatientAddressRequested"
# those of which a registry knows anything, by the name they have here
REQUESTABLE = MappingProxyType({"sex": SEX_REQUESTED, "address": ADDRESS_REQUESTED})

# whether a community answers where else a patient has documents
LOCATOR = "1.3.6.1.4.1.19376.1.2.27.2"
NO_LOCATOR = "NotHealthDataLocator"
IS_LOCATOR = "SupportsHealthDataLocator"

# why there is no answer
PROBLEMS = "1.3.6.1.4.1.19376.1.2.27.3"
BUSY = "ResponderBusy"
NOT_AVAILABLE = "AnswerNotAvailable"
INTERNAL = "InternalError"

# refused, since an answer at another time was asked for; a code for details of acknowledgements
NOT_DEFERRED = "NS250"
DETAILS = "2.16.840.1.113883.5.1100"

ISSUE = "_ActAdministrativeDetectedIssueManagementCode"
ISSUES = "2.16.840.1.113883.5.4"

# what an answer says of how well a patient matches (queryMatchObservation)
DEGREE = "IHE_PDQ"
