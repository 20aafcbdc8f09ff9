"""Stan, written by hand, through pystan."""

from __future__ import annotations

import time

import numpy as np
import stan
from protocol import arrays, finished, job, terms, write

settings, folder = job()
data = arrays(folder)
family = settings["family"]
count = terms(data)
sizes = [data[f"z{t}"].shape[1] for t in range(count)]
given = {"N": len(data["y"]), "P": data["X"].shape[1], "X": data["X"], "scale": float(data["scale"])}
given |= {"beta_mean": data["beta_mean"], "beta_sd": data["beta_sd"]}
given["y"] = data["y"] if family == "gaussian" else data["y"].astype(int)
declared, free, made, priors = [], [], [], []
for t, k in enumerate(sizes):
    given |= {f"g{t}": data[f"g{t}"] + 1, f"J{t}": int(data[f"g{t}"].max()) + 1, f"Z{t}": data[f"z{t}"]}
    declared.append(f"int J{t}; array[N] int g{t}; matrix[N, {k}] Z{t};")
    free.append(f"vector<lower=0>[{k}] tau{t}; matrix[{k}, J{t}] free{t};")
    priors.append(f"tau{t} ~ exponential(1 / scale); to_vector(free{t}) ~ std_normal();")
    root = f"diag_matrix(tau{t})"
    if k > 1:
        free.append(f"cholesky_factor_corr[{k}] L{t};")
        priors.append(f"L{t} ~ lkj_corr_cholesky(2);")
        root = f"diag_pre_multiply(tau{t}, L{t})"
    made.append(f"matrix[{k}, J{t}] b{t} = {root} * free{t};")
added = " ".join(f"mu += rows_dot_product(Z{t}, b{t}[, g{t}]');" for t in range(count))
likelihood = {
    "gaussian": "y ~ normal(mu, sigma);",
    "poisson": "y ~ poisson_log(mu);",
    "binomial": "y ~ binomial_logit(trials, mu);",
}[family]
kind = "vector[N] y;" if family == "gaussian" else "array[N] int y;"
if family == "binomial":
    kind += " array[N] int trials;"
    given["trials"] = data["trials"].astype(int)
if family == "gaussian":
    free.append("real<lower=0> sigma;")
    priors.append("sigma ~ exponential(1 / scale);")
program = f"""
data {{ int N; int P; matrix[N, P] X; real scale; vector[P] beta_mean; vector[P] beta_sd; {kind} {" ".join(declared)} }}
parameters {{ vector[P] beta; {" ".join(free)} }}
transformed parameters {{ {" ".join(made)} }}
model {{
  vector[N] mu = X * beta; {added}
  beta ~ normal(beta_mean, beta_sd); {" ".join(priors)}
  {likelihood}
}}
"""
posterior = stan.build(program, data=given, random_seed=1)
begin = time.perf_counter()
run = {"num_samples": settings["draws"], "num_warmup": settings["draws"], "num_chains": settings["chains"]}
fit = posterior.sample(**run)
sampling = time.perf_counter() - begin


def of(name: str) -> np.ndarray:
    """Draws ``(chain, draw, ...)``; pystan's have the draws last, chains alternating."""
    values = np.moveaxis(fit[name], -1, 0)
    values = values.reshape(settings["draws"], settings["chains"], -1)
    return np.moveaxis(values, 1, 0)


parts = [of("beta")]
for t, k in enumerate(sizes):
    parts += [of(f"tau{t}"), of(f"b{t}")]
    if k > 1:
        # parameters come column by column
        L = of(f"L{t}").reshape(settings["chains"], settings["draws"], k, k)
        corr = L @ np.swapaxes(L, -1, -2)
        row, column = np.tril_indices(k, -1)
        parts.append(corr[..., row, column])
parts += [of("sigma")] if family == "gaussian" else []
print(fit.to_frame().describe())
end = finished()
write(folder, parts, finished=end, sampling=sampling)
