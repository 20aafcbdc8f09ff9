"""The words of the formula language: functions that can be called, and constructs that are refused by name."""

from __future__ import annotations

# covariance structures that may stand around a bar, by glmmTMB's names: lme4's function and its argument `hom`
STRUCTURES: dict[str, tuple[str, bool | None]] = {
    "us": ("us", None),
    "diag": ("diag", False),
    "homdiag": ("diag", True),
    "cs": ("cs", False),
    "homcs": ("cs", True),
    "ar1": ("ar1", True),
    "hetar1": ("ar1", False),
}

_ARITHMETIC = {"I", "abs", "cos", "exp", "expm1", "log", "log10", "log1p", "log2", "sin", "sqrt", "tan"}
_BASES = {"bs", "center", "cr", "ns", "poly", "scale"}  # these remember what they learnt from the data
_FACTORS = {"C", "as.factor", "dummy", "factor", "ordered", "relevel"}
_CONTRASTS = {"contr.helmert", "contr.poly", "contr.sum", "contr.treatment"}
FUNCTIONS = frozenset(_ARITHMETIC | _BASES | _FACTORS | _CONTRASTS | {"c", "cbind", "offset"})

FLAGS = {"TRUE": True, "True": True, "FALSE": False, "False": False}
_KEYWORDS = {"if", "else", "for", "while", "repeat", "function", "next", "break", "in"}
RESERVED = frozenset(_KEYWORDS | {"NULL", "NA", "NaN", "Inf"})

_SMOOTH = "Use `bs()`, `ns()` or `poly()` with a fixed number of columns."
_BRMS = "bayesmix takes one lme4 formula; the family and its parameters are arguments of the model."
_FITTING = "Give the formula alone: `y ~ x + (x | g)`; data, family and weights are arguments of the model."
_STRUCTURE = f"Structures around a bar are {', '.join(f'`{name}()`' for name in STRUCTURES)}."
_AGGREGATE = "It would take another value in new data. Use `center()` or `scale()`, which remember theirs."

REFUSED = {
    "gr": "A grouping factor stands alone right of the bar, as in `(1 | g)`; `by=` and `cov=` are not supported.",
    "mm": "Memberships of several levels at once are not supported.",
    "mmc": "Memberships of several levels at once are not supported.",
    "mo": "Monotonic effects are not supported; an ordered factor gets polynomial contrasts.",
    "me": "Measurement error is not supported.",
    "mi": "Imputation is not supported; rows with missing values are left out.",
    "s": _SMOOTH,
    "t2": _SMOOTH,
    "te": _SMOOTH,
    "ti": _SMOOTH,
    "gp": "Gaussian processes are not supported. " + _SMOOTH,
    "mvbind": "A model has one response; fit one model per response.",
    **dict.fromkeys(("lm", "glm", "lmer", "glmer", "brm"), _FITTING),
    "bf": _BRMS,
    "brmsformula": _BRMS,
    "mvbf": _BRMS,
    "lf": _BRMS,
    "nlf": _BRMS,
    "set_rescor": _BRMS,
    "trials": "Write `cbind(successes, failures) ~ ...` or `successes/trials ~ ...`.",
    "weights": "Give the weights to the model: `weights=`.",
    "cens": "Censored responses are not supported.",
    "trunc": "Truncated responses are not supported.",
    "se": "Give the weights to the model: `weights=`.",
    "toep": _STRUCTURE,
    "ou": _STRUCTURE,
    "mat": _STRUCTURE,
    "gau": _STRUCTURE,
    "rr": _STRUCTURE,
    "propto": _STRUCTURE,
    "interaction": "Crossed factors are written with a colon: `a:b`.",
    "paste": "Crossed factors are written with a colon: `a:b`.",
    "cut": "Make the factor in the data, for instance with `pandas.cut`.",
    "ifelse": "Make the column in the data.",
    "as.numeric": 'Make the column in the data, or compare: `I(f == "a")`.',
    "mean": _AGGREGATE,
    "median": _AGGREGATE,
    "sd": _AGGREGATE,
    "var": _AGGREGATE,
    "min": _AGGREGATE,
    "max": _AGGREGATE,
    "sum": _AGGREGATE,
    "rank": _AGGREGATE,
}
