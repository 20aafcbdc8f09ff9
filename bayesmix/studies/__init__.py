"""Studies: models fitted over and over, to see what their figures are worth."""

from bayesmix.studies.calibrate import Calibration, calibrate
from bayesmix.studies.standard_errors import ESTIMATORS, StandardErrors, standard_errors

__all__ = ["ESTIMATORS", "Calibration", "StandardErrors", "calibrate", "standard_errors"]
