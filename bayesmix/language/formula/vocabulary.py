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
    "toep": ("toep", False),
    "homtoep": ("toep", True),
    "ou": ("ou", None),
    "exp": ("exp", None),
    "gau": ("gau", None),
    "mat": ("mat", None),
}

# those whose effects stand at positions, told by numeric coordinates: how many coordinates there may be
POSITIONAL: dict[str, int] = {"ou": 1, "exp": 10, "gau": 10, "mat": 10}

_ARITHMETIC = {"I", "abs", "cos", "exp", "expm1", "log", "log10", "log1p", "log2", "sin", "sqrt", "tan"}
_BASES = {"bs", "center", "cr", "ns", "poly", "scale"}  # these remember what they learnt from the data
_FACTORS = {"C", "as.factor", "dummy", "factor", "ordered", "relevel"}
_CONTRASTS = {"contr.helmert", "contr.poly", "contr.sum", "contr.treatment"}
SMOOTHS = frozenset({"s", "t2", "gp"})  # terms of their own, by mgcv's names and brms's
SPECIFIC = "cs"  # without a bar inside: category-specific effects, by brms's name
_APART = {"c", "cbind", "mo", "numFactor", "offset", SPECIFIC}
FUNCTIONS = frozenset(_ARITHMETIC | _BASES | _FACTORS | _CONTRASTS | SMOOTHS | _APART)

# What may stand beside a response, `y | cens(c) ~ ...`: brms's functions and their arguments
ADDITIONS: dict[str, tuple[str, ...]] = {
    "cens": ("x", "y2"),
    "trunc": ("lb", "ub"),
    "trials": ("x",),
    "weights": ("x",),
    "rate": ("denom",),
    "se": ("x", "sigma"),
    "mi": ("sdy",),
}

# Residual structures of gaussian responses: brms's functions and their arguments
RESIDUALS: dict[str, tuple[str, ...]] = {
    "unstr": ("time", "gr"),
    "ar": ("time", "gr", "p", "cov"),
    "ma": ("time", "gr", "q", "cov"),
    "arma": ("time", "gr", "p", "q", "cov"),
    "cosy": ("time", "gr"),
}

# What may stand right of a bar: brms's functions and their named arguments
GROUPINGS: dict[str, tuple[str, ...]] = {"gr": ("cov", "by", "dist"), "mm": ("weights", "scale")}

# Parameters of families, by brms's names: the left side of a later formula that is one of them names no response.
PARAMETERS = frozenset({"mu", "sigma", "shape", "phi", "nu", "zi", "hu", "zoi", "coi", "disc"})

FLAGS = {"TRUE": True, "True": True, "FALSE": False, "False": False}
_KEYWORDS = {"if", "else", "for", "while", "repeat", "function", "next", "break", "in"}
RESERVED = frozenset(_KEYWORDS | {"NULL", "NA", "NaN", "Inf"})

_SMOOTH = "Penalised smooths are written `s(x)`; `bs(x, df = 5)`, `ns()`, `cr()` and `poly()` have no penalty."
_TENSOR = "Tensor products of smooths are written `t2(x, z)`, whose penalties do not overlap: each is one variance."
_RESIDUAL = "Structures of the residuals are `unstr(visit, g)`, `ar(time, g, p = 1)`, `arma()`, `ma()`, `cosy(gr = g)`."
_PARAMETERS = 'Formulas of parameters stand beside that of the response, in a list: `["y ~ ...", "sigma ~ x"]`.'
_RESPONSES = 'Several responses are a list of formulas: `["a ~ x + (1 | p | g)", "sigma_a ~ z", "b ~ x"]`.'
_FITTING = "Give the formula alone: `y ~ x + (x | g)`; data, family and weights are arguments of the model."
_STRUCTURE = f"Structures around a bar are {', '.join(f'`{name}()`' for name in STRUCTURES)}."
_AGGREGATE = "It would take another value in new data. Use `center()` or `scale()`, which remember theirs."

REFUSED = {
    "mmc": "Predictors that differ between the memberships of a row are not supported: `(1 | mm(g1, g2))`.",
    "me": "Measurement error is not supported.",
    "te": _TENSOR,
    "ti": _TENSOR,
    "mvbind": "Responses of one formula stand left of its `~`: `mvbind(a, b) ~ ...`.",
    **dict.fromkeys(("lm", "glm", "lmer", "glmer", "brm"), _FITTING),
    "bf": f"`bf(y ~ x, sigma ~ z)` goes around the formulas of one response. {_RESPONSES}",
    "brmsformula": f"`brmsformula(y ~ x, sigma ~ z)` goes around the formulas of one response. {_RESPONSES}",
    "mvbf": _RESPONSES,
    "lf": _PARAMETERS,
    "nlf": 'A nonlinear mean and its parameters are a list of formulas: `["y ~ a * exp(-b * t)", "a ~ 1", "b ~ x"]`.',
    "set_rescor": "Correlated residuals of several responses are an argument of the model: `rescor=True`.",
    **dict.fromkeys(("rr", "propto", "equalto", "un", "csh"), _STRUCTURE),
    **dict.fromkeys(("corSymm", "corAR1", "corARMA", "corCompSymm"), _RESIDUAL),
    **dict.fromkeys(("corLin", "corSpher", "corRatio"), _RESIDUAL),
    **dict.fromkeys(("pdSymm", "pdDiag", "pdIdent", "pdBlocked", "pdCompSymm"), _STRUCTURE),
    "corExp": "Effects that fade exponentially with distance are `exp(x + y | g)`.",
    "corGaus": "Effects that fade with squared distance are `gau(x + y | g)`.",
    "corCAR1": "Effects that follow each other at unequal steps are `ou(time | g)`.",
    "varIdent": f"{_PARAMETERS} A standard deviation of each level of f is `sigma ~ f`.",
    "varPower": f"{_PARAMETERS} A power of x is `sigma ~ log(abs(x))`.",
    "varExp": f"{_PARAMETERS} An exponential of x is `sigma ~ x`.",
    "sar": "Spatial models are not supported.",
    "car": "Spatial models are not supported.",
    "subset": "Take the rows first, in the data; where other responses have all rows, make a gaussian one missing in"
    " those that it has not: `y | mi() ~ ...`.",
    "dec": "Decision times are not supported.",
    **dict.fromkeys(("vreal", "vint"), "A family of your own is a record: `Model(..., family=Family(...))`."),
    "Surv": "Times that may be censored are written `time | cens(1 - status) ~ x`, where status is 1 for an event that"
    ' was seen, with family="weibull", "lognormal", "gamma" or "exponential".',
    "lag": "Make the column in the data, group by group.",
    "diff": "Make the column in the data, group by group.",
    "cumsum": "Make the column in the data, group by group.",
    "rcs": _SMOOTH,
    "pspline": _SMOOTH,
    "lo": _SMOOTH,
    "np.log": "Write `log(x)`; functions are written as in R.",
    "np.exp": "Write `exp(x)`; functions are written as in R.",
    "np.sqrt": "Write `sqrt(x)`; functions are written as in R.",
    "standardize": "Write `scale(x)`.",
    "stdize": "Write `scale(x)`.",
    "zscore": "Write `scale(x)`.",
    "ln": "Write `log(x)`.",
    "as.integer": "Make the column in the data.",
    "as.character": "Write `factor(x)`.",
    "as.ordered": "Write `ordered(x)`.",
    "Treatment": 'Write `C(f, contr.treatment(base = 2))`, or `relevel(f, ref = "b")`.',
    "Sum": "Write `C(f, contr.sum)`.",
    "Poly": "Write `C(f, contr.poly)`.",
    "Helmert": "Write `C(f, contr.helmert)`.",
    "Q": "Write the name in backticks: `` `my column` ``.",
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

# What is a function of formulas, but belongs where the text says
ELSEWHERE = {
    "cbind": "`cbind(successes, failures)` is a response.",
    "numFactor": "It holds the coordinates of positions: `exp(0 + numFactor(x, y) | g)`, or `exp(x + y | g)`.",
    "offset": "`offset(...)` is added to the other terms.",
    "mo": "A monotonic effect is a term, `mo(x)`, or a part of one, `mo(x):z`, of the fixed effects; it is the same in"
    " all groups.",
    **{name: f"`{name}(1 + x | g)` goes around a bar." for name in STRUCTURES if name not in FUNCTIONS},
    SPECIFIC: "Effects on each threshold are a term of their own: `y ~ x + cs(z)`.",
    **dict.fromkeys(SMOOTHS, "A smooth is a term of its own: `y ~ f + s(x)`; a curve for each level, `s(x, by = f)`."),
    **dict.fromkeys(RESIDUALS, "The structure of the residuals stands by itself: `y ~ x + unstr(visit, g)`."),
    **{name: f"It stands beside a response: `y | {name}(...) ~ ...`." for name in ADDITIONS},
    **{name: f"It stands right of a bar: `(1 | {name}(...))`." for name in GROUPINGS},
    "mi": "An imputed predictor is a fixed effect by itself or times others, `y ~ x + mi(z) + mi(z):x`, beside a"
    " formula of its own, `z | mi() ~ w`. Effects of groups on its slope and functions of it are not supported.",
}
