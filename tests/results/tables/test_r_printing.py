"""Numbers, p values, names and tables: inputs and what R 4.2.2 prints for them."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.results.tables import r_printing

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "digits", "printed"),
    [  # format(c(...), digits = )
        ((1.693347, 0.005728, 3.733047), 4, ["1.693347", "0.005728", "3.733047"]),
        ((612.1, 35.07, 654.94), 4, ["612.10", " 35.07", "654.94"]),
        ((0, 13.806), 4, [" 0.00", "13.81"]),
        ((1.2343714, 0.0003231), 4, ["1.2343714", "0.0003231"]),
        ((123456.789, 0.000012345), 4, ["1.235e+05", "1.234e-05"]),
        ((1e-10, 1), 4, ["1e-10", "1e+00"]),
        ((1e5, 1), 4, ["1e+05", "1e+00"]),
        ((123456,), 4, ["123456"]),
        ((1e5,), 4, ["1e+05"]),
        ((NAN, 1.5), 4, ["NaN", "1.5"]),
        ((-1.5, 22.123456), 4, ["-1.50", "22.12"]),
        ((0.5, 0.25), 4, ["0.50", "0.25"]),
        ((1e10, 1.5), 4, ["1.0e+10", "1.5e+00"]),
        ((99999.99,), 4, ["1e+05"]),
        ((0.1 + 0.2,), 4, ["0.3"]),
        ((3e-16,), 4, ["3e-16"]),
        ((1e15, 1e-5), 4, ["1e+15", "1e-05"]),
        ((1234567.8,), 4, ["1234568"]),
        ((float("inf"), -2.5), 4, [" Inf", "-2.5"]),
        ((), 4, []),
    ],
)
def test_numbers_are_formatted_together(values, digits, printed):
    assert r_printing.format_numbers(values, digits) == printed


@pytest.mark.parametrize(
    ("values", "decimals", "printed"),
    [  # format(round(c(...), decimals), nsmall = decimals)
        ((1, 0.42, 0.3, 0.99, NAN), 2, ["1.00", "0.42", "0.30", "0.99", " NaN"]),
        ((1, -0.915, -0.0), 3, [" 1.000", "-0.915", " 0.000"]),
    ],
)
def test_at_least_so_many_decimals(values, decimals, printed):
    assert r_printing.format_numbers(values, decimals=decimals) == printed


@pytest.mark.parametrize(
    ("value", "sd", "printed"),
    [  # three digits of the sd, whatever the unit
        (251.4051, 6.8246, "251.41"),
        (-0.00204, 6.8246, "0.00"),
        (-1.046729e-6, 1.545791e-7, "-1.047e-06"),
        (1.046729e-11, 1.545791e-12, "1.047e-11"),
        (3.5e-25, 1.25e-25, "3.50e-25"),
        (1.2e-16, 1.545791e-12, "1e-16"),
        (-0.9999999999839, 1.697931e-11, "-0.9999999999839"),
        (0.0, 1.545791e-12, "0"),
        (10467285.9, 1545789.2, "10467286"),
        (1.046729e13, 1.545791e12, "1.047e+13"),
        (NAN, 1.545791e12, ""),
    ],
)
def test_decimals_are_those_of_the_standard_deviation(value, sd, printed):
    """Numbers in units of 1e-9 were printed as 0.00000001."""
    assert r_printing.fixed_point(value, r_printing.decimals_for(sd)) == printed


@pytest.mark.parametrize(
    ("values", "printed"),
    [  # format.pval(c(...), digits = 3)
        ((1.47e-9, 0.001068, 0.000474, 0.000182), ["1.47e-09", "0.001068", "0.000474", "0.000182"]),
        ((0.779, 0.635), ["0.779", "0.635"]),
        ((1e-20, 0.5), ["<2e-16", "0.5"]),
        ((1e-20,), ["<2e-16"]),
        ((1e-20, 1e-5), ["<2e-16", "1e-05"]),
        ((0.00012, 1e-17, 0.04567), ["0.00012", "< 2e-16", "0.04567"]),
        ((1.0, 0.5), ["1.0", "0.5"]),
        ((0.05, 1e-300, 0.0), ["0.05", "<2e-16", "<2e-16"]),
    ],
)
def test_p_values(values, printed):
    assert r_printing.format_p_values(np.array(values), 3) == printed


@pytest.mark.parametrize(
    ("p_value", "code"),
    [(0.0, "***"), (0.001, "***"), (0.0011, "**"), (0.01, "**"), (0.05, "*"), (0.1, "."), (0.11, "")],
)
def test_stars(p_value, code):
    assert r_printing.stars(p_value) == code


@pytest.mark.parametrize(
    ("rows", "printed"),
    [  # columns Estimate and Std. Error of printCoefmat(..., digits = 4)
        (
            [(33.12222, 1.73683), (-1.47778, 2.45625), (0.08765, 1.65211)],
            [["33.12222", "-1.47778", " 0.08765"], [" 1.73683", " 2.45625", " 1.65211"]],
        ),
        (
            [(1e-9, 1e-7), (2, 1), (1234.5, 0.001)],
            [["1.000e-09", "2.000e+00", "1.234e+03"], ["1.000e-07", "1.000e+00", "1.000e-03"]],
        ),
        ([(0, 10), (2e5, 1), (3, 0.1)], [["0e+00", "2e+05", "3e+00"], ["1e+01", "1e+00", "1e-01"]]),
    ],
)
def test_estimates_and_standard_errors_are_formatted_together(rows, printed):
    assert r_printing.format_coefficients(np.array(rows, float), 4) == printed


@pytest.mark.parametrize(
    ("values", "zapped"),
    [  # zapsmall(c(...), 5), R 4.2
        ((-2.6508, -0.3710123, 0.000012, 4.8), (-2.6508, -0.3710, 0.0, 4.8)),
        ((-2.079231, 0.062917), (-2.07923, 0.06292)),
        ((0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_small_numbers_are_zapped(values, zapped):
    np.testing.assert_allclose(r_printing.zap_small(np.array(values), 5), zapped, atol=1e-12)


ABBREVIATED = {  # name: abbreviate(names, 6), abbreviate(names, 11)
    "(Intercept)": ("(Intr)", "(Intercept)"),
    "ncontrols": ("ncntrl", "ncontrols"),
    "recipeB:temperature.L": ("rcB:.L", "rcpB:tmpr.L"),
    "recipeC:temperature.L": ("rcC:.L", "rcpC:tmpr.L"),
    "period2": ("perid2", "period2"),
    "Days": ("Days", "Days"),
    "temperature^4": ("tmpr^4", "temperatr^4"),
    "I(Days^2)": ("I(D^2)", "I(Days^2)"),
    "scale(Days)": ("scl(D)", "scale(Days)"),
    "alcgp.L": ("alcg.L", "alcgp.L"),
    "AngerXYZabcdef": ("AngXYZ", "AngrXYZbcdf"),
    "nutrient8:amdclipped": ("ntrn8:", "ntrnt8:mdcl"),
    "statusPetri.Plate": ("sttP.P", "sttsPtr.Plt"),
    "statusTransplant": ("sttsTr", "sttsTrnspln"),
    "bs(x, df = 4)1": ("b(,d=4)1", "bs(x,df=4)1"),
    "bs(x, df = 4)2": ("b(,d=4)2", "bs(x,df=4)2"),
}


@pytest.mark.parametrize(("place", "length"), [(0, 6), (1, 11)])
def test_names_are_abbreviated(place, length):
    assert r_printing.abbreviate(list(ABBREVIATED), length) == [short[place] for short in ABBREVIATED.values()]


def test_abbreviated_names_stay_different():
    assert r_printing.abbreviate(["aaab", "aaac", "aaad"], 2) == ["ab", "ac", "ad"]
    assert r_printing.abbreviate(["same", "same"], 2) == ["sm", "sm"]


def test_tables_break_into_blocks_that_fit_the_page():
    columns = [("first", ["1", "2"]), ("b", ["3", "4"]), ("third", ["5", "66"])]
    assert r_printing.table_lines(["x", "long"], columns, page=14) == [
        "     first b",
        "x        1 3",
        "long     2 4",
        "     third",
        "x        5",
        "long    66",
    ]
    assert r_printing.table_lines(["x", "long"], columns, left=True)[1] == "x    1     3 5"


def test_named_vectors_have_one_width():
    assert r_printing.vector_lines(["AIC", "-2*log(L)"], ["1.5", "12.5"]) == [
        "      AIC -2*log(L)",
        "      1.5      12.5",
    ]
