"""Bad input: what careless users and attackers give, each an expression that has to raise one error of bayesmix.

`python tests/bad_inputs.py FOLDER` evaluates all of them and prints outcome, seconds of CPU and peak of memory as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx
from bayesmix.errors import BayesmixError

TEXTS = [  # formulas on the data of `frame`
    "",
    "   ",
    "~",
    "y",
    "y ~",
    "~ x",
    "y ~ x +",
    "y ~ + + ~ x",
    "y ~ x ~ g",
    "y ~ (x",
    "y ~ x)",
    "y ~ (1 | g",
    "y ~ 1 | g",
    "y ~ (1 |)",
    "y ~ (| g)",
    "y ~ (1 | g) | g",
    "y ~ ((x | g) | g)",
    "y ~ (1 || )",
    "y ~ nothing",
    "nothing ~ x",
    "y ~ (1 | nothing)",
    "y ~ (nothing | g)",
    "y ~ x + (1 | g) + (1 | g)",
    "y ~ x % 2",
    "y ~ x @ g",
    "y ~ x; import os",
    "y ~ __import__('os').system('true')",
    "y ~ x.__class__",
    "y ~ (lambda: 1)()",
    "y ~ eval(x)",
    "y ~ open(x)",
    "y ~ x[0]",
    "y ~ {x}",
    "y ~ 'x'",
    'y ~ "x',
    "y ~ `x",
    "y ~ x\x00",
    "y ~ x\u202e",
    "y ~ \u200bx",
    "y ~ x\n\n~ g",
    "y ~ x^x",
    "y ~ x^1e9",
    "y ~ x ** 99999",
    "y ~ poly(x, 10000)",
    "y ~ poly(x, 0)",
    "y ~ poly(x, -1)",
    "y ~ poly(f, 2)",
    "y ~ bs(x, df = 100000)",
    "y ~ ns(x, df = 0)",
    "y ~ s(x, k = 1000000)",
    "y ~ s(f)",
    "y ~ s(x, bs = 'zz')",
    "y ~ s()",
    "y ~ t2(x)",
    "y ~ gp()",
    "y ~ gp(x, k = 1e12)",
    "y ~ gp(f)",
    "y ~ mo(x)",
    "y ~ mo(f2)",
    "y ~ ar(time = x, gr = g, p = 99)",
    "y ~ log(z0)",
    "y ~ sqrt(x - 10)",
    "y ~ exp(1000 * x)",
    "y ~ I(1e308 * 1e308 * x)",
    "y ~ offset(f)",
    "y ~ offset(nothing)",
    "y | se(x) ~ 1",
    "y | se(nothing) ~ 1",
    "y | weights(f) ~ 1",
    "y | cens(x) ~ 1",
    "y | trunc(lb = 1e9) ~ 1",
    "y | trials(x) ~ 1",
    "y | nothing(x) ~ 1",
    "y | mi() ~ mi(x)",
    "f ~ x",
    "log(x) ~ 1",
    "cbind(y, x) ~ 1",
    "cbind(y) ~ 1",
    "g ~ x",
    "y ~ y",
    "y ~ x + (1 | y:x:g:f:f2:nothing)",
    "y ~ (1 | g / nothing)",
    "y ~ us(1 | g",
    "y ~ zz(1 | g)",
    "y ~ toep(x | g)",
    "y ~ ou(f | g)",
    "y ~ exp(x + f | g)",
    "y ~ (1 | gr(g, cov = A))",
    "y ~ (1 | gr(g, dist = 'cauchy'))",
    "y ~ (1 | mm(g))",
    "y ~ " + "(" * 5_000 + "x" + ")" * 5_000,
    "y ~ " + " + ".join(["x"] * 50_000),
    "y ~ " + "-" * 20_000 + "x",
    "y ~ " + "x" * 100_000,
    "y ~ " + " * ".join(f"I(x^{k})" for k in range(1, 40)),
]

CALLS = """
bmx.Model(None, D)
bmx.Model(3, D)
bmx.Model([], D)
bmx.Model({}, D)
bmx.Model(["y ~ x", "y ~ g"], D)
bmx.Model(["y ~ x", "sigma ~ nothing"], D)
bmx.Model(["y ~ x", "zi ~ x"], D)
bmx.Model({"mu": "y ~ x", "nonsense": "~ x"}, D)
bmx.Model(["y ~ a * exp(b)", "a ~ 1"], D)
bmx.Model(["y ~ x", "f ~ x"], D, family="gaussian")
bmx.Model(["y ~ x", "n ~ x"], D, family={"y": "gaussian"}, rescor=True)
bmx.Model(["y ~ x", "n ~ x"], D, family={"y": "gaussian", "n": "poisson"}, rescor=True)
bmx.Model("y ~ x", D, family="gausian")
bmx.Model("y ~ x", D, family="")
bmx.Model("y ~ x", D, family=3)
bmx.Model("y ~ x", D, family=None)
bmx.Model("y ~ x", D, family="poisson")
bmx.Model("y ~ x", D, family="binomial")
bmx.Model("y ~ x", D, family="beta")
bmx.Model("y ~ x", D, family="gamma")
bmx.Model("f ~ x", D, family="bernoulli")
bmx.Model("n | trials(n) ~ x", D.assign(n=0), family="binomial")
bmx.Model("n ~ x", D.assign(n=-1), family="poisson")
bmx.Model("n ~ x", D.assign(n=0.5), family="negbinomial")
bmx.Model("y ~ x", D, family="gaussian", link="logitt")
bmx.Model("y ~ x", D, family="gaussian", link=7)
bmx.Model("n ~ x", D, family="poisson", link="inverse")
bmx.Model("y ~ x", D, priors="nonsense")
bmx.Model("y ~ x + (1 | g)", D, priors={"sd": "HalfNormal(-1)"})
bmx.Model("y ~ x + (1 | g)", D, priors={"sd": "HalfNormal(nan)"})
bmx.Model("y ~ x + (1 | g)", D, priors={"sd": "HalfNormal(__import__('os'))"})
bmx.Model("y ~ x + (1 | g)", D, priors={"sd": "HalfNormal(" * 2000})
bmx.Model("y ~ x + (1 | g)", D, priors={"b": "Gamma(1, 1)"}).sample(progress=False)
bmx.Model("y ~ x + (1 | g)", D, priors={"nothing": "Normal(0, 1)"}).priors
bmx.Model("y ~ x + (1 | g)", D, priors={3: 4})
bmx.Model("y ~ x", D, weights="nothing")
bmx.Model("y ~ x", D, weights=[1.0])
bmx.Model("y ~ x", D, weights=-np.ones(60))
bmx.Model("y ~ x", D, weights=np.zeros(60))
bmx.Model("y ~ x", D, weights=np.full(60, np.inf))
bmx.Model("y ~ x", D, offset=np.full(60, np.inf))
bmx.Model("y ~ x", D, offset=[[1.0]])
bmx.Model("y ~ x", D, contrasts={"f": "helmertt"})
bmx.Model("y ~ f", D, contrasts={"nothing": "sum"})
bmx.Model("y ~ x", D, where="cloud")
bmx.Model("y ~ x", D, start={"a": 1})
bmx.Model("y ~ x", D, data2={"A": np.eye(3)})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": np.eye(2)})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": pd.DataFrame(-np.eye(6), L, L)})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": pd.DataFrame(np.full((6, 6), np.nan), L, L)})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": "text"})
bmx.Model("y ~ x", D, unknown=1)
bmx.Model("y ~ x", None)
bmx.Model("y ~ x", 3)
bmx.Model("y ~ x", [])
bmx.Model("y ~ x", {})
bmx.Model("y ~ x", [1, 2, 3])
bmx.Model("y ~ x", {"y": [1, 2], "x": [1]})
bmx.Model("y ~ x", {"y": [[1], [2]], "x": [1, 2]})
bmx.Model("y ~ x", D.iloc[:0])
bmx.Model("y ~ x", D.iloc[:1]).estimate()
bmx.Model("y ~ x + f + (1 | g)", D.iloc[:3]).estimate()
bmx.Model("y ~ x", D.assign(y=np.nan))
bmx.Model("y ~ x", D.assign(x=np.inf))
bmx.Model("y ~ x", D.assign(y=np.inf))
bmx.Model("y ~ x", D.assign(y=1e300 * D["y"])).estimate()
bmx.Model("y ~ x", D.assign(y="text"))
bmx.Model("y ~ x", D.assign(x=[object()] * 60))
bmx.Model("y ~ x", D.assign(x=[{}] * 60))
bmx.Model("y ~ x", D.assign(x=1j * D["x"]))
bmx.Model("y ~ x", pd.concat([D, D[["x"]]], axis=1))
bmx.Model("y ~ (1 | g)", D.assign(g=np.arange(60))).estimate()
bmx.Model("y ~ (1 | g)", D.assign(g="one")).estimate()
bmx.Model("y ~ (1 | g)", D.assign(g=None))
bmx.Model("y ~ 1 + (1 | g)", D.assign(y=2.0)).estimate()
bmx.Model("y ~ f", D.assign(f=[f"level {k}" for k in range(60)])).estimate()
bmx.Model("y ~ f", D.assign(f=pd.Categorical(["a"] * 60, ["a"])))
bmx.Model("b ~ x", D.assign(b=(D["x"] > 0) * 1), family="bernoulli").estimate("agq")
bmx.Model("y ~ x + (1 | g)", D).estimate("remll")
bmx.Model("y ~ x + (1 | g)", D).estimate(3)
bmx.Model("y ~ x + (1 | g)", D).estimate(bmx.Agq(0))
bmx.Model("y ~ x + (1 | g)", D).estimate(bmx.Agq(10**9))
bmx.Model("n ~ x + (1 | g)", D, family="poisson").estimate("reml")
M().sample(draws=0)
M().sample(draws=-5)
M().sample(draws=1.5)
M().sample(draws="many")
M().sample(draws=10**12)
M().sample(chains=0)
M().sample(chains=10**9)
M().sample(seed=-1)
M().sample(seed="text")
M().sample(method="gibbs")
M().sample(method=bmx.Nuts(target_accept=2))
M().sample(checkpoint=P / "none" / "run.zarr")
M().sample(checkpoint=P / "a.zarr", cache=P / "b")
M().sample(cache=P / "file.txt")
M().prior_predictive(draws=0)
M().prior_predictive(draws=10**13)
M().code("sas")
E().predict(3)
E().predict(pd.DataFrame({"z": [1]}))
E().predict(pd.DataFrame({"x": ["text"], "g": ["level 1"]}))
E().predict(pd.DataFrame({"x": [np.inf], "g": ["level 1"]}))
E().predict(groups="all of them")
E().predict(groups={"nothing": "fitted"})
E().predict(interval=2)
E().predict(interval=-0.5)
E().predict(kind="median")
E().predict(parameter="nothing")
E().predict(response="nothing")
E().predict(df="welch")
E().predict(to=P / "none" / "a.parquet")
E().confint("nothing")
E().confint(method="magic")
E().confint(level=0)
E().confint(level=1)
E().confint(level=np.nan)
E().confint("bootstrap", replicates=0)
E().confint("bootstrap", kind="studentt")
E().bootstrap(0)
E().bootstrap(checkpoint=P / "file.txt")
E().bootstrap(checkpoint=P)
E().bootstrap(2, checkpoint=P / "none" / "a.jsonl", progress=False)
E().hypothesis()
E().hypothesis("x >")
E().hypothesis("nothing > 0")
E().hypothesis("x > 0; import os")
E().hypothesis("__import__('os') > 0")
E().hypothesis("(" * 3000)
E().contrasts("nothing")
E().contrasts("f", method="every")
E().contrasts("f", adjust="bonferoni")
E().marginal_means("nothing")
E().slopes("nothing")
E().slopes("f")
E().conditional_effects("nothing")
E().conditional_effects("x", points=0)
E().conditional_effects("x", points=10**12)
E().simulate(0)
E().simulate(10**13)
E().robust_vcov("nothing")
E().robust_vcov("g", kind="CR9")
E().refit([1, 2])
E().refit(np.full(60, np.nan))
E().update("~ . - nothing2 + nothing")
E().update("~ (")
E().drop1(test="anova")
E().influence("nothing")
E().r2("magic")
E().tidy(effects=["everything"])
E().tidy(interval=7)
E().test_group("nothing")
bmx.anova()
bmx.anova(3)
bmx.anova(E(), type=4)
bmx.anova(E(), E(), test="magic")
bmx.compare()
bmx.compare(3)
bmx.compare(E(), E(), labels=["one"])
bmx.loo_compare()
bmx.loo_compare(E())
bmx.bayes_factor(E(), E())
bmx.report(bmx.compare(E(), causes=False), P / "none" / "a.html")
bmx.plots.forest()
bmx.plots.forest(3)
bmx.plots.forest(E(), parameters=["nothing"])
bmx.studies.power(E(), effect={"nothing": 1}, progress=False)
bmx.studies.power(E(), effect={"x": 1}, n={"nothing": [3]}, progress=False)
bmx.studies.power(E(), effect={"x": 1}, n={"g": [-3]}, progress=False)
bmx.studies.power(E(), effect={"x": 1}, n={"g": [10**9]}, replicates=2, progress=False)
bmx.studies.calibrate(M(), 0, progress=False)
bmx.studies.calibrate(M(), 10, seconds=0, progress=False)
bmx.studies.calibrate(M(), 10, checkpoint=P / "file.txt", progress=False)
bmx.pedigree(pd.DataFrame({"id": [1, 2], "sire": [2, 1], "dam": [None, None]}))
bmx.pedigree(pd.DataFrame({"id": [1, 1], "sire": [None, None], "dam": [None, None]}))
bmx.phylogeny("((a:1,b:1")
bmx.phylogeny("(" * 3000)
bmx.load_dataset("nothing")
bmx.load_dataset("../../../etc/passwd")
bmx.load_dataset(3)
bmx.Model("y ~ x", P / "none.csv")
bmx.Model("y ~ x", P)
bmx.Model("y ~ x", P / "file.txt")
bmx.Model("y ~ x", P / "empty.csv")
bmx.Model("y ~ x", P / "binary.csv")
bmx.Model("y ~ x", P / "ragged.csv")
bmx.Model("y ~ x", P / "utf16.csv")
bmx.Model("y ~ x", P / "head.csv")
bmx.Model("y ~ x", P / "pipe.csv")
bmx.Model("y ~ x", P / "loop.csv")
bmx.Model("y ~ x", P / "false.parquet")
bmx.Model("y ~ x", P / "false.xlsx")
bmx.Model("y ~ x", P / "false.rds")
bmx.Model("y ~ x", P / "false.dta")
bmx.Model("y ~ x", P / "false.csv.gz")
bmx.Model("y ~ x", P / "wide.csv")
bmx.Model("y ~ x", P / "secret.csv")
bmx.Model("y ~ x", "/dev/null")
bmx.Model("y ~ x", "https://example.invalid/data.csv")
bmx.Model("y ~ x", "x" * 100_000)
bmx.Model("y ~ x", "a\\0b.csv")
bmx.load_model("nothing")
bmx.load_model("../models/dyestuff")
bmx.load_model(P / "none.toml")
bmx.load_model(P / "empty.toml")
bmx.load_model(P / "binary.toml")
bmx.load_model(P / "deep.toml")
bmx.load_model(P / "number.toml")
bmx.load_model(P / "outside.toml")
bmx.load_model(P / "unknown.toml")
bmx.load_model(P / "checksum.toml")
bmx.load_model(P / "bidi.toml")
bmx.load_model(P / "large.toml")
bmx.load_model(P / "pipe.toml")
bmx.load(P / "none.zarr")
bmx.load(P)
bmx.load(P / "file.txt")
bmx.load(3)
bmx.load("")
bmx.load("x" * 10_000)
bmx.load("a\\0b.zarr")
bmx.load_model("x" * 10_000)
bmx.load_model(3)
E().save(3)
M().sample(checkpoint=3)
M().sample(cache=["a"])
bmx.report(bmx.compare(E(), causes=False), "x" * 10_000)
bmx.load(P / "newer.zarr")
bmx.load(P / "cut.zarr")
bmx.load(P / "changed.zarr")
bmx.load(P / "link.zarr")
bmx.load(P / "fifo.zarr")
bmx.load(P / "frames.zarr")
bmx.load(P / "deflated.zarr")
bmx.load(P / "twice.zarr")
bmx.load(P / "longer.zarr")
bmx.load(P / "filled.zarr")
bmx.load(P / "huge.zarr")
bmx.load(P / "codec.zarr")
bmx.load(P / "words.zarr")
bmx.load(P / "pipes.zarr")
bmx.load(P / "deep.zarr")
bmx.load(P / "foreign.zarr")
bmx.load(P / "many.zarr")
bmx.resume(P / "none.zarr")
bmx.resume(P / "file.txt")
bmx.resume(P / "newer.zarr")
E().save(P / "file.txt")
E().save(P / "good.zarr")
E().save(P / "none" / "a.zarr")
E().save("/proc/a.zarr")
""".strip().splitlines()

TEXTS_OF_TERMS = r"""
y ~ mo(n):mo(n) + mo(nothing)
y ~ mo(f, id = )
y ~ (mo(n) | g)
y ~ mo(n, x)
y ~ mo()
y ~ gp(x, k = 0)
y ~ gp(x, k = -3)
y ~ gp(x, c = -1)
y ~ gp(x, cov = "nothing")
y ~ gp(x, by = nothing)
y ~ gp(x, n, z0, y, k = 500)
y ~ gp(x, scale = 3)
y ~ s(x, k = 1)
y ~ s(x, k = -5)
y ~ s(x, k = 2.5)
y ~ s(x, k = "ten")
y ~ s(x, by = nothing)
y ~ s(x, f, bs = "cr")
y ~ s(x, bs = "fs")
y ~ s(x, g, bs = "fs", k = 10000)
y ~ t2(x, z0, k = 1000)
y ~ t2(x, f)
y ~ te(x, z0)
y ~ ti(x, z0)
y ~ s(x) + s(x)
y ~ (s(x) | g)
y ~ ar()
y ~ ar(time = nothing)
y ~ ar(time = x, gr = nothing)
y ~ ar(time = f, gr = g)
y ~ ar(time = z0, gr = g, p = 0)
y ~ ar(time = z0, gr = g, p = -1)
y ~ ar(time = z0, gr = g, p = 1e9)
y ~ ar(time = f2, gr = g)
y ~ ma(time = z0, q = 10)
y ~ unstr(time = f)
y ~ unstr(f, g)
y ~ unstr(z0, g) + ar(time = z0, gr = g)
y ~ cosy()
y ~ cosy(gr = nothing)
y ~ mm(g, f)
y ~ (1 | mm(g, nothing))
y ~ (1 | mm(g, g, weights = cbind(x)))
y ~ (1 | mm(g, g, weights = nothing))
y ~ (1 | gr(g, by = nothing))
y ~ (1 | gr(g, by = x))
y ~ (1 | gr(nothing))
y ~ (1 | gr())
y ~ (1 | gr(g, dist = student))
y ~ (1 | gr(g, id = 3))
y ~ toep(f | g) + toep(f | g)
y ~ ar1(f | nothing)
y ~ ar1(0 + x | g)
y ~ cs(x)
y ~ diag()
y ~ ou(x, z0 | g)
y ~ exp(x | g, h)
y ~ me(x, 1)
y ~ mi(x)
y | mi() ~ mi(nothing)
y | mi(x) ~ 1
y | se(x, sigma = 3) ~ 1
y | se(-1) ~ 1
y | se(0) ~ 1
y | cens() ~ 1
y | cens(f) ~ 1
y | cens("right") ~ 1
y | cens("sideways") ~ 1
y | cens("interval") ~ 1
y | cens("interval", nothing) ~ 1
y | trunc() ~ 1
y | trunc(lb = 5, ub = 1) ~ 1
y | trunc(lb = f) ~ 1
y | trunc(lb = -9, ub = "a") ~ 1
y | weights() ~ 1
y | weights(z0) ~ 1
y | rate(z0) ~ 1
y | trials(0) ~ 1
y | trials() ~ 1
y | subset(x) ~ 1
y | vint(n) ~ 1
y | thres(3) ~ 1
y | se(x) + se(x) ~ 1
y || se(x) ~ 1
| se(x) ~ 1
mvbind() ~ x
mvbind(y, y) ~ x
mvbind(y, nothing) ~ x
cbind(y, n) ~ x
cbind() ~ x
y ~ 0
y ~ -1
y ~ 1 + 0 + x - x
y ~ . + nothing
y ~ x:
y ~ x:x:
y ~ x*
y ~ x / 0
y ~ x %in% nothing
y ~ x %o% g
y ~ factor(x):factor(y):factor(z0):factor(n)
y ~ x^0
y ~ x^-1
y ~ x^1.5
y ~ I()
y ~ I(x, x)
y ~ poly()
y ~ poly(x, 2.5)
y ~ poly(x, n, 3)
y ~ poly(nothing, 2)
y ~ ns(x, knots = c(1,2,3))
y ~ bs(x, degree = -1)
y ~ bs(x, df = 2)
y ~ scale()
y ~ scale(f)
y ~ factor()
y ~ offset()
y ~ offset(x) + offset(nothing)
y ~ log(f)
y ~ log()
y ~ cut(x, 3)
y ~ ifelse(x > 0, 1, 0)
y ~ NULL
y ~ NA
y ~ Inf
y ~ TRUE
y ~ 1e400
y ~ 3
y ~ "f"
y ~ x$y
y ~ x::y
y ~ x <- 3
y ~ function(x) x
y ~ x -> z
y ~ \(x) x
y := x
y = x
y ≈ x
y ~ x + (1 | g) # comment
y ~ (1 | "g")
y ~ (1 | 3)
y ~ (1 | g + f)
y ~ (1 | g * f) * x
y ~ (1 | g):x
y ~ (1 | -g)
y ~ (0 | g)
y ~ (-1 | g)
y ~ (x - 1 - x | g)
y ~ (1 | log(g))
y ~ (offset(x) | g)
y ~ (1 | g | h | i)
y ~ (1 | i | )
y ~ (1 | | g)
y ~ (1 ||| g)
""".strip("\n").splitlines()

CALLS_WITH_WRONG_KINDS = r"""
bmx.Model("n ~ x", D, family="zero_inflated_poisson", link="nothing")
bmx.Model(["n ~ x", "zi ~ nothing"], D, family="zero_inflated_poisson")
bmx.Model(["n ~ x", "hu ~ x"], D, family="zero_inflated_poisson")
bmx.Model(["n ~ x", "zi ~ x", "zi ~ g"], D, family="zero_inflated_poisson")
bmx.Model(["n ~ x", "zi ~ x + (1 | g"], D, family="zero_inflated_poisson")
bmx.Model("y ~ x", D, family="asym_laplace(2)")
bmx.Model("y ~ x", D, family="asym_laplace(0)")
bmx.Model("y ~ x", D, family="asym_laplace(a)")
bmx.Model("y ~ x", D, family="asym_laplace(")
bmx.Model("y ~ x", D, family="gaussian(3)")
bmx.Model("y ~ x", D, family="student(nu = -1)")
bmx.Model("y ~ x", D, family="tweedie(9)")
bmx.Model("y ~ x", D, family="__import__('os')")
bmx.Model("y ~ x", D, family="x" * 100_000)
bmx.Model("y ~ x", D, family=["gaussian"])
bmx.Model("y ~ x", D, family={"y": "gaussian", "n": "poisson"})
bmx.Model("y ~ x", D, family={"q": "gaussian"})
bmx.Model("y ~ x", D, family={})
bmx.Model("y ~ x", D, family=object())
bmx.Model("y ~ x", D, family="weibull")
bmx.Model("y ~ x", D, family="lognormal")
bmx.Model("y ~ x", D, family="exponential")
bmx.Model("y ~ x", D, family="inverse_gaussian")
bmx.Model("y ~ x", D, family="shifted_lognormal")
bmx.Model("y ~ x", D, family="tweedie")
bmx.Model("y ~ x", D.assign(y=10.0*D["y"]), family="von_mises")
bmx.Model("n | trials(n) ~ x", D, family="betabinomial", link="log")
bmx.Model("n | trials(3) ~ x", D, family="binomial")
bmx.Model("n | trials(z0) ~ x", D, family="binomial")
bmx.Model("n ~ x", D.assign(n=10**400), family="poisson")
bmx.Model("n ~ x", D.assign(n=2.0**63), family="poisson").estimate()
bmx.Model("n ~ x", D.assign(n=np.nan), family="poisson")
bmx.Model("n ~ x", D.assign(n=0), family="poisson").estimate()
bmx.Model("n ~ x", D.assign(n=0), family="truncated_poisson")
bmx.Model("n ~ x", D.assign(n=0), family="hurdle_poisson").estimate()
bmx.Model("n ~ x", D.assign(n=0), family="zero_inflated_poisson").estimate()
bmx.Model("b ~ x", D.assign(b=2), family="bernoulli")
bmx.Model("b ~ x", D.assign(b=1), family="bernoulli").estimate()
bmx.Model("b ~ x", D.assign(b="yes"), family="bernoulli")
bmx.Model("f ~ x", D, family="cumulative").estimate("reml")
bmx.Model("y ~ x", D, family="cumulative(")
bmx.Model("f ~ cs(x)", D, family="cumulative")
bmx.Model("f ~ cs()", D, family="sratio")
bmx.Model("f ~ cs(nothing)", D, family="sratio")
bmx.Model("f ~ x", D.assign(f="a"), family="cumulative")
bmx.Model(["f ~ x", "mud ~ x"], D, family="categorical")
bmx.Model(["f ~ x", "mu2 ~ x"], D, family="categorical")
bmx.Model("f ~ x", D, family="categorical", link="probit")
bmx.Model("cbind(n, f) | trials(n) ~ x", D, family="multinomial")
bmx.Model("cbind(n, n) ~ x", D, family="multinomial")
bmx.Model("cbind(n, x) | trials(n) ~ x", D, family="multinomial")
bmx.Model("n | trials(n) ~ x", D, family="multinomial")
bmx.Model("y ~ x", D.assign(y=0.5), family="beta").estimate()
bmx.Model("y ~ x", D.assign(y=1.0), family="beta")
bmx.Model("y ~ x", D.assign(y=3.0), family="zero_inflated_beta")
bmx.Model(["y ~ x", "sigma ~ 1 + (1 | nothing)"], D)
bmx.Model(["y ~ x", "sigma ~ s(x, k = 1e9)"], D)
bmx.Model(["sigma ~ x", "y ~ x"], D)
bmx.Model(["y ~ x", "~ x"], D)
bmx.Model(["y ~ x", None], D)
bmx.Model(["y ~ x", 3], D)
bmx.Model(["y ~ x"] * 5000, D)
bmx.Model("; ".join(["y ~ x"] * 5000), D)
bmx.Model("bf(y ~ x", D)
bmx.Model("bf()", D)
bmx.Model("bf(y ~ x, nl = TRUE)", D)
bmx.Model("bf(y ~ x, sigma)", D)
bmx.Model(["y ~ a + b * x", "a ~ 1", "b ~ 1"], D, start={"a": "text"})
bmx.Model(["y ~ a + b * x", "a ~ 1", "b ~ 1"], D, start={"c": 1.0})
bmx.Model(["y ~ a + b * x", "a ~ 1", "b ~ 1"], D, start={"a": np.nan}).estimate()
bmx.Model(["y ~ a * nothing", "a ~ 1"], D)
bmx.Model(["y ~ a ^ b ^ a ^ b", "a ~ 1", "b ~ 1"], D, priors={"a": "Normal(1e300, 1)"}).estimate()
bmx.Model(["y ~ SSlogis(x, a, b)", "a ~ 1", "b ~ 1"], D)
bmx.Model(["y ~ eval(a)", "a ~ 1"], D)
bmx.Model(["y ~ " + "exp(" * 3000 + "a" + ")" * 3000, "a ~ 1"], D)
bmx.Model(["y ~ a", "a ~ 1"], D, family="categorical")
bmx.Model(["y ~ x + mi(z)", "z | mi() ~ 1"], D)
bmx.Model(["y ~ x + mi(n)", "n | mi() ~ x"], D, family={"y": "gaussian", "n": "poisson"})
bmx.Model(["y ~ mi(x)", "x | mi() ~ mi(y)"], D)
bmx.Model(["y ~ (mi(x) | g)", "x | mi() ~ 1"], D)
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": pd.DataFrame(np.eye(6), L, L).assign(extra="a")})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": pd.DataFrame(np.arange(36.).reshape(6, 6), L, L)})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": pd.DataFrame(np.ones((6, 6)), L, L)}).estimate()
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": pd.DataFrame(np.full((6, 6), np.inf), L, L)})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={"A": None})
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2="A")
bmx.Model("y ~ (1 | gr(g, cov = A))", D, data2={})
bmx.Model("y ~ x", D, rescor=3)
bmx.Model("y ~ x", D, rescor=True)
bmx.Model("y ~ x", D, weights="f")
bmx.Model("y ~ x", D, weights=["a"] * 60)
bmx.Model("y ~ x", D, weights={"y": 1})
bmx.Model("y ~ x", D, weights=np.ones((60, 2)))
bmx.Model("y ~ x", D, weights=np.full(60, np.nan))
bmx.Model("y ~ x", D, offset="f")
bmx.Model("y ~ x", D, offset="nothing")
bmx.Model("y ~ x", D, offset=object())
bmx.Model("y ~ f", D, contrasts=3)
bmx.Model("y ~ f", D, contrasts={"f": np.ones((3, 9))})
bmx.Model("y ~ f", D, contrasts={"f": np.full((3, 2), np.nan)})
bmx.Model("y ~ f", D, contrasts={"x": "sum"})
bmx.Model("y ~ x", D, priors={"x": "Normal(0)"})
bmx.Model("y ~ x", D, priors={"x": "Normal(0, 1, 2)"})
bmx.Model("y ~ x", D, priors={"x": "Normal(0, -1)"})
bmx.Model("y ~ x", D, priors={"x": "Normal(0, 0)"})
bmx.Model("y ~ x", D, priors={"x": "Normal(1e999, 1)"})
bmx.Model("y ~ (x | g)", D, priors={"corr": "LKJ(0)"})
bmx.Model("y ~ (x | g)", D, priors={"corr": "LKJ(inf)"})
bmx.Model("y ~ x", D, priors={"x": 3})
bmx.Model("y ~ x", D, priors={"x": None})
bmx.Model("y ~ x", D, priors=[1, 2])
bmx.Model("y ~ x", D, priors={"x": "horseshoe()"})
bmx.Model("y ~ x", D, priors={"x": "Normal(0, 1); import os"})
bmx.Model("y ~ gp(x)", D, priors={"lscale": "Normal(0, 1)"}).priors
bmx.Model("y ~ mo(n)", D, priors={"simplex": "Dirichlet(-1)"}).priors
bmx.Model("y ~ x", pd.DataFrame({"y": pd.to_datetime(["2020-01-01"] * 9), "x": range(9)}))
bmx.Model("y ~ x", D.assign(x=pd.Timestamp("2020-01-01")))
bmx.Model("y ~ x", D.assign(x=pd.Timedelta(1, "D")))
bmx.Model("y ~ x", D.assign(x=pd.NaT))
bmx.Model("y ~ x", D.assign(x=[b"bytes"] * 60))
bmx.Model("y ~ x", D.assign(x=[(1, 2)] * 60))
bmx.Model("y ~ x", D.assign(x=[10**400] * 60))
bmx.Model("y ~ x", D.set_axis([("a", i) for i in range(7)], axis=1))
bmx.Model("y ~ x", D.rename(columns={"x": 3}))
bmx.Model("y ~ x", D.set_index([["a"] * 60, ["b"] * 60]).T)
bmx.Model("y ~ x", D["y"])
bmx.Model("y ~ x", np.ones((3, 3)))
bmx.Model("y ~ x", "")
bmx.Model("y ~ x", b"bytes")
bmx.Model("y ~ x", lambda: D)
bmx.Model("y ~ x", iter([D]))
bmx.Model("y ~ x", D.assign(y=np.nan, x=np.nan))
bmx.Model("y ~ x", D.assign(x=1.0)).estimate().confint("bootstrap", replicates=3, progress=3)
bmx.Model("y ~ x", D.assign(x=[0.0] * 59 + [np.nan])).estimate().predict(D.assign(x=np.nan), interval=3)
bmx.Model("y ~ x + (1 | g)", D.assign(y=1e-320)).estimate()
bmx.Model("y ~ x", D, where=3)
bmx.Model("y ~ x", D, where="source")
bmx.Model("y ~ x", P / "*.csv", where="source")
bmx.Model("y ~ x", P / "none.parquet", where="source")
bmx.Model("y ~ x", P / "false.parquet", where="source")
M().sample(draws=np.nan)
M().sample(draws=True)
M().sample(draws=None)
M().sample(chains=None)
M().sample(chains=2.5)
M().sample(seed=1.5)
M().sample(method=3)
M().sample(method=bmx.Nuts(tune=-1))
M().sample(method=bmx.Nuts(backend="stan"))
M().sample(method=bmx.Nuts(max_treedepth=0))
M().sample(method=bmx.Marginal)
M().sample(unknown=3)
M().estimate(unknown=3)
M().estimate("bootstrap")
M().estimate(bmx.Agq(2.5))
M().estimate(bmx.Agq(-3))
M().estimate(None)
E().predict(interval="0.95")
E().predict(seed="a")
E().predict([1, 2, 3])
E().predict("x")
E().predict(pd.DataFrame())
E().predict(D.assign(f="zz"))
E().predict(D.drop(columns="x"))
E().predict(D.assign(x=[[1]] * 60))
E().predict(D.assign(g=1.5), groups="fitted")
E().predict(vcov="nothing")
E().predict(vcov=np.eye(2), interval=0.9)
E().predict(groups=3)
E().confint(3)
E().confint(level="a")
E().confint(["x", "nothing"])
E().confint(vcov=np.full((4, 4), np.nan))
E().confint("bootstrap", replicates=10**12)
E().confint("bootstrap", replicates=2.5)
E().bootstrap(10**12)
E().bootstrap("a")
E().bootstrap(3, executor=4, progress=False)
E().bootstrap(3, seed=-1, progress=False)
E().hypothesis("x > 'a'")
E().hypothesis("x = = 0")
E().hypothesis("x > 0 > 1")
E().hypothesis("x / 0 > 0")
E().hypothesis(3)
E().hypothesis(["x > 0", "nothing"])
E().contrasts("f", method={"a": [1, 2]})
E().contrasts("f", method=3)
E().contrasts("f", at={"x": "text"})
E().contrasts("f", by="nothing")
E().marginal_means(["f", "nothing"])
E().marginal_means(3)
E().slopes("x", at=3)
E().slopes("g")
E().conditional_effects("x:nothing")
E().conditional_effects("g")
E().conditional_effects("x", points=2.5)
E().conditional_effects(3)
E().simulate(-3)
E().simulate(2.5)
E().simulate("a")
E().simulate(2, seed=-1)
E().simulate(2, groups="all")
E().robust_vcov(3)
E().robust_vcov(kind="HC9")
E().refit(3)
E().refit("y")
E().refit(np.full(60, np.inf))
E().refit([[1.0] * 60])
E().update(3)
E().update("")
E().update("~ . + (1 | nothing)")
E().update(data=3)
E().drop1("nothing")
E().drop1(test=3)
E().ranova(test="nothing")
E().ranova(replicates=-1)
E().influence(3)
E().smooths()
E().smooths("s(x)")
E().imputed("x")
E().residuals("nothing")
E().residuals(3)
E().ranef("nothing")
E().coef("nothing")
E().summary("nothing")
E().tidy("everything")
E().tidy(interval="a")
E().test_group(3)
bmx.anova(E(), df="nothing")
bmx.anova(E(), type="IV")
bmx.anova(E(), E(), replicates=-3, test="bootstrap")
bmx.anova([E()], 3)
bmx.compare(E(), 3)
bmx.compare({"a": 3})
bmx.compare({})
bmx.compare(E(), E(), labels=["a", "a"])
bmx.compare(E(), E(), labels=3)
bmx.loo_compare(3, 4)
bmx.bayes_factor(3, 4)
bmx.report(3, P / "a.html")
bmx.report(bmx.compare(E(), causes=False), 3)
bmx.plots.forest(E(), E(), labels=["a"])
bmx.plots.trace(E())
bmx.studies.power(3, effect={"x": 1})
bmx.studies.power(E(), effect={"x": "a"}, progress=False)
bmx.studies.power(E(), effect={"x": np.nan}, progress=False)
bmx.studies.power(E(), effect={}, progress=False)
bmx.studies.power(E(), effect=3, progress=False)
bmx.studies.power(E(), effect={"x": 1}, replicates=0, progress=False)
bmx.studies.power(E(), effect={"x": 1}, replicates=2.5, progress=False)
bmx.studies.power(E(), effect={"x": 1}, n={"g": [2.5]}, progress=False)
bmx.studies.power(E(), effect={"x": 1}, test="nothing", progress=False)
bmx.studies.power(E(), effect={"x": 1}, alpha=2, progress=False)
bmx.studies.calibrate(3, 10, progress=False)
bmx.studies.calibrate(M(), -1, progress=False)
bmx.studies.calibrate(M(), 2.5, progress=False)
bmx.studies.calibrate(M(), 2, ranks=0, progress=False)
bmx.studies.calibrate(M(), 2, ranks=-3, progress=False)
bmx.studies.calibrate(M(), 2, ranks=10**9, progress=False)
bmx.studies.calibrate(M(), 2, thin=0, progress=False)
bmx.studies.calibrate(M(), 2, thin=10**9, progress=False)
bmx.studies.calibrate(M(), 2, level=7, progress=False)
bmx.studies.calibrate(M(), 2, method="gibbs", progress=False)
bmx.studies.calibrate(M(), 2, seed=-1, progress=False)
bmx.studies.calibrate(M(), 2, fitted=3, progress=False)
bmx.studies.calibrate(M(), 2, checkpoint=P, progress=False)
bmx.studies.calibrate(M(), 2, seconds="a", progress=False)
bmx.studies.standard_errors(M(), 0, progress=False)
bmx.pedigree(3)
bmx.pedigree(pd.DataFrame({"id": [1]}))
bmx.pedigree(pd.DataFrame({"id": [], "sire": [], "dam": []}))
bmx.pedigree(pd.DataFrame({"id": [1], "sire": [1], "dam": [None]}))
bmx.phylogeny(3)
bmx.phylogeny("")
bmx.phylogeny("(a:-1,b:2);")
bmx.phylogeny("(a,b);")
bmx.phylogeny("(a:nan,b:1);")
bmx.phylogeny("(a:1,a:1);")
bmx.phylogeny(P / "file.txt")
bmx.read_data(3)
bmx.read_data(P / "ragged.csv", sep="::")
bmx.read_data(P / "head.csv", encoding="nothing")
bmx.read_data(P / "head.csv", decimal="::")
bmx.load_model(P)
bmx.load_model("")
bmx.load_model(P / "head.csv")
bmx.load_model(P / "number.toml", outside=3)
bmx.resume(3)
bmx.resume(P)
bmx.resume(P / "good.zarr", nothing=3)
bmx.Agq("a")
bmx.Nuts(nothing=3)
bmx.Nuts(target_accept="a")
bmx.Model()
bmx.Model("y ~ x")
bmx.Model("y ~ x", D, "gaussian", 3)
""".strip().splitlines()


ATTACKS = r"""
bmx.Model("y ~ x – 1", D)
bmx.Model("y ～ x", D)
bmx.Model("y ~ s(x, bs = “cr”)", D)
bmx.Model("y ~ x + (1 ∣ g)", D)
bmx.Model("\ufeffy ~ nothing", D)
bmx.Model("y ~ \ud800", D)
bmx.Model("y ~ x\U000e0041", D)
bmx.Model("y ~ x\u2067", D)
bmx.Model("у ~ х", D)
bmx.Model("y ~ x ✕ n", D)
bmx.Model("y ~ x × n", D)
bmx.Model(b"y ~ x", D)
bmx.Model("y ~ I(x * 1" + "0" * 10000 + ")", D)
bmx.Model("y ~ x^2147483648", D)
bmx.Model("y ~ I(x^(9^9^9^9))", D)
bmx.Model("y ~ poly(x, 2, raw = maybe)", D)
bmx.Model("y ~ g:f:f2:factor(n):factor(z0):factor(x)", D)
bmx.Model("y ~ " + " + ".join(f"I(x + {k})" for k in range(3000)), D)
bmx.Model("y ~ (1 | " + "/".join(["g"] * 300) + ")", D)
bmx.Model("y ~ (1 | g) + (1 | g:f) + (1 | g:f:f2:factor(z0):factor(n)) + (1 | G)", D)
bmx.Model("y ~ x + (1 | g))", D)
bmx.Model("y ~ x + (1 || g) + (Days | Subject)", D)
bmx.Model("lm(y ~ x)", D)
bmx.Model("y ~ x, data = D", D)
bmx.Model("y ~ np.log(x)", D)
bmx.Model("y ~ x**2 + (x**2 | g)", D)
bmx.Model("y ~ (1 | g, f)", D)
bmx.Model("y ~ s(x, k = 1e308)", D)
bmx.Model("y ~ lag(x, 1)", D)
bmx.Model("y ~ D$x", D)
bmx.Model("y[1] ~ x", D)
bmx.Model("y ~ x if x else n", D)
bmx.Model("y ~ x %>% n", D)
bmx.Model("y ~ mo(z0)", D.assign(z0=D["z0"]*10**9))
bmx.Model("y ~ x", D.assign(x=[Decimal("NaN")]*60))
bmx.Model("y ~ x", D.assign(x=["1,5"]*30+["2"]*30)).estimate()
bmx.Model("y ~ f", D.assign(f=["a\nb", "c"]*30)).estimate().summary("nothing")
bmx.Model("y ~ x", D.assign(**{"\u202e": 1.0})).estimate().predict(3)
bmx.Model("y ~ (1 | g)", D.assign(g=[np.nan, None]*30))
bmx.Model("y ~ x", D.astype({"x": "datetime64[ns]"}))
bmx.Model("y ~ x", D.assign(x=pd.arrays.IntervalArray.from_breaks(range(61))))
bmx.Model("y ~ x", D.assign(y=pd.array([None]*60, dtype="Float64")))
bmx.Model("y ~ x", D.assign(y=2**70)).estimate()
bmx.Model("y ~ x", D.assign(y=[True, "a"]*30))
bmx.Model("y ~ f", D.assign(f=[1, "1"]*30)).estimate().predict(5)
bmx.Model("y ~ x", {"y": (v for v in range(3)), "x": [1,2,3]})
bmx.Model("y ~ x", [{"y": 1}, {"x": 2}])
bmx.Model("y ~ x", D, weights=D["x"])
bmx.Model("y ~ x", D, weights=np.ones(60)*1e308).estimate()
bmx.Model("y ~ x", D, family="Gaussian()(")
bmx.Model("y ~ x", D, family="gaussian\0")
bmx.Model("y ~ x", D, family={"y": None})
bmx.Model("y ~ x", D, family=type)
bmx.Model("y ~ x", D, family=np.nan)
bmx.Model("y ~ x", D, family="family")
bmx.Model("n ~ x", D, family="poisson(link = 'loga')")
bmx.Model("n ~ x", D, family="negative.binomial(theta = inf)")
bmx.Model("y ~ x + (1 | g)", D, priors={"sd": "HalfNormal(1e-320)"}).estimate("nothing")
bmx.Model("y ~ x + (1 | g)", D, priors={"sd(g)": "HalfNormal(1)", "sd": "HalfNormal(0)"})
bmx.Model("y ~ x + (1 | g)", D, priors={"x\u202e": "Normal(0, 1)"}).priors
bmx.Model("y ~ x + (1 | g)", D, priors={"x": "Normal(0, " + "9" * 5000 + ")"})
bmx.Model("y ~ x + (1 | g)", D, priors={"x": b"Normal(0, 1)"})
bmx.Model("y ~ x + (1 | g)", D, priors={"x": "normal(0, 1"})
bmx.Model("y ~ x + (1 | g)", D, priors={"Intercept": "Normal(0,1)" * 9999})
M().sample(draws=np.float64(7.2))
M().sample(seed=[1])
M().sample(seed=2**200, draws=4, chains=1, progress=False, method="nuts_")
M().sample(checkpoint="")
M().sample(checkpoint=P / "good.zarr")
M().sample(checkpoint=P / "file.txt")
M().sample(checkpoint="/proc/a.zarr")
M().sample(checkpoint="x" * 5000)
M().sample(checkpoint="a\0b")
M().sample(cache=P / "good.zarr" / "zarr.json")
M().sample(cache="/proc/nothing")
M().sample(cache="a\0b")
M().sample(cache="x" * 5000)
M().sample(cache=3)
M().sample(method=bmx.Nuts)
M().sample(method=[])
M().sample(method=None, draws=2)
M().sample(progress="perhaps", draws=1)
bmx.Nuts(backend="os")
bmx.Nuts(tune="x")
bmx.Nuts(target_accept=np.nan)
E().confint(level=True)
E().confint(level="95%")
E().predict(interval=True)
E().predict([])
E().predict({})
E().predict(P / "empty.csv")
E().predict(P / "good.zarr")
E().predict("nothing.csv")
E().hypothesis("x > 0" * 9999)
E().hypothesis("")
E().hypothesis("x ~ 0")
E().hypothesis("x = 1e999")
E().bootstrap(checkpoint="")
E().bootstrap(2, checkpoint="a\0b", progress=False)
E().bootstrap(2, checkpoint="x" * 5000, progress=False)
E().bootstrap(2, checkpoint=3, progress=False)
E().save("a\0b.zarr")
E().save("")
E().save(P / "pipe.csv")
E().save(P)
E().save(P / "good.zarr" / "bayesmix_model")
E().simulate(True)
E().simulate(2, seed="a")
bmx.resume("")
bmx.resume("a\0b")
bmx.resume("x" * 5000)
bmx.resume(P / "pipes.zarr")
bmx.resume(P / "link.zarr")
bmx.load("~")
bmx.load("https://example.org/fit.zarr")
bmx.load(P / "good.zarr" / "bayesmix_model")
bmx.load(P / "file.txt" / "a.zarr")
bmx.read_data("")
bmx.read_data(P / "good.zarr")
bmx.read_data(P / "head.csv", sep="")
bmx.read_data(P / "head.csv", sep=3)
bmx.read_data(P / "nothing.csv.gz")
bmx.read_data("a\0b.csv")
bmx.read_data(P / "head.csv", decimal=3)
bmx.Model("y ~ x", T('{"y": [1,2', "a.json"))
bmx.Model("y ~ x", T("y;x\n1,5;2\n", "b.csv")).estimate()
bmx.Model("y ~ x", T("y,x\n1,2\n\n\n3", "c.csv")).estimate()
bmx.Model("y ~ x", T("y,x\n\"1,2\n3,4\n", "d.csv")).estimate()
bmx.Model("y ~ x", T("y,y,x\n1,2,3\n", "e.csv"))
bmx.Model("y ~ x", T("y,\u202ex\n1,2\n", "f.csv"))
bmx.Model("y ~ x", T("y,x\n" + "1," * 3 + "\n", "g.csv"))
bmx.Model("y ~ x", T(b"\x1f\x8b\x08\0" + b"\0" * 50, "h.csv.gz"))
bmx.Model("y ~ x", T(b"PK\x03\x04" + b"\0" * 50, "i.xlsx"))
bmx.Model("y ~ x", T(b"PAR1" + b"\0" * 50 + b"PAR1", "j.parquet"))
bmx.Model("y ~ x", T(b"ARROW1" + b"\xff" * 50 + b"ARROW1", "k.feather"))
bmx.Model("y ~ x", T(b"$FL2" + b"\xff" * 500, "l.sav"))
bmx.Model("y ~ x", T(b"<stata_dta>" + b"\xff" * 500, "m.dta"))
bmx.Model("y ~ x", T(b"HEADER RECORD" + b"\xff" * 500, "n.xpt"))
bmx.Model("y ~ x", T("y,x\n" + "9" * 400 + ",1\n1,2\n3,4\n", "o.csv")).estimate()
bmx.Model("y ~ x", T("y,x\n1e999,1\n1,2\n3,4\n", "p.csv")).estimate()
bmx.load_model(T(H + 'formula = "y ~ z"\n'))
bmx.load_model(T(H + '[data]\nfile = "http://example.org/a.csv"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\nfile = "//server/share.csv"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\nfile = "..\\\\x.csv"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\nfile = "a\\u0000b"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\nfile = "head.csv"\nsha256 = "short"\n'))
bmx.load_model(T(H + '[data]\nfile = "head.csv"\nsha256 = 3\n'))
bmx.load_model(T(H + '[data]\nfile = ["head.csv"]\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\ndataset = "../sleepstudy"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\ndataset = "sleepstudy"\nfile = "head.csv"\n'))
bmx.load_model(T(H + '[data]\nfile = "loop.csv"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T(H + '[data]\nfile = "pipe.csv"\nsha256 = "' + "0" * 64 + '"\n'))
bmx.load_model(T('name = "a"\nformula = 3\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T('name = "a"\nformula = ["y ~ x", 3]\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T('name = "a"\nfamily = 3\nformula = "y ~ x"\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T('name = "a\\u001b[31m"\nformula = "y ~ x"\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T('name = "a"\ndescription = "\\u2066"\nformula = "y ~ x"\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T(H + '[priors]\nx = { a = 3 }\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T(H + '[data]\ndataset = "sleepstudy"\n[document]\nfigures = 3\n'))
bmx.load_model(T(H + '[data]\ndataset = "sleepstudy"\n[document.figures.parameters]\nx = nan\n'))
bmx.load_model(T(H + 'start = { a = "x" }\n[data]\ndataset = "sleepstudy"\n'))
bmx.load_model(T(b"\xff\xfen\0a\0"))
bmx.load_model(T("a" + ".a" * 50000 + " = 1"))
bmx.load_model(T("[" + "a." * 50000 + "a]"))
bmx.load_model(T("x = { " * 5000))
bmx.load(W(lambda w: w.clear()))
bmx.load(W(lambda w: w.update(formula="y ~ nothing")))
bmx.load(W(lambda w: w.update(formula="(" * 100000)))
bmx.load(W(lambda w: w.update(formula="y ~ x + s(x, k = 50)")))
bmx.load(W(lambda w: [w.update({k: 3}) for k in list(w)]))
bmx.load(W(lambda w: [w.update({k: None}) for k in list(w)]))
bmx.load(W(lambda w: [w.update({k: [[]]}) for k in list(w)]))
bmx.load(W(lambda w: w.update(family="poisson")))
bmx.load(S(lambda n: n["attributes"].update(model="[" * 100000)))
bmx.load(S(lambda n: n["attributes"].update(model=3)))
bmx.load(S(lambda n: n.update(attributes=3)))
bmx.load(S(lambda n: n["attributes"].update(bayesmix_format=1.5), "zarr.json"))
bmx.load(S(lambda n: n["attributes"].update(bayesmix_format=[1]), "zarr.json"))
bmx.load(S(lambda n: n.update(zarr_format=2), "zarr.json"))
bmx.load(S(lambda n: n.update(node_type="array"), "zarr.json"))
bmx.load(S(lambda n: n.update(shape=[-1]), B))
bmx.load(S(lambda n: n.update(shape=[True]), B))
bmx.load(S(lambda n: n.update(shape=[1]*5000), B))
bmx.load(S(lambda n: n.update(fill_value="x"), B))
bmx.load(S(lambda n: n.update(data_type="complex128"), B))
bmx.load(S(lambda n: n.update(data_type="datetime64"), B))
bmx.load(S(lambda n: n.update(dimension_names=["a"]*9), B))
bmx.load(S(lambda n: n["chunk_grid"].update(configuration={"chunk_shape": [0]}), B))
bmx.load(S(lambda n: n["chunk_grid"].update(configuration={}), B))
bmx.load(S(lambda n: n["chunk_key_encoding"].update(configuration={"separator": "../"}), B))
C()
C("nothing")
C("fit")
C("fit", "y ~ x")
C("fit", "y ~ x", "nothing.csv")
C("fit", "y ~ x", P / "empty.csv")
C("fit", "y ~ x", P)
C("fit", "", "sleepstudy")
C("fit", "Reaction ~ Days + (Days | Subject)", "sleepstudy", "--draws", "abc")
C("fit", "Reaction ~ Days", "sleepstudy", "--draws", "-5", "--posterior")
C("fit", "Reaction ~ Days", "sleepstudy", "--seed", "-1", "--posterior")
C("fit", "Reaction ~ Days", "sleepstudy", "--family", "\0")
C("fit", "Reaction ~ Days", "sleepstudy", "--priors", "=")
C("fit", "Reaction ~ Days", "sleepstudy", "--priors", "x")
C("fit", "Reaction ~ Days", "sleepstudy", "--nothing")
C("fit", "Reaction ~ Days", "sleepstudy", "--save", "/proc/x.zarr")
C("fit", "Reaction ~ Days", "sleepstudy", "--save", P)
C("fit", "Reaction ~ Days", "sleepstudy", "--csv", "--json")
C("fit", "Reaction ~ \u202eDays", "sleepstudy")
C("fit", "Reaction ~ Days", "sleepstudy", "--checkpoint", P / "file.txt")
C("fit", "Reaction ~ Days", "sleepstudy", "--posterior", "--checkpoint", P / "file.txt")
C("fit", "Reaction ~ Days", "sleepstudy", "--posterior", "--chains", "10000000")
C("fit", P / "good.zarr")
C("fit", P / "pipe.toml")
C("fit", P / "deep.toml")
C("resume", P / "nothing.zarr")
C("resume", P / "huge.zarr")
C("resume", "")
C("compare")
C("compare", "nothing")
C("compare", P / "bidi.toml")
C("compare", "--all", "--checkpoint", P / "file.txt")
C("report", "nothing", "--output", P / "none" / "a.html")
C("report")
C("power", "y ~ x", "sleepstudy")
C("power", "Reaction ~ Days + (1 | Subject)", "sleepstudy", "--test", "nothing")
C("power", "Reaction ~ Days + (1 | Subject)", "sleepstudy", "--test", "Days", "--replicates", "0")
C("anova", "Reaction ~ Days", "sleepstudy", "--type", "9")
C("code", "sas", "Reaction ~ Days", "sleepstudy")
C("models", "nothing")
C("fit", "y ~ x", "-")
C("fit", "@" * 100000, "sleepstudy")
bmx.load(W(lambda w: w.update(formula="n ~ x + f + (1 | g)", family="poisson")))
""".strip().splitlines()


def cases() -> list[str]:
    """Expressions, one each."""
    return [f"bmx.Model({text!r}, D)" for text in TEXTS + TEXTS_OF_TERMS] + CALLS + CALLS_WITH_WRONG_KINDS + ATTACKS


@cache
def frame() -> pd.DataFrame:
    rng, n = np.random.default_rng(1), 60
    columns: dict[str, Any] = {"y": rng.normal(size=n), "x": rng.normal(size=n), "n": rng.poisson(3.0, n)}
    columns |= {"f": np.resize(["a", "b", "c"], n), "f2": np.resize(["u", "v"], n), "z0": np.arange(n) - 5.0}
    return pd.DataFrame(columns | {"g": [f"level {j}" for j in np.arange(n) % 6]})


@cache
def model() -> bmx.Model:
    return bmx.Model("y ~ x + f + (1 | g)", frame())


@cache
def estimate() -> Any:
    return model().estimate()


# ---- files ----------------------------------------------------------------------------------------------------------


def make_files(folder: Path) -> None:
    """What the expressions read."""
    texts = {
        "file.txt": "words\n",
        "empty.csv": "",
        "ragged.csv": "y,x\n1,2\n1,2,3,4\n",
        "head.csv": "y,x\n",
        "empty.toml": "",
        "deep.toml": "a = " + "[" * 100_000,
        "number.toml": "a = 1e999999999999999999",
        "unknown.toml": 'name = "a"\nformula = "y ~ x"\nnothing = 3\n',
        "large.toml": "# \n" * 1_000_000,
        "bidi.toml": 'name = "a\u202e"\nformula = "y ~ x"\n',
        "wide.csv": ",".join("xy") + "\n" + "1," * 200_000 + "1\n",
    }
    data = '[data]\nfile = "{}"\nsha256 = "' + "0" * 64 + '"\n'
    head = 'name = "a"\nformula = "y ~ x"\nfamily = "gaussian"\n'
    texts |= {"outside.toml": head + data.format("/etc/passwd"), "checksum.toml": head + data.format("head.csv")}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "utf16.csv").write_bytes("é,x\n1,2\n".encode("utf-16-le"))
    for name in ("binary.csv", "binary.toml", *(f"false.{end}" for end in ("parquet", "xlsx", "rds", "dta", "csv.gz"))):
        (folder / name).write_bytes(bytes(range(256)) * 40)
    for name in ("pipe.csv", "pipe.toml", "pipes.zarr"):
        os.mkfifo(folder / name)
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "secret.csv").symlink_to("/dev/zero")
    _make_stores(folder)


def _make_stores(folder: Path) -> None:
    import shutil

    estimate().save(folder / "good.zarr")
    bombs = ("frames", "deflated", "twice", "longer", "filled")
    for name in ("newer", "cut", "changed", "link", "fifo", "huge", "codec", "words", "deep", "many", *bombs):
        shutil.copytree(folder / "good.zarr", folder / f"{name}.zarr")
    (folder / "foreign.zarr").mkdir()
    (folder / "foreign.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    _edit(folder / "newer.zarr" / "zarr.json", lambda root: root["attributes"].update(bayesmix_format=99))
    array = Path("bayesmix_estimate", "beta")
    (chunk,) = [path for path in (folder / "cut.zarr" / array / "c").rglob("*") if path.is_file()]
    chunk.unlink()
    chunk = Path(str(chunk).replace("cut.zarr", "changed.zarr"))
    chunk.write_bytes(chunk.read_bytes()[::-1] + b"\1")
    (folder / "link.zarr" / "other").symlink_to("/etc")
    os.mkfifo(folder / "fifo.zarr" / "bayesmix_estimate" / "pipe")
    for name, change in {
        "huge": lambda node: node.update(shape=[10**15]),
        "codec": lambda node: node.update(codecs=[{"name": "pickle"}]),
    }.items():
        _edit(folder / f"{name}.zarr" / array / "zarr.json", change)
    _make_bombs(folder, array)
    _edit(folder / "words.zarr" / "bayesmix_model" / "zarr.json", lambda node: node["attributes"].update(model="{}"))
    (folder / "deep.zarr" / "bayesmix_model" / "zarr.json").write_text("[" * 200_000)
    for place in range(1_500):
        (folder / "many.zarr" / f"g{place}").mkdir()
        (folder / "many.zarr" / f"g{place}" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')


def _make_bombs(folder: Path, array: Path) -> None:
    """Arrays that unpack to up to 2^29 bytes, or are longer than the model's; sealed, as their writers would."""
    from numcodecs import GZip, Zstd

    from bayesmix.results.storage.fit_storage import _seal

    packed = {"name": "gzip", "configuration": {"level": 9}}
    changes = {
        "frames": ({}, Zstd(1).encode(bytes(16)) + Zstd(1).encode(bytes(2**29))),
        "deflated": ({"codecs": [{"name": "bytes"}, packed]}, GZip(9).encode(bytes(2**25)) * 2),
        "twice": ({"codecs": [{"name": "bytes"}, packed, packed]}, GZip(9).encode(GZip(9).encode(bytes(2**26)))),
        "longer": ({"shape": [9], "fill_value": 0.0}, None),
        "filled": ({"shape": [2**25 - 1], "fill_value": 0.0}, None),
    }
    for name, (change, content) in changes.items():
        store = folder / f"{name}.zarr"
        (chunk,) = [path for path in (store / array / "c").rglob("*") if path.is_file()]
        grid = {"name": "regular", "configuration": {"chunk_shape": change["shape"]}} if "shape" in change else None
        own = change if grid is None else {**change, "chunk_grid": grid}
        _edit(store / array / "zarr.json", lambda node, own=own: node.update(own))
        chunk.unlink() if content is None else chunk.write_bytes(content)
        _seal(store)


def _edit(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@dataclass(frozen=True, slots=True)
class Attacker:
    """Writes files, text and stores of its own, and types commands."""

    folder: Path

    def names(self) -> dict[str, Any]:
        """What expressions call it by."""
        return {
            "T": self.file,
            "S": self.store,
            "W": self.model,
            "C": command,
            "H": HEAD,
            "B": "bayesmix_estimate/beta/zarr.json",
        }

    def file(self, content: str | bytes, name: str = "t.toml") -> Path:
        """A file with this content."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def store(self, change: Any, part: str = "bayesmix_model/zarr.json") -> Path:
        """A store whose metadata were changed, and sealed by who did it."""
        import shutil

        from bayesmix.results.storage.fit_storage import _seal

        path = self.folder / "s.zarr"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.folder / "good.zarr", path)
        _edit(path / part, change)
        with suppress(KeyError, TypeError):  # where there is no place for checksums any more
            _seal(path)
        return path

    def model(self, change: Any) -> Path:
        """A store whose model was changed."""

        def changed(node: Any) -> None:
            words = json.loads(node["attributes"]["model"])
            change(words)
            node["attributes"]["model"] = json.dumps(words)

        return self.store(changed)


HEAD = 'name = "a"\nformula = "y ~ x"\nfamily = "gaussian"\n'


def command(*arguments: object) -> None:
    """Type a command; what it says where it fails is the message."""
    from typer.testing import CliRunner

    from bayesmix.present.cli import app

    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code == 2:
        raise BayesmixError(result.stderr or result.stdout)


# ---- what comes of it -----------------------------------------------------------------------------------------------


def outcome(expression: str, names: dict[str, Any]) -> str:
    """The message, or what went wrong."""
    try:
        eval(expression, names)
    except BayesmixError as error:
        return f"{type(error).__name__}: {error}"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"NOT OURS {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
    return "NO ERROR"


def peak() -> float:
    """Highest memory since it was last asked for, MB."""
    try:
        status = Path("/proc/self/status").read_text()
        Path("/proc/self/clear_refs").write_text("5")  # starts anew
        return int(status.split("VmHWM:")[1].split()[0]) / 1024.0
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # what takes all memory ends here, not others' work
    make_files(folder)
    names = {"bmx": bmx, "np": np, "pd": pd, "D": frame(), "P": folder, "M": model, "E": estimate}
    names |= {"L": sorted(set(frame()["g"])), "Decimal": Decimal} | Attacker(folder).names()
    output, sys.stdout = sys.stdout, sys.stderr
    found = []
    for expression in cases():
        peak()
        start = time.process_time()
        said = outcome(expression, names)
        found.append([expression[:200], said, time.process_time() - start, peak()])
        if len(sys.argv) > 2:
            print(f"{found[-1][2]:6.2f} s {found[-1][3]:5.0f} MB {expression[:90]}  ->  {said[:300]!r}", flush=True)
    json.dump(found, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
