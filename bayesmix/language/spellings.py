"""Spellings of other packages: what to write here instead, or that it is not supported.

Functions that stand in formulas are in `bayesmix.language.formula.vocabulary`.
"""

from __future__ import annotations

# ---- families ---------------------------------------------------------------------------------------------------

_COUNTS = (
    'For counts that vary more than a Poisson distribution there are family="negbinomial", variance mu + mu^2/shape,'
    ' "nbinom1" and "genpois", variance mu (1 + phi).'
)
_POSITIVE = (
    'For positive numbers there are family="gamma", "lognormal", "weibull", "inverse_gaussian" and "exponential".'
)
_TIMES = f"It is not supported. {_POSITIVE}"
_SHARES = (
    'For continuous shares there is family="beta", with zeros and ones "zero_one_inflated_beta", for successes out of'
    ' trials "binomial".'
)
_VARYING = (
    'It is not supported. Counts of categories that vary more than those of family="multinomial" have a random effect a'
    " row: `(1 | row)`."
)
_PARAMETER = 'Write family="{0}" and a formula of {1}: `["y ~ s(x)", "{1} ~ s(x)"]`.'
_CENSORED = 'Write family="{0}"; censored responses are `y | cens(c) ~ x`, where c is none, left, right or interval.'
_TAILS = 'For heavy tails there is family="student".'

FAMILIES: dict[str, str] = {
    "negbinomial2": 'Write family="negbinomial".',
    "negative.binomial": 'Write family="negbinomial"; the shape is estimated.',
    "nb": 'Write family="negbinomial".',
    "nbinom": 'Write family="negbinomial" if the variance is mu + mu^2/shape (nbinom2).',
    "quasipoisson": f"It has no likelihood. {_COUNTS}",
    "quasibinomial": "It has no likelihood. A random effect a row takes up what varies more: `(1 | row)`.",
    "quasi": "It has no likelihood.",
    "compois": f"It is not supported: the constant of its density is an infinite sum. {_COUNTS}",
    "com_poisson": f"It is not supported: the constant of its density is an infinite sum. {_COUNTS}",
    "truncated_compois": f"It is not supported: the constant of its density is an infinite sum. {_COUNTS}",
    "truncated_genpois": 'It is not supported. Counts without zeros are of family="truncated_nbinom1" and others.',
    "nbinom12": f"It is not supported. {_COUNTS}",
    "bell": f"It is not supported. {_COUNTS}",
    "gaulss": _PARAMETER.format("gaussian", "sigma"),
    "lqmm": 'Quantiles are of family="asym_laplace(0.9)".',
    "dirichlet_multinomial": _VARYING,
    "dirichletmultinomial": _VARYING,
    "multinom": 'Write family="categorical", or "multinomial" of counts, `cbind(a, b, c)`.',
    "hurdle_cumulative": 'It is not supported. Ratings are of family="cumulative".',
    "logistic_normal": _SHARES,
    "xbeta": _SHARES,
    "mixture": "Mixtures are not supported; those of zeros and counts are zero_inflated_poisson and others.",
    "zero_inflated_beta_binomial": 'It is not supported. There is family="zero_inflated_binomial", and "betabinomial".',
    "zero_inflated_asym_laplace": "It is not supported.",
    "discrete_weibull": f"It is not supported. {_COUNTS}",
    "frechet": _TIMES,
    "gen_extreme_value": "It is not supported.",
    "cox": _TIMES,
    "wiener": "It is not supported.",
    "ordbeta": _SHARES,
    "dirichlet": _SHARES,
    "dirichlet2": _SHARES,
    "custom": "A family of your own is a record: `Model(..., family=Family(...))`.",
    "negbin": 'Write family="negbinomial"; the shape is estimated.',
    "zi_poisson": 'Write family="zero_inflated_poisson".',
    "poisson_inverse_gaussian": f"It is not supported. {_COUNTS}",
    "cox.ph": _TIMES,
    "cnorm": _CENSORED.format("gaussian"),
    "clog": f"The logistic distribution is not supported. {_CENSORED.format('gaussian')}",
    "cpois": _CENSORED.format("poisson"),
    "bcg": f"Transformations of a response are not estimated. {_CENSORED.format('gaussian')}",
    "tobit": _CENSORED.format("gaussian"),
    "gammals": _PARAMETER.format("gamma", "shape"),
    "twlss": _PARAMETER.format("tweedie", "phi"),
    "ziplss": 'Write family="zero_inflated_poisson", or "hurdle_poisson", and a formula of the zeros: `["y ~ s(x)",'
    ' "zi ~ s(x)"]`, `["y ~ s(x)", "hu ~ s(x)"]`.',
    "gevlss": "It is not supported.",
    "gumbls": "It is not supported.",
    "gumbel": "It is not supported.",
    "shash": 'It is not supported. Skewed responses are of family="skew_normal", heavy tails of "student".',
    "mvn": 'Several responses are a list of formulas, `["a ~ x", "b ~ x"]`; `rescor=True` correlates residuals.',
    "pareto": _TIMES,
    "loglogistic": _TIMES,
    "halfnormal": _TIMES,
    "halfcauchy": _TIMES,
    "gompertz": _TIMES,
    "laplace": (
        f'{_TAILS} The Laplace distribution is family="asym_laplace(0.5)". The Laplace approximation is a method:'
        ' `model.estimate("laplace")`.'
    ),
    "logit": 'It is a link: write family="bernoulli", link="logit".',
    "probit": 'It is a link: write family="bernoulli", link="probit".',
    "cauchit": 'It is a link that is not supported; family="bernoulli" has logit, probit and cloglog.',
    "cloglog": 'It is a link: write family="bernoulli", link="cloglog".',
    "logistic": 'Write family="bernoulli", or "binomial" with successes and failures.',
    "log": 'It is a link: write family="poisson", link="log".',
    "identity": 'It is a link: write family="gaussian", link="identity".',
    "inverse": 'It is a link: write family="gamma", link="inverse".',
}

# ---- arguments --------------------------------------------------------------------------------------------------

_SEED = "Write `seed=`."
_DRAWS = "Write `draws=`: draws a chain, after warm-up."
_CHAINS = "Write `chains=`."
_CORES = "Chains share the cores there are; there is nothing to set."
_WARMUP = "Warm-up belongs to NUTS: `model.sample(method=bmx.Nuts(tune=1000))`."
_ACCEPT = "It belongs to NUTS: `model.sample(method=bmx.Nuts(target_accept=0.95))`."
_ESTIMATE = 'Give the method to the fit: `model.estimate("ml")`, `model.sample(method="nuts")`.'
_REML = '`model.estimate()` of a linear model is REML; `model.estimate("ml")` is REML = FALSE.'
_AGQ = "Adaptive quadrature: `model.estimate(bmx.Agq(points=9))`; Laplace, nAGQ = 1, is the default."
_OPTIMISER = "The optimiser finds its own start and has no options."
_MODEL = "It belongs to the model: `bmx.Model(formula, data, ...)`."
_DATA = "Data belong to the model: `bmx.Model(formula, data)`. New rows are `newdata=` of `predict`."
_LEVEL = "Write `interval=0.95`; of `confint`, `level=0.95`."
_DENSEST = "Write `interval=0.95`, equal tails; those of highest density are ArviZ's, `arviz.hdi(post, prob=0.95)`."
_GROUPS = '`predict(groups=)` says what becomes of the random effects: "fitted", "new", "average" or "zero".'
_DISPERSION = (
    'Its formula stands beside the first: `["y ~ ...", "sigma ~ x"]`, or `"shape ~ x"`. Coefficients of sigma are on'
    " the log of the standard deviation, half of those that glmmTMB 1.1.5 prints for gaussian models."
)
_ZEROS = (
    'Zeros of their own belong to the family, their formula stands beside the first: `["y ~ ...", "zi ~ x"]`,'
    ' family="zero_inflated_poisson"; `"hu ~ x"`, family="hurdle_poisson", glmmTMB\'s truncated_poisson.'
)
_ADJUST = '`contrasts`, `marginal_means`, `slopes` and `hypothesis` take `adjust="holm"`, `"mvt"`; pairs `"tukey"`.'
_PROGRESS = "Write `progress=False` to keep `sample` silent."
_REPLICATES = "Write `simulate(n=...)`."
_STRUCTURE = "Structures go around a bar: `ar1(0 + t | g)`, `cs(0 + f | g)`, `diag(x | g)`."
_BARS = "Random effects are part of the formula: `y ~ x + (x | g)`."

_SMOOTH = "Smooths are terms of the formula, their knots too: `s(x, k = 10)`; how smooth they are is estimated."
_META = "Known standard errors stand beside a response, moderators right of `~`: `yi | se(sei) ~ x + (1 | study)`."
_THRESHOLDS = 'Thresholds are free; effects on each of them are `cs(z)` in the formula, a scale is `"disc ~ x"`.'
_RELATED = 'Covariances of levels go by name: `(1 | gr(g, cov = A))`, `data2={"A": A}`.'
_STAN = (
    "There is no Stan program. A family of your own is a record, `Model(..., family=Family(...))`; priors `priors=`."
)
_MATRICES = 'Matrices are made of a formula and data: `bmx.Model("y ~ x + (1 | g)", data)`.'
_ARVIZ = "`post.data` is ArviZ's tree of draws."
_WHOLE = "Every draw and parameter is kept; there is nothing to set."

ARGUMENTS: dict[str, str] = {
    **dict.fromkeys(("knots", "select", "sp", "min_sp", "parapen", "in_out"), _SMOOTH),
    **dict.fromkeys(("yi", "vi", "sei", "v", "mods", "slab", "dfs", "btt", "tau2", "sigma2", "gamma2"), _META),
    **dict.fromkeys(("scale", "nominal", "threshold"), _THRESHOLDS),
    **dict.fromkeys(("cov_ranef", "r", "rscale"), _RELATED),
    **dict.fromkeys(("stanvars", "stan_funs", "stan_model_args", "normalize", "opencl"), _STAN),
    **dict.fromkeys(("endog", "exog", "exog_re", "exog_vc", "hasconst"), _MATRICES),
    **dict.fromkeys(
        ("save_ranef", "save_mevars", "save_all_pars", "discard_tuned_samples", "include_response_params"), _WHOLE
    ),
    **dict.fromkeys(("idata_kwargs", "return_inferencedata", "compute_convergence_checks"), _ARVIZ),
    **dict.fromkeys(("sparse", "sparsex", "discrete"), "Matrices are sparse where that is faster; nothing to set."),
    **dict.fromkeys(("drop_unused_levels",), "Levels without rows are left out."),
    **dict.fromkeys(("drop_intercept", "intercept"), "Without an intercept: `y ~ 0 + x`."),
    **dict.fromkeys(("dofit", "devfunonly", "empty", "hess"), "A model is fitted when asked: `model.estimate()`."),
    **dict.fromkeys(("future", "ncpus", "cl"), "Refits take `executor=`, any of `concurrent.futures`."),
    **dict.fromkeys(("seed",), "Draws have a seed: `model.sample(seed=1)`."),
    **dict.fromkeys(("draws",), "Draws are a posterior's: `model.sample(draws=1000)`."),
    **dict.fromkeys(("chains",), "Chains belong to draws: `model.sample(chains=4)`."),
    **dict.fromkeys(("fixed", "model"), 'The formula comes first: `bmx.Model("y ~ x + (x | g)", data)`.'),
    **dict.fromkeys(
        ("freq_weights", "var_weights"), "Weights of a model are `weights=`, those of brms `y | weights(w)`."
    ),
    **dict.fromkeys(("file_refit",), 'A run on disk goes on by itself: `model.sample(checkpoint="fit.zarr")`.'),
    **dict.fromkeys(("mustart", "etastart", "full_output", "map", "step", "free", "fe_pen", "cov_re"), _OPTIMISER),
    **dict.fromkeys(("keep_data", "rename"), "There is nothing to set."),
    **dict.fromkeys(("napattern",), "Rows with missing values are left out, with a warning."),
    "struct": _STRUCTURE,
    **dict.fromkeys(("num_draws",), _DRAWS),
    **dict.fromkeys(("num_tune",), _WARMUP),
    **dict.fromkeys(("parallel_chains", "num_cores"), _CORES),
    "show_messages": _PROGRESS,
    "omit_offsets": _WHOLE,
    "zitype": 'Write `parameter="zi"` or `parameter="mu"`; `kind="mean"` is the mean with its zeros.',
    "resp": "Write `response=`.",
    "parm": "Write `parameters=`.",
    "component": 'Name the parameters: `confint(["zi_x", "sigma"])`.',
    **dict.fromkeys(("boot_type", "fun"), 'Write `confint(method="bootstrap", kind="percentile")`.'),
    **dict.fromkeys(("use_u", "random_only"), '`groups=` says what becomes of the random effects: "fitted" or "new".'),
    "scaled": 'Write `kind="pearson"`.',
    **dict.fromkeys(("newparams",), "Predictions are at the parameters of the fit."),
    "infer": "Intervals and tests come with every table.",
    "bias_adjust": 'Means over the random effects are `groups="average"`, the default.',
    "cov_reduce": 'Values of predictors are set by `at={"x": [0, 1]}`.',
    "exponentiate": 'Take numpy.exp of the columns, or ask for contrasts of means: `contrasts("a")`.',
    "reverse": "A difference the other way round is less the one shown.",
    "refit": 'Models of other fixed effects are fitted by `model.estimate("ml")` before they are compared.',
    "model_names": "Write `labels=`.",
    "interaction": 'Contrasts of contrasts: `contrasts("a", by="b")`, or `hypothesis`.',
    **dict.fromkeys(("reml", "is_reml"), _REML),
    **dict.fromkeys(("nagq", "n_agq", "quad_points"), _AGQ),
    "subset": 'Take the rows first: `data[data["x"] > 0]`.',
    "na_action": "Rows with missing values are left out, with a warning.",
    "dropna": "Rows with missing values are left out, with a warning.",
    "missing": "Rows with missing values are left out, with a warning.",
    **dict.fromkeys(("control", "optimizer", "optimiser", "start", "init", "inits", "initvals", "maxiter"), _OPTIMISER),
    **dict.fromkeys(("start_params", "initial", "tol"), _OPTIMISER),
    **dict.fromkeys(("dispformula", "sigma_formula", "dispersion", "nlme_weights"), _DISPERSION),
    **dict.fromkeys(("ziformula", "zi", "zero_inflation"), _ZEROS),
    "adjust": _ADJUST,
    "correction": _ADJUST,
    "test": 'Terms are tested by `fit.drop1(test="lrt")`, nested fits by `bmx.anova(a, b, test="bootstrap")`.',
    "by": '`marginal_means("a", by="b")`, `contrasts("a", by="b")` and `slopes("x", by="a")` take it.',
    "specs": 'Name the variables: `marginal_means("a", "b")`.',
    "var": 'Name the variable: `slopes("x")`.',
    "pairwise": 'Differences of levels: `contrasts("a")`.',
    **dict.fromkeys(("ddf", "lmer_df"), 'Write `df="kenward-roger"`, `"satterthwaite"` or `"asymptotic"`.'),
    **dict.fromkeys(("tune", "warmup", "n_warmup", "num_warmup", "iter_warmup", "burnin", "burn_in"), _WARMUP),
    **dict.fromkeys(("random_seed", "random_state", "rng", "seeds"), _SEED),
    **dict.fromkeys(("iter", "n_iter", "niter"), f"{_DRAWS} R's `iter` counts warm-up as well."),
    **dict.fromkeys(("n_samples", "num_samples", "samples", "n_draws", "ndraws", "iter_sampling", "nitt"), _DRAWS),
    **dict.fromkeys(("n_chains", "num_chains", "nchains", "chain"), _CHAINS),
    **dict.fromkeys(("cores", "n_cores", "ncores", "n_jobs", "threads", "mc_cores", "parallel"), _CORES),
    **dict.fromkeys(("target_accept", "adapt_delta", "max_treedepth", "max_tree_depth"), _ACCEPT),
    **dict.fromkeys(("backend", "nuts_sampler"), 'Write `method=bmx.Nuts(backend="numpyro")`.'),
    "algorithm": 'Write `method="nuts"`, `"marginal"`, `"advi"` or `"pathfinder"`.',
    "inference_method": 'Write `method="nuts"`, `"marginal"`, `"advi"` or `"pathfinder"`.',
    "thin": "Write `method=bmx.Marginal(thin=5)`; draws of NUTS are not thinned.",
    "method": _ESTIMATE,
    "prior": 'Priors belong to the model: `bmx.Model(..., priors={"sd(g)": "HalfNormal(2)"})`.',
    "priors": 'Priors belong to the model: `bmx.Model(..., priors={"sd(g)": "HalfNormal(2)"})`.',
    "auto_scale": "Default priors are in units of the data; `print(model.priors)` shows them.",
    "sample_prior": "Draws from the priors: `model.prior_predictive()`.",
    **dict.fromkeys(("data", "dataframe", "df"), _DATA),
    **dict.fromkeys(("formula", "family", "link", "weights", "contrasts"), _MODEL),
    **dict.fromkeys(("new_data", "newx", "x_new"), "Write `newdata=`."),
    **dict.fromkeys(
        ("re_form", "re_formula", "allow_new_levels", "sample_new_levels", "include_group_specific"), _GROUPS
    ),
    **dict.fromkeys(("re", "random", "groups", "vc_formula", "re_spec"), f"{_BARS} {_GROUPS}"),
    "type": 'Write `kind="mean"`, `"linear"` or `"response"`; of residuals, `kind="pearson"`.',
    **dict.fromkeys(("se_fit", "se", "conf_int"), "Standard errors and intervals come with every table."),
    **dict.fromkeys(("level", "conf_level", "prob", "probs", "ci", "alpha", "ci_prob", "interval"), _LEVEL),
    **dict.fromkeys(("hdi_prob", "hdi", "hpd", "ci_kind"), _DENSEST),
    "condvar": "Standard deviations of an estimate's random effects are `ranef_sd()`.",
    **dict.fromkeys(("verbose", "refresh", "silent", "progressbar", "progress_bar", "quiet", "trace"), _PROGRESS),
    **dict.fromkeys(("nsim", "num_sims", "b", "replicates"), _REPLICATES),
    **dict.fromkeys(("correlation", "autocor", "cov", "cov_struct"), _STRUCTURE),
    **dict.fromkeys(("trials", "size"), "Write `cbind(successes, failures) ~ ...` or `successes/trials ~ ...`."),
    "exposure": 'Write `offset="log(exposure)"`, or `offset(log(exposure))` in the formula.',
    "noncentered": "NUTS moves in coordinates made from the point estimate; there is nothing to set.",
    **dict.fromkeys(
        ("file", "save_pars", "save_model"), "Keep a fit with `fit.save(path)`; `bmx.load(path)` reads it."
    ),
    **dict.fromkeys(
        ("sep", "delimiter", "decimal", "dec", "encoding", "na", "na_values", "na_strings", "header"),
        'Read the file first: `bmx.read_data(path, sep=";", decimal=",", encoding="latin-1", na=".")`.',
    ),
    "nodes": "Write `bmx.Agq(points=9)`.",
    "n_points": "Write `bmx.Agq(points=9)`.",
}
