"""Multi-Patient Stored Query [ITI-51].

Source: ITI TF-2 3.51.
"""

from functools import partial

from registry import iti18
from xdsi.standard.queries import MULTI_PATIENT_QUERIES

# As ITI-18, for the queries that concern any number of patients (SQ-097, SQ-180 to SQ-184)
find = partial(iti18.find, known=MULTI_PATIENT_QUERIES)
