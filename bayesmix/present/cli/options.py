"""Arguments and options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmix.present.cli import completion

ESTIMATES = ("auto", "reml", "ml", "laplace", "agq")
SAMPLERS = ("posterior", "marginal", "nuts", "advi", "pathfinder")  # "posterior" chooses marginal or nuts

_MODEL, _DATA, _ESTIMATE, _POSTERIOR, _OUTPUT = "Model", "Data", "Estimate", "Posterior", "Output"

MODEL = "Name of a model file (see `bayesmix models`), its path, or lme4's formula in quotes."
ModelText = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, autocompletion=completion.model_files)]
DataText = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="Of a formula: a file (CSV, Parquet, ...), or a data set of `bayesmix data`.",
        autocompletion=completion.data,
    ),
]

Formula = Annotated[
    list[str] | None,
    typer.Option(
        "--formula",
        metavar="FORMULA",
        help='Beside the first: of a parameter, "sigma ~ x", or of another response; repeatable.',
        rich_help_panel=_MODEL,
    ),
]
FAMILIES = (  # a test holds that these are all
    "gaussian (default), student, skew_normal, exgaussian, asym_laplace, von_mises; gamma, lognormal,"
    " shifted_lognormal, weibull, exponential, inverse_gaussian, tweedie, hurdle_gamma, hurdle_lognormal; beta,"
    " zero_inflated_beta, zero_one_inflated_beta; binomial, bernoulli, betabinomial, zero_inflated_binomial; poisson,"
    " negbinomial, nbinom1, genpois, geometric; truncated_poisson, truncated_negbinomial, truncated_nbinom1;"
    " hurdle_poisson, hurdle_negbinomial, hurdle_nbinom1; zero_inflated_poisson, zero_inflated_negbinomial,"
    " zero_inflated_nbinom1; cumulative, sratio, cratio, acat; categorical, multinomial."
)
Family = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=f"{FAMILIES} RESPONSE=NAME of several responses, repeatable.",
        rich_help_panel=_MODEL,
        autocompletion=completion.families,
    ),
]
Link = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="By default the family's usual one; RESPONSE=NAME of several responses, repeatable.",
        rich_help_panel=_MODEL,
    ),
]
Rescor = Annotated[
    bool,
    typer.Option("--rescor", help="Residuals of several gaussian responses are correlated.", rich_help_panel=_MODEL),
]
Weights = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Prior weights, or trials of a share of successes.", rich_help_panel=_MODEL),
]
Offset = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help='Added to the linear predictor; also an expression, "log(days)".', rich_help_panel=_MODEL
    ),
]
Data2 = Annotated[
    list[str] | None,
    typer.Option(
        "--data2",
        metavar="NAME=FILE",
        help="Relation of levels, gr(g, cov = NAME): matrix with labels, pedigree (id, sire, dam), tree (.nwk);"
        " repeatable.",
        rich_help_panel=_MODEL,
    ),
]
Contrasts = Annotated[
    list[str] | None,
    typer.Option(metavar="FACTOR=KIND", help="treatment, sum, helmert, ...; repeatable.", rich_help_panel=_MODEL),
]
Start = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Where the search begins, of a parameter of a nonlinear mean: asym=200; repeatable.",
        rich_help_panel=_MODEL,
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help='source: DATA, also "part-*.parquet", stays where it is, and a linear model reads sums by group alone;'
        " auto: from 5 million rows on; memory (default).",
        rich_help_panel=_DATA,
    ),
]
Outside = Annotated[
    bool,
    typer.Option(
        "--outside",
        help="Take data of a model file that are not beside or below it.",
        rich_help_panel=_DATA,
    ),
]
Sep = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="What separates the fields of text; found by default.",
        rich_help_panel=_DATA,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help="Decimal mark of text, . or ,; found by default.", rich_help_panel=_DATA),
]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of a text file: utf-8, latin-1, ...; found by default.", rich_help_panel=_DATA),
]
Na = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="A missing value, beside nothing, NA and NaN; repeatable.",
        rich_help_panel=_DATA,
    ),
]
Priors = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=PRIOR",
        help='"sd(g)=HalfNormal(2)", repeatable; or a preset: default, flat, brms, rstanarm or bambi.',
        rich_help_panel=_POSTERIOR,
        autocompletion=completion.presets,
    ),
]

METHOD = (
    "auto (default), reml, ml, laplace or agq; auto is REML for gaussian responses with identity link, else Laplace."
)
Method = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=METHOD, rich_help_panel=_ESTIMATE, autocompletion=completion.estimates),
]
FitMethod = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"{METHOD} Or a posterior: posterior (which chooses), marginal, nuts; advi, pathfinder approximate.",
        rich_help_panel=_ESTIMATE,
        autocompletion=completion.methods,
    ),
]
Reml = Annotated[bool, typer.Option("--reml", help="As --method reml.", rich_help_panel=_ESTIMATE)]
Ml = Annotated[bool, typer.Option("--ml", help="As --method ml.", rich_help_panel=_ESTIMATE)]
Agq = Annotated[
    int | None,
    typer.Option(
        "--agq",
        min=1,
        metavar="POINTS",
        help="Adaptive Gauss-Hermite quadrature with so many points an effect.",
        rich_help_panel=_ESTIMATE,
    ),
]

Posterior = Annotated[
    bool, typer.Option("--posterior", help="As --method posterior: sample.", rich_help_panel=_POSTERIOR)
]
Sampler = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="auto (default), marginal, nuts; advi and pathfinder approximate.",
        rich_help_panel=_POSTERIOR,
        show_default=False,
        autocompletion=completion.samplers,
    ),
]
Draws = Annotated[
    int | None,
    typer.Option(
        min=4, metavar="N", help="Draws of a chain, after warm-up; by default 1000.", rich_help_panel=_POSTERIOR
    ),
]
Chains = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Chains; by default 4.", rich_help_panel=_POSTERIOR)
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="The same seed gives the same draws.", rich_help_panel=_POSTERIOR),
]

Causes = Annotated[
    bool,
    typer.Option(
        "--causes/--no-causes", help="Say why the fits differ; refits generalized models.", rich_help_panel=_OUTPUT
    ),
]
Progress = Annotated[
    bool,
    typer.Option(
        "--progress/--quiet",
        " /--no-progress",
        " /-q",
        help="Show progress on standard error; by default. Warnings are always shown.",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
Groups = Annotated[
    bool,
    typer.Option("--groups", help="Coefficients of every level, beside the document's.", rich_help_panel=_OUTPUT),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.", rich_help_panel=_OUTPUT)]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV instead of text.", rich_help_panel=_OUTPUT)]
ReportTo = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write a report too, one HTML file.", rich_help_panel=_OUTPUT),
]
