"""numpyro, written by hand."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
from protocol import arrays, begun, below_diagonal, finished, job, terms, write

settings, folder = job()
numpyro.set_host_device_count(settings["chains"])
numpyro.enable_x64()
data = arrays(folder)


def model() -> None:
    beta = numpyro.sample("beta", dist.Normal(data["beta_mean"], data["beta_sd"]).to_event(1))
    mu = jnp.asarray(data["X"]) @ beta
    for t in range(terms(data)):
        z, codes = data[f"z{t}"], data[f"g{t}"]
        k, levels = z.shape[1], int(codes.max()) + 1
        tau = numpyro.sample(f"tau{t}", dist.Exponential(jnp.full(k, 1.0 / data["scale"])).to_event(1))
        free = numpyro.sample(f"free{t}", dist.Normal(jnp.zeros((levels, k)), 1.0).to_event(2))
        if k > 1:
            L = numpyro.sample(f"L{t}", dist.LKJCholesky(k, 2.0))
            numpyro.deterministic(f"corr{t}", L @ L.T)
            free = free @ L.T
        b = numpyro.deterministic(f"b{t}", free * tau)
        mu = mu + jnp.sum(b[codes] * z, axis=1)
    if settings["family"] == "gaussian":
        sigma = numpyro.sample("sigma", dist.Exponential(1.0 / data["scale"]))
        numpyro.sample("y", dist.Normal(mu, sigma), obs=data["y"])
    elif settings["family"] == "poisson":
        numpyro.sample("y", dist.Poisson(jnp.exp(mu)), obs=data["y"])
    else:
        numpyro.sample("y", dist.Binomial(total_count=data["trials"], logits=mu), obs=data["y"])


run = {"num_warmup": settings["draws"], "num_samples": settings["draws"], "num_chains": settings["chains"]}
mcmc = MCMC(NUTS(model), progress_bar=False, **run)
begun(folder)
mcmc.run(jax.random.PRNGKey(1))
mcmc.print_summary()
end = finished()
begin, cpu = time.perf_counter(), time.process_time()
mcmc.run(jax.random.PRNGKey(2))
draws = {name: np.asarray(values) for name, values in mcmc.get_samples(group_by_chain=True).items()}
sampling, cpu = time.perf_counter() - begin, time.process_time() - cpu
names = [name for name in draws if not name.startswith(("free", "L"))]
kept = [below_diagonal(draws[name]) if name.startswith("corr") else draws[name] for name in names]
write(folder, kept, finished=end, sampling=sampling, cpu=cpu, names=names)
