"""What big documents cost the server: both ways in, both ways out, alone and eight at once."""

from collections.abc import Callable

import pytest
import requests

from tests.e2e import bulk
from tests.e2e.nodes import Domain, Node


@pytest.mark.proves("RET-063", "SEC-T-041", "REG-004", "RET-015", "SEC-T-038")
@pytest.mark.parametrize(("megabytes", "at_once"), [(200, 1), (20, 8)])
def test_big_documents_cost_no_memory(
    make_node: Callable[..., Node], session: requests.Session, megabytes: int, at_once: int
) -> None:
    node = make_node().start()
    blocks = megabytes * 1_000_000 // len(bulk.BLOCK)
    for cost in bulk.measure(Domain(node, node, session), blocks, at_once):
        assert cost.growth <= 16 * bulk.MIB, cost
