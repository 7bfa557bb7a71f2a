"""Images of time series: Gramian angular fields and their neighbours.

The classes take the place of pyts's, with its parameters, defaults and error texts, and follow
scikit-learn's conventions. Neither torch nor scikit-learn is needed.

>>> from fastcache.gaf import GramianAngularField
>>> GramianAngularField(image_size=24, method="both").transform(X).shape  # X: (100, 96)
(100, 2, 24, 24)
"""

from fastcache.gaf.estimator import SeriesTransform
from fastcache.gaf.gramian import GramianAngularField, gramian_angular_field
from fastcache.gaf.markov import MarkovTransitionField
from fastcache.gaf.recurrence import RecurrencePlot
from fastcache.gaf.stack import FieldStack

__all__ = [
    "FieldStack",
    "GramianAngularField",
    "MarkovTransitionField",
    "RecurrencePlot",
    "SeriesTransform",
    "gramian_angular_field",
]
