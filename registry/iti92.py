"""Restricted Update Document Set [ITI-92].

Source: Restricted Metadata Update supplement 3.92.
"""

from functools import partial

from registry import iti57
from registry.operations import RESTRICTED

# As ITI-57, for some attributes of DocumentEntries, whatever their status (LC-100 to LC-115)
update = partial(iti57.update, manner=RESTRICTED)
