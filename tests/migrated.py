"""Rows of the tables for those who come from another package, executed there.

``python tests/migrated.py lme4 glmmTMB brms statsmodels`` writes `reference/migration/PACKAGE.json`: the code of
each row, and the numbers of its ``same``, by R or by the package. Rows of models without ``same`` are compared by log
likelihood and fixed effects. Of brms Stan code and data are made; verbs of its fits are not executed, for a compiler
takes minutes.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from r_code import run_r, table_of_r

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "hooks"))

import migration  # noqa: E402

KEPT = ROOT / "tests" / "reference" / "migration"
DATA = (
    "sleepstudy",
    "sleepstudy_ow",
    "Pastes",
    "Penicillin",
    "cbpp",
    "esoph",
    "gammasim",
    "nbsim",
    "Salamanders",
    "cake",
    "wine",
)
SLEEP, SHARES = "Reaction ~ Days + (Days | Subject)", "cbind(incidence, size - incidence) ~ period + (1 | herd)"
FITS = {  # of R: what rows of verbs are of
    "lme4": f"""
fit <- lmer({SLEEP}, sleepstudy); small <- lmer(Reaction ~ 1 + (Days | Subject), sleepstudy)
glm <- glmer({SHARES}, cbpp, binomial)""",
    "glmmTMB": "fit <- glmmTMB(count ~ mined + (1 | site), Salamanders, poisson, ziformula = ~ mined)",
    "brms": "brm <- function(...) { make_stancode(...); make_standata(...) }",
}
ATTACHED = {"lme4": ("lmerTest", "emmeans"), "glmmTMB": ("glmmTMB",), "brms": ("brms", "emmeans")}
OF_GLMMTMB = "fixef(fit)$cond, fixef(fit)$zi, if (length(fixef(fit)$disp) > 1) fixef(fit)$disp"
PREAMBLE = """
growth <- deriv(~ base * exp(rate * Days), c("base", "rate"), function(Days, base, rate) NULL)
new <- transform(sleepstudy[1, ], Subject = "new"); y <- sleepstudy$Reaction
told <- function(code, value) {
  shown <- tryCatch({
    own <- new.env(parent = globalenv())
    capture.output(for (one in parse(text = code)) eval(one, own))
    as.numeric(unlist(eval(parse(text = value), own)))
  }, error = function(e) conditionMessage(e))
  cat("=", if (is.character(shown)) "no" else "yes", gsub("\\n", " ", shown), "\\n")
}"""


def rows(package: str) -> list[tuple[str, dict[str, Any]]]:
    """Rows that are executed, with their tables; what is not among R's packages of Debian is left out."""
    tables = ("models",) if package == "brms" else ("models", "verbs")
    found = [(table, row) for table in tables for row in migration.rows(package, table)]
    return [(table, row) for table, row in found if "needs" not in row]


def compared(row: dict[str, Any], package: str, table: str) -> tuple[str, str] | None:
    """What is compared of a row: an expression there, and one here."""
    if "same" in row:
        return tuple(row["same"])
    if table == "models" and package in {"lme4", "glmmTMB"} and not row.get("differ"):
        fixed = "fixef(fit)" if package == "lme4" else OF_GLMMTMB
        return f"c(logLik(fit), {fixed})", "[fit.loglik, *fit.fixef()['estimate']]"
    if table == "models" and "mixedlm" in row.get("there", ""):
        return "[fit.llf, *fit.fe_params]", "[fit.loglik, *fit.fixef()['estimate']]"
    return None


def code_of(row: dict[str, Any], package: str) -> str:
    """What is written there, whole."""
    if "there" in row:
        sign = "=" if package == "statsmodels" else "<-"
        is_fit = row["there"].endswith((".fit()", ".fit_map()")) or row["there"].startswith(("lmer(", "nlmer("))
        return f"fit {sign} {row['there']}" if is_fit else row["there"]
    names = migration.Names()
    model = eval(row["ours"], {}, names)
    model.data_name = next(name for name in names if name not in {"bmx", "az"})
    return model.code(package)


def by_r(package: str) -> dict[str, list[float]]:
    """Numbers of the rows of a package of R."""
    lines = [f"suppressMessages(library({name}))" for name in ATTACHED[package]]
    lines += [*map(table_of_r, DATA), PREAMBLE, FITS[package]]
    keys = []
    for table, row in rows(package):
        own, code = compared(row, package, table), code_of(row, package)
        lines.append(f"told({json.dumps(code, ensure_ascii=False)}, {json.dumps(own[0] if own else 'NULL')})")
        keys.append(code)
    said = [line.split()[1:] for line in run_r(*lines).splitlines() if line.startswith("= ")]
    return dict(zip(keys, map(_numbers, said, keys), strict=True))


def _numbers(said: list[str], key: str) -> list[float]:
    if said[0] != "yes":
        raise RuntimeError(f"{key}\n{' '.join(said[1:])}")
    return [float(one) for one in said[1:]]


def by_python(package: str) -> dict[str, list[float]]:
    """Numbers of the rows of a package of Python."""
    names: Any = {**_statsmodels()} if package == "statsmodels" else _bambi()
    found = {}
    for table in ("models", "verbs"):
        if table == "verbs" and package == "statsmodels":
            names["fit"] = (
                names["smf"].mixedlm("Reaction ~ Days", names["sleepstudy"], groups="Subject", re_formula="~Days").fit()
            )
        for row in migration.rows(package, table):
            code, own = code_of(row, package), compared(row, package, table)
            exec(code.replace("fit = model.fit()", "model.build()"), names)
            found[code] = [] if own is None else _flat(eval(own[0], names))
    return found


def ours(row: dict[str, Any], package: str, table: str, names: Any) -> list[float] | None:
    """Our numbers of a row."""
    own = compared(row, package, table)
    if own is None:
        return None
    fits = {"np": np}
    if table == "models":
        model = eval(row["ours"], {}, names)
        fits["fit"] = model if hasattr(model, "loglik") else model.estimate()
    return _flat(eval(own[1], fits, names))


def _flat(values: Any) -> list[float]:
    values = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    return [float(one) for one in np.asarray(values, float).ravel(order="F")]


def _statsmodels() -> dict[str, Any]:
    import statsmodels.formula.api as smf
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM
    from statsmodels.genmod.cov_struct import Exchangeable

    names = dict(migration.Names())
    data = {name: migration.Names()[name] for name in ("sleepstudy", "Pastes", "Penicillin", "cbpp")}
    counts = data["cbpp"]
    cows = counts.loc[counts.index.repeat(counts["size"])].assign(
        ill=np.concatenate([np.arange(n) < k for n, k in zip(counts["size"], counts["incidence"], strict=True)]).astype(
            int
        )
    )
    new = data["sleepstudy"].head(3)
    names |= {"smf": smf, "np": np, "rows": cows, "new": new, **data}
    return names | {"BinomialBayesMixedGLM": BinomialBayesMixedGLM, "Exchangeable": Exchangeable}


def _bambi() -> Any:
    import arviz as az
    import bambi

    data = {name: migration.Names()[name] for name in ("sleepstudy", "cbpp", "esoph")}
    return {"bambi": bambi, "az": az, "new": data["sleepstudy"].head(1).assign(Subject="new"), **data}


def found(package: str) -> dict[str, list[float]]:
    """Numbers of a package's rows."""
    return by_python(package) if package in {"statsmodels", "bambi"} else by_r(package)


def kept(package: str) -> dict[str, Any]:
    """Numbers that were found before."""
    return json.loads((KEPT / f"{package}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if name in {"statsmodels", "bambi"}:
            made_by = f"{name} {version(name)}"
        else:
            made_by = run_r(f'cat(R.version.string, "{name}", as.character(packageVersion("{name}")))')
        content = {"made by": made_by, "rows": found(name)}
        KEPT.mkdir(exist_ok=True)
        (KEPT / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
