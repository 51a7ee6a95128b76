"""A registry that does as told."""

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsi.model.errors import XDSDuplicateUniqueIdInRegistry, XDSError
from xdsi.model.messages import QueryAnswer, QueryRequest, RegistryAnswer, Submission
from xdsi.model.objects import ObjectRef
from xdsi.plug import Call
from xdsi.wire import parameters

CALL = Call.internal()


@dataclass
class ScriptedRegistry:
    """Registers in memory. before, after: called around it and may raise.

    warnings: of every Success. seen: submissions as they arrived. asked: queries as they came.
    """

    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    warnings: tuple[XDSError, ...] = ()
    is_silent: bool = False
    seen: list[Submission] = field(default_factory=list)
    asked: list[QueryRequest] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    sets: set[str] = field(default_factory=set)

    def register(self, submission: Submission, call: Call) -> RegistryAnswer:
        self.seen.append(submission)
        self.before()
        unique_id = str(submission.submission_set.unique_id)
        if unique_id in self.sets:
            raise ExceptionGroup("refused", [XDSDuplicateUniqueIdInRegistry(unique_id)])
        self.sets.add(unique_id)
        self.documents |= {str(e.unique_id): str(e.hash) for e in submission.entries}
        self.after()
        return RegistryAnswer(self.warnings)

    def query(self, request: QueryRequest, call: Call) -> QueryAnswer:
        self.asked.append(request)
        if self.is_silent:
            raise ConnectionError("nobody listens")
        known = self.documents.keys() | self.sets
        (value,) = parameters.literals(request.parameters[0])
        return QueryAnswer((ObjectRef(value),) if value in known else ())


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act
