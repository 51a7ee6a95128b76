"""Register Document Set-b [ITI-42].

Source: ITI TF-2 3.42.
"""

from registry import lifecycle, rules
from registry.codes import Codes
from registry.known import Domain, known_to
from registry.unit import Unit
from xdsi.model.errors import refuse
from xdsi.model.ids import with_ids
from xdsi.model.messages import RegistryAnswer, Submission
from xdsi.plug import Call
from xdsi.units import Units


def register(
    submission: Submission,
    call: Call,
    units: Units[Unit],
    codes: Codes,
    domain: Domain,
    column: str = "ITI-42",
) -> RegistryAnswer:
    """Store a submission as a whole or not at all (3.42.4.1.3.1).

    column: the transaction whose demands count, as in `attributes.COLUMNS`
    Success is durable. Raises every finding at once as an ExceptionGroup, and the errors of
    `Units.run`.
    """
    refuse(rules.of_size(submission, domain), REFUSED)
    found = tuple(rules.of_message(submission, domain, column))
    # rows and bytes are made outside of the unit, and only of what may be stored
    is_sound = all(each.is_warning for each in found)
    prepared = lifecycle.prepare(with_ids(submission), codes) if is_sound else None

    def work(unit: Unit) -> None:
        known = known_to(unit, submission, domain)
        refuse((*found, *rules.of_registry(submission, known, domain)), REFUSED)
        if prepared is not None:
            lifecycle.apply(prepared, known, unit)

    units.run(work)
    return RegistryAnswer(found)


REFUSED = "submission refused"
