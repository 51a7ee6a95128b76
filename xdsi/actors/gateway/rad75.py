"""Cross Gateway Retrieve Imaging Document Set [RAD-75], and RAD-69 at an Initiating Gateway.

One RAD-69 for each imaging source that is asked for, one RAD-75 for each other community, with the
studies, series and transfer syntaxes as they came. The answer is a plan; instances stream after it,
unchanged.
Source: RAD TF-2 4.75.
"""

from collections.abc import Sequence

from xdsi.actors.gateway.sources import Directory, gathered
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import RetrieveAnswer
from xdsi.plug import Call, Handler


def retrieve(request: ImagingRequest, call: Call, images: Directory) -> RetrieveAnswer:
    """The instances asked for, each once, in the order asked.

    Raises XDSTooManyResults above the limit.
    """

    def ask(source: Handler, wanted: Sequence[InstanceRequest]) -> RetrieveAnswer:
        asked = ImagingRequest(tuple(wanted), request.transfer_syntaxes)
        answer: RetrieveAnswer = source(asked, call)
        return answer

    return gathered(request.instances, lambda each: each.document, ask, images)
