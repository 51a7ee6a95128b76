"""Cross Gateway Retrieve [ITI-39], and Retrieve Document Set [ITI-43] at an Initiating Gateway.

One ITI-43 for each repository that is asked for, one ITI-39 for each other community (TF-2
3.39.4.1.3, 3.43.4.1.3). The answer is a plan; documents
stream after it, unchanged: those of On-Demand entries with their new ids, and those of delayed
assembly, whose entries tell no size and hash to hold them against (XC-074, XC-078).
Source: ITI TF-2 3.39.
"""

from collections.abc import Sequence

from xdsi.actors.gateway.sources import Directory, gathered
from xdsi.model.messages import DocumentRequest, RetrieveAnswer, RetrieveRequest
from xdsi.plug import Call, Handler


def retrieve(request: RetrieveRequest, call: Call, repositories: Directory) -> RetrieveAnswer:
    """The documents asked for, each once, in the order asked.

    Raises XDSTooManyResults above the limit.
    """

    def ask(repository: Handler, wanted: Sequence[DocumentRequest]) -> RetrieveAnswer:
        answer: RetrieveAnswer = repository(RetrieveRequest(tuple(wanted)), call)
        return answer

    return gathered(request.documents, lambda each: each, ask, repositories)
