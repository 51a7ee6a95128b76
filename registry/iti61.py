"""Register On-Demand Document Entry [ITI-61].

Source: ITI TF-2 3.61.
"""

from functools import partial

from registry import iti42

# As ITI-42, for entries whose documents are made when they are asked for (LC-140 to LC-148)
register = partial(iti42.register, column="ITI-61")
