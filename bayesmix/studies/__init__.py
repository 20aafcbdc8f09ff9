"""Studies: models fitted over and over, to see what their figures are worth."""

from bayesmix.studies.calibrate import Calibration, calibrate
from bayesmix.studies.power import Power, power
from bayesmix.studies.standard_errors import ESTIMATORS, StandardErrors, standard_errors

__all__ = ["ESTIMATORS", "Calibration", "Power", "StandardErrors", "calibrate", "power", "standard_errors"]
