"""Tables of tests print as R's do."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
from term_cases import FIGURES, estimate

import bayesmix as bmx
from bayesmix.results.tables.anova_table import AnovaTable, anova_table

# R 4.2.2, lmerTest 3.1-3: anova(lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake)); heading apart
CAKE = """\
                    Sum Sq Mean Sq NumDF DenDF F value Pr(>F)
recipe               10.19    5.09     2    42  0.2488 0.7809
temperature        2100.30  420.06     5   210 20.5199 <2e-16 ***
recipe:temperature  205.98   20.60    10   210  1.0062 0.4393
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1"""
# lme4 1.1-31: anova(m0, m1) of sleepstudy, with labels for names
SLEEPSTUDY = """\
      npar    AIC    BIC  logLik deviance  Chisq Df Pr(>Chisq)
small    3 1916.5 1926.1 -955.27   1910.5
large    4 1802.1 1814.8 -897.04   1794.1 116.46  1  < 2.2e-16 ***"""


def test_f_tests_look_as_lmertests() -> None:
    printed = str(bmx.anova(estimate(FIGURES["tables"]["cake"]["formula"], "cake")))
    assert printed == f"Type III tests of terms, by Satterthwaite's method\n\n{CAKE}"
    assert max(map(len, printed.splitlines())) <= 80


def test_likelihood_ratios_look_as_lme4s() -> None:
    fits = {
        label: estimate(f"Reaction ~ {x} + (1 | Subject)", "sleepstudy")
        for label, x in (("small", "1"), ("large", "Days"))
    }
    assert str(bmx.anova(fits)).startswith(SLEEPSTUDY)
    by_formula = str(bmx.anova(*fits.values()))
    assert by_formula.startswith("Models:\n1: Reaction ~ 1 + (1 | Subject)\n2: Reaction ~ Days + (1 | Subject)\n  npar")
    assert max(map(len, by_formula.splitlines())) <= 80


def test_missing_numbers_are_blank_and_notes_are_below() -> None:
    columns = {"chisq": [np.nan, 3.2], "df": [np.nan, 1.0], "p_value": [np.nan, 0.2], "boundary": [False, True]}
    table = anova_table(columns, pd.Index(["a", "b"], name="model"), notes=["Conservative."])
    assert str(table) == "  Chisq Df Pr(>Chisq)\na\nb   3.2  1        0.2\nConservative."
    assert table._repr_html_() == f"<pre>{table}</pre>".replace(">Chisq", "&gt;Chisq")


def test_a_table_is_a_data_frame() -> None:
    table = anova_table({"F": [2.0], "p_value": [0.1]}, pd.Index(["x"], name="term"), heading="Tests")
    assert isinstance(pickle.loads(pickle.dumps(table)), AnovaTable)
    assert type(table[["F"]]) is pd.DataFrame  # parts of it are plain
    assert table.loc["x", "F"] == 2.0
