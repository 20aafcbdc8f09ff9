"""bayesmix."""

from __future__ import annotations

import time

from protocol import finished, job, write

import bayesmix as bmx

settings, folder = job()
model = bmx.Model(settings["formula"], bmx.load_dataset(settings["dataset"]), family=settings["family"])
run = {"draws": settings["draws"], "chains": settings["chains"], "method": settings["method"], "progress": False}
post = model.sample(seed=1, **run)
print(post.summary())
end = finished()

begin = time.perf_counter()
post = model.sample(seed=2, **run)
sampling = time.perf_counter() - begin

values, effects = post.values, post.with_effects.b
lead = values.lead
parts = [values.beta, *values.sd]
for corr in values.corr:
    k = corr.shape[-1]
    parts += [corr[..., i, j] for i in range(k) for j in range(i)]
parts += [] if values.dispersion is None else [values.dispersion]
parts = [part.reshape(*lead, -1) for part in parts]
same = [part.reshape(*part.shape[:2], -1) for part in effects if part.shape[1] == lead[1]]
note = {"method": post.method, "fewer": 0.0}
if effects and not same:  # random effects of some draws only: their effective sizes are judged apart
    import numpy as np

    from bayesmix.inference.sampling.diagnostics import convergence

    apart = np.concatenate([part.reshape(*part.shape[:2], -1) for part in effects], axis=2)
    note["fewer"] = convergence(apart).smallest_ess
write(folder, [*parts, *same], finished=end, sampling=sampling, **note)
