"""What the handlers of a repository work with."""

from dataclasses import dataclass, field

from repository.ledger import Ledger
from xdsi.config import Limits
from xdsi.files.blobs import DocumentStore
from xdsi.files.custody import Custody
from xdsi.files.sightings import Sightings
from xdsi.files.staging import StagingArea


@dataclass(frozen=True, slots=True)
class Holdings:
    """unique_id: repositoryUniqueId, an OID.

    sightings: of open claims and of documents without record, by whoever does the timer's work
    """

    unique_id: str
    store: DocumentStore
    staging: StagingArea
    ledger: Ledger
    limits: Limits
    sightings: Sightings = field(default_factory=Sightings)

    @property
    def custody(self) -> Custody:
        """The store with the ledger as its records."""
        return Custody(self.store, self.ledger, self.sightings)
