"""PyMC, written by hand, through nutpie."""

from __future__ import annotations

import time

import arviz as az
import numpy as np
import nutpie
import pymc as pm
from protocol import arrays, begun, finished, job, terms, write

settings, folder = job()
data = arrays(folder)
wanted = ["beta"]
with pm.Model() as model:
    beta = pm.Normal("beta", data["beta_mean"], data["beta_sd"], shape=data["X"].shape[1])
    mu = data["X"] @ beta
    for t in range(terms(data)):
        z, codes = data[f"z{t}"], data[f"g{t}"]
        k, levels = z.shape[1], int(codes.max()) + 1
        scale = data.get(f"scale{t}", data.get("scale"))
        tau = pm.Exponential(f"tau{t}", 1.0 / scale, shape=k)
        free = pm.Normal(f"free{t}", shape=(levels, k))
        wanted += [f"tau{t}", f"b{t}"]
        if k == 1:
            b = pm.Deterministic(f"b{t}", free * tau)
        else:
            L, corr, _ = pm.LKJCholeskyCov(
                f"L{t}", eta=2.0, n=k, sd_dist=pm.Exponential.dist(1.0, shape=k), store_in_trace=False
            )
            root = L / pm.math.sqrt((L**2).sum(axis=1, keepdims=True))
            row, column = np.tril_indices(k, -1)
            pm.Deterministic(f"corr{t}", corr[row, column])
            wanted.append(f"corr{t}")
            b = pm.Deterministic(f"b{t}", (free @ root.T) * tau)
        mu = mu + (b[codes] * z).sum(axis=1)
    if "R" in data:  # several predictors, stacked
        eta = mu.reshape((int(data["R"]), len(data["y"])))
        if settings["family"] == "gaussian":
            pm.Normal("y", eta[0], pm.math.exp(eta[1]), observed=data["y"])
        elif settings["family"] == "cumulative":
            cuts = pm.Normal(
                "cuts",
                data["cut_mean"],
                data["cut_sd"],
                initval=np.sort(data["cut_mean"]),
                transform=pm.distributions.transforms.ordered,
            )
            wanted.append("cuts")
            pm.OrderedLogistic("y", eta=eta[0], cutpoints=cuts, compute_p=False, observed=data["y"].astype(int))
        elif settings["family"] == "zero_inflated_poisson":
            pm.ZeroInflatedPoisson(
                "y", psi=pm.math.sigmoid(-eta[1]), mu=pm.math.exp(eta[0]), observed=data["y"].astype(int)
            )
        else:
            pm.NegativeBinomial("y", mu=pm.math.exp(eta[0]), alpha=pm.math.exp(eta[1]), observed=data["y"])
    elif settings["family"] == "gaussian":
        sigma = pm.Exponential("sigma", 1.0 / data["scale"])
        wanted.append("sigma")
        pm.Normal("y", mu, sigma, observed=data["y"])
    elif settings["family"] == "poisson":
        pm.Poisson("y", pm.math.exp(mu), observed=data["y"])
    else:
        pm.Binomial("y", n=data["trials"].astype(int), logit_p=mu, observed=data["y"])
compiled = nutpie.compile_pymc_model(model)
begun(folder)
begin, cpu = time.perf_counter(), time.process_time()
run = {"draws": settings["draws"], "tune": settings["draws"], "chains": settings["chains"]}
trace = nutpie.sample(compiled, cores=2, seed=1, progress_bar=False, **run)
sampling, cpu = time.perf_counter() - begin, time.process_time() - cpu
print(az.summary(trace, var_names=wanted))
end = finished()
posterior = trace["posterior"]
write(folder, [posterior[name].to_numpy() for name in wanted], finished=end, sampling=sampling, cpu=cpu, names=wanted)
