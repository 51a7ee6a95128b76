"""Update Document Set [ITI-57].

Source: Metadata Update supplement 3.57.
"""

from registry import operations, rules, update_rules, versions
from registry.codes import Codes
from registry.known import Domain, known_to
from registry.operations import Manner
from registry.unit import Unit
from xdsi.model.errors import refuse
from xdsi.model.messages import RegistryAnswer, Submission
from xdsi.plug import Call
from xdsi.units import Units


def update(
    submission: Submission,
    call: Call,
    units: Units[Unit],
    codes: Codes,
    domain: Domain,
    manner: Manner = operations.UPDATE,
) -> RegistryAnswer:
    """Do all operations of an update or none of them (LC-006).

    manner: what the transaction allows and how it refuses
    Success is durable. Raises every finding at once as an ExceptionGroup, and the errors of
    `Units.run`.
    """
    refuse(rules.of_size(submission, domain), _REFUSED)
    found = tuple(operations.of_message(submission, domain, manner))
    is_sound = all(each.is_warning for each in found)
    # without one set there are no operations
    refuse(() if len(submission.submission_sets) == 1 else found, _REFUSED)
    asked = operations.operations(submission, manner)
    prepared = versions.prepare(submission, asked, codes) if is_sound else None

    def work(unit: Unit) -> None:
        known = known_to(unit, submission, domain)
        affected = versions.affected(asked, known, unit, manner.is_restricted)
        more = update_rules.of_registry(submission, asked, known, affected, domain, manner)
        refuse((*found, *more), _REFUSED)
        if prepared is not None:
            versions.apply(prepared, asked, known, affected, unit)

    units.run(work)
    return RegistryAnswer(found)


_REFUSED = "update refused"
