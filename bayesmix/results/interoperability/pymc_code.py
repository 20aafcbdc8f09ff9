"""Models in the words of PyMC: a program that builds the model from the columns of a data frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from keyword import iskeyword

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.data.design.rebuild import to_frame
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.centring import inverse, is_centred, slopes_at_means
from bayesmix.inference.sampling.nuts.pymc_model import ARGUMENTS, term_label
from bayesmix.language.formula.expression import Call, Chain, Name, spell
from bayesmix.language.formula.reader import read
from bayesmix.language.priors.on_link import natural
from bayesmix.language.priors.prior import Prior
from bayesmix.results.interoperability.described import WIDTH, Described, check_arguments, lacks
from bayesmix.results.interoperability.pandas_columns import PandasColumns

FAMILIES = {  # PyMC's distributions with arguments of the mean and the number beside it
    "gaussian": "Normal({y}, mu=mu, sigma=sigma{weights})",
    "poisson": "Poisson({y}, mu=mu)",
    "negbinomial": "NegativeBinomial({y}, mu=mu, alpha=shape)",
    "nbinom1": "NegativeBinomial({y}, mu=mu, alpha=mu / phi)",
    "geometric": "NegativeBinomial({y}, mu=mu, alpha=1)",
    "binomial": "Binomial({y}, n=trials, p=mu)",
    "bernoulli": "Bernoulli({y}, p=mu)",
    "betabinomial": "BetaBinomial({y}, n=trials, alpha=mu * phi, beta=(1 - mu) * phi)",
    "gamma": "Gamma({y}, alpha=shape, beta=shape / mu)",
    "exponential": "Exponential({y}, scale=mu)",
    "inverse_gaussian": "Wald({y}, mu=mu, lam=shape)",
    "beta": "Beta({y}, alpha=mu * phi, beta=(1 - mu) * phi)",
}
LINKS = {  # inverses
    "identity": "eta",
    "log": "pm.math.exp(eta)",
    "logit": "pm.math.invlogit(eta)",
    "probit": "pm.math.invprobit(eta)",
    "cloglog": "1 - pm.math.exp(-pm.math.exp(eta))",
    "inverse": "1 / eta",
    "inverse_squared": "1 / pm.math.sqrt(eta)",
    "sqrt": "eta**2",
}
TAKEN = {
    "X",
    "beta",
    "eta",
    "means",
    "model",
    "mu",
    "np",
    "phi",
    "pm",
    "shape",
    "sigma",
    "to_means",
    "trace",
    "trials",
    "weights",
    "y",
}
INSTEAD = "`model.to_pymc()` is this model as a `pm.Model`."


def pymc_code(described: Described) -> str:
    """The model as a program of PyMC."""
    _check(described)
    design = described.design
    design.check_rows("A program of PyMC")
    frame = to_frame(described.source.columns).iloc[design.rows].reset_index(drop=True)
    columns = PandasColumns(frame, described.data)
    labels = [_identifier(term_label(design.terms, t), described.data) for t in range(len(design.terms))]
    inside = [*_fixed(described), "eta = X @ beta" + _offset(described, columns)]
    for t, label in enumerate(labels):
        inside += _term(described, t, label)
    inside += _likelihood(described)
    lines = [
        "import numpy as np\nimport pymc as pm\n",
        *_rows(described),
        *_data(described, columns, labels),
        "",
        "with pm.Model() as model:",
        *(f"    {line}" for line in inside),
        "    trace = pm.sample()",
    ]
    return "\n".join(lines)


def _check(described: Described) -> None:
    check_arguments("PyMC", described)
    spec, formula = described.spec, described.formula
    if not spec.is_simple or formula.residual is not None or spec.responses[0].additions.is_bounded:
        raise lacks("PyMC's code", "models of several linear predictors, bounds or residual structures", INSTEAD)
    if formula.smooths or any(bar.grouping.function for bar in formula.bars) or spec.responses[0].has_known_noise:
        raise lacks("PyMC's code", "smooths, `gr()`, `mm()` or `se()`", INSTEAD)
    known, link = spec.family.name, spec.link.name
    if known not in FAMILIES or link not in LINKS:
        raise lacks("PyMC's code", f"family `{known}` with link `{link}`", INSTEAD)


def _identifier(label: str, data: str) -> str:
    """A name of a variable for a term, which no other variable has."""
    name = re.sub(r"\W", "_", label)
    return f"group_{name}" if name in {*TAKEN, data} or not name.isidentifier() or iskeyword(name) else name


# ---- data -------------------------------------------------------------------------------------------------------


def _rows(described: Described) -> Iterator[str]:
    if described.design.n_given > described.design.n_used:
        names = ", ".join(map(json.dumps, described.source.columns))
        yield f"{described.data} = {described.data}.dropna(subset=[{names}])"


def _data(described: Described, columns: PandasColumns, labels: Sequence[str]) -> Iterator[str]:
    """Response, columns of the fixed effects, levels and columns of the random effects."""
    design = described.design
    yield from _response(described, columns)
    texts = [columns.spelled(name, column) for name, column in zip(design.fixed, design.X.T, strict=True)]
    yield _stacked("X", texts) if texts else f"X = np.zeros(({len(design.y)}, 0))"
    if _is_multiplied(described):
        rows = ",\n    ".join(_numbers(row) for row in described.priors.contrast)
        yield f"to_means = np.array([\n    {rows},\n])  # coefficients where their priors are stated"
        yield "X = np.linalg.solve(to_means.T, X.T).T"
    elif np.any((means := _means(described)) != 0.0):
        yield f"means = np.array({_numbers(means)})  # where the prior of the intercept is stated"
        yield "X = X - np.append(0, means)"
    for term, label in zip(design.terms, labels, strict=True):
        yield f"{label}_levels, {label} = np.unique({columns.levels(term.group)}, return_inverse=True)"
        own = [columns.spelled(name, term.z[:, e]) for e, name in enumerate(term.effects)]
        if term.effects != ("Intercept",):
            yield _stacked(f"Z_{label}", own)


def _stacked(name: str, columns: Sequence[str]) -> str:
    """A matrix of columns, with one a line where they are long."""
    line = f"{name} = np.column_stack([{', '.join(columns)}])"
    return line if len(line) <= WIDTH else f"{name} = np.column_stack([\n    " + ",\n    ".join(columns) + ",\n])"


def _response(described: Described, columns: PandasColumns) -> Iterator[str]:
    design, name, given = described.design, described.formula.response, described.source.arguments
    additions = described.spec.responses[0].additions
    success = None if design.categories is None else design.categories[1]
    match read(name):
        case Call(function="cbind", arguments=(successes, failures)):
            yield f"y = {columns.data}.eval({json.dumps(spell(successes.value))})"
            yield f"trials = y + {columns.data}.eval({json.dumps(spell(failures.value))})"
        case Chain(operators=("/",), operands=(Name(name=first), Name(name=second))) if design.has_trials:
            yield f"y, trials = {columns.data}[{json.dumps(first)}], {columns.data}[{json.dumps(second)}]"
        case _:
            yield f"y = {columns.response(name, design.y, success)}"
            if additions.trials:
                yield f"trials = {columns.number(additions.trials, design.trials)}"
            elif design.has_trials and success is None:
                raise lacks("PyMC's code", f"trials of `{name}`", "Write `cbind(successes, failures)`.")
    if given.weights or additions.weights:
        if given.weights is None or described.spec.family.weights != "precision":
            raise lacks("PyMC's code", "weights of log densities", INSTEAD)
        yield f"weights = {columns.spelled(given.weights, design.weights)}"


def _offset(described: Described, columns: PandasColumns) -> str:
    texts = [*described.formula.offsets, *filter(None, [described.source.arguments.offset])]
    if not texts:
        return ""
    if len(texts) > 1:
        raise lacks("PyMC's code", "several offsets", "Make them one column.")
    return f" + {columns.spelled(texts[0], described.design.offset)}.to_numpy()"


def _means(described: Described) -> Array:
    """What is taken off the columns behind the intercept's: the prior of the intercept is stated there."""
    priors = described.priors
    if not priors.intercepts:
        return np.zeros(0)
    row = priors.contrast[priors.intercepts[0]]
    if priors.intercepts[0] != 0:
        raise SpecError("PyMC's code wants the intercept first in the formula.")
    return row[1:]


def _is_multiplied(described: Described) -> bool:
    return bool(slopes_at_means(described.priors.names, described.design.layout))


# ---- the model --------------------------------------------------------------------------------------------------


def _fixed(described: Described) -> Iterator[str]:
    priors = described.priors
    if not priors.names:
        yield "beta = np.zeros(0)"
        return
    names = [name.replace("(centred)", "_centred") for name in priors.names]
    parts = [_variable(name, natural(prior)) for name, prior in zip(names, priors.fixed, strict=True)]
    yield "beta = pm.math.stack(["
    yield from (f"    {part}," for part in parts)
    yield "])"
    if _is_multiplied(described):
        yield 'pm.Deterministic("fixed", pm.math.dot(np.linalg.inv(to_means), beta))'
    elif np.any(_means(described) != 0.0):
        yield 'pm.Deterministic("Intercept", beta[0] - means @ beta[1:])'


def _term(described: Described, t: int, label: str) -> Iterator[str]:
    term, priors = described.design.terms[t], described.priors
    own, k = priors.sd[t], len(term.effects)
    if len(own) != k:
        raise lacks("PyMC's code", f"one standard deviation for all effects of {term.group}", INSTEAD)
    shape = f"shape=({len(term.levels)}, {k})" if k > 1 else f"shape={len(term.levels)}"
    if not priors.corr[t]:
        named = [f"sd_{label}_{name}" for name in term.effects] if k > 1 else [f"sd_{label}"]
        parts = [_variable(name, prior) for name, prior in zip(named, own, strict=True)]
        yield f"sd_{label} = " + (parts[0] if k == 1 else f"pm.math.stack([{', '.join(parts)}])")
        yield f'b_{label} = sd_{label} * pm.Normal("z_{label}", 0, 1, {shape})'
    else:
        yield from _correlated(term, label, own, priors.corr[t][0])
        if is_centred(priors.changes[t]):
            matrix = ", ".join(_numbers(row) for row in inverse(priors.changes[t]))
            yield f"chol_{label} = np.array([{matrix}]) @ chol_{label}  # from the means of the columns to zero"
        yield f'b_{label} = pm.Normal("z_{label}", 0, 1, {shape}) @ chol_{label}.T'
    if k > 1:
        yield f"eta = eta + (Z_{label} * b_{label}[{label}]).sum(axis=1)"
    else:
        column = "" if term.effects == ("Intercept",) else f"Z_{label}[:, 0] * "
        yield f"eta = eta + {column}b_{label}[{label}]"


def _correlated(term: Term, label: str, own: Sequence[Prior], lkj: Prior) -> Iterator[str]:
    """The Cholesky factor of a covariance with an LKJ prior."""
    kind = own[0].kind
    if term.structure != "us" or any(prior.kind != kind for prior in own) or kind == "Decov" or own[0].is_flat:
        raise lacks("PyMC's code", f"this covariance of {term.group}'s effects", INSTEAD)
    values = zip(*(prior.arguments for prior in own), strict=True)
    numbers = ", ".join(f"{name}={_numbers(one)}" for name, one in zip(ARGUMENTS[kind], values, strict=True))
    yield f"chol_{label}, corr_{label}, sd_{label} = pm.LKJCholeskyCov("
    yield f'    "{label}", n={len(own)}, eta={lkj.arguments[0]:.10g},'
    yield f"    sd_dist=pm.{kind}.dist({numbers}, shape={len(own)}),"
    yield ")"


def _likelihood(described: Described) -> Iterator[str]:
    priors, spec = described.priors, described.spec
    if priors.dispersion is not None:
        yield f"{priors.dispersion_name} = {_variable(str(priors.dispersion_name), priors.dispersion)}"
    yield f"mu = {LINKS[spec.link.name]}"
    weights = " / np.sqrt(weights)" if described.source.arguments.weights else ""
    text = FAMILIES[spec.family.name].format(y='"y"', weights=weights)
    yield f"pm.{text.removesuffix(')')}, observed=y)"


def _variable(name: str, prior: Prior) -> str:
    """A variable with its prior."""
    if prior.kind not in ARGUMENTS:
        raise lacks("PyMC's code", f"prior `{prior}`", INSTEAD)
    numbers = "".join(
        f", {key}={value:.10g}" for key, value in zip(ARGUMENTS[prior.kind], prior.arguments, strict=True)
    )
    return f"pm.{prior.kind}({json.dumps(name)}{numbers})"


def _numbers(values: Sequence[float] | Array) -> str:
    return f"[{', '.join(f'{value:.10g}' for value in values)}]"
