"""Our schema of rendered images, for which none was published as a file, and what we send."""

import pytest
from lxml import etree

from tests import bodies
from tests.wire.test_renderedretrieve import ANSWER, REQUEST
from xdsi.wire import renderedretrieve


@pytest.mark.proves("IMG-180", "IMG-182", "IMG-183")
def test_messages_follow_the_schema(ours: etree.XMLSchema) -> None:
    ours.assertValid(bodies.inline(renderedretrieve.rendered_to_xml(REQUEST)))
    ours.assertValid(bodies.inline(renderedretrieve.answer_to_xml(ANSWER)))
