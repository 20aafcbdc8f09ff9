"""Studies: models fitted over and over, to see what their figures are worth."""

from bayesmix.studies.standard_errors import ESTIMATORS, StandardErrors, standard_errors

__all__ = ["ESTIMATORS", "StandardErrors", "standard_errors"]
