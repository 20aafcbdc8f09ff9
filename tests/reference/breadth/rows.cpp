// Rows with a linear predictor of the mean and one of log(sigma) or log(shape); blocks of random effects that any
// predictor uses; residuals of two gaussian rows correlated. Written for these references, from the densities' formulas.
// Parameters in natural coordinates (standard deviations and correlations themselves), so that gradients are by them.
#include <TMB.hpp>
template<class Type> Type softplus(Type x) { return logspace_add(Type(0), x); }

template<class Type> Type log_density(int family, Type y, Type trials, Type eta, Type aux) {
  Type k = exp(aux);
  switch (family) {
    case 1: return -0.5 * log(2 * M_PI) - aux - 0.5 * pow((y - eta) / k, 2);                      // gaussian, sigma = k
    case 2: return y * eta - exp(eta) - lgamma(y + 1);                                            // poisson
    case 3: return lgamma(trials + 1) - lgamma(y + 1) - lgamma(trials - y + 1) + y * eta - trials * softplus(eta);
    case 4: return k * (aux - eta) - lgamma(k) + (k - 1) * log(y) - y * exp(aux - eta);           // gamma, shape = k
    case 5: return lgamma(y + k) - lgamma(k) - lgamma(y + 1) - k * softplus(eta - aux) - y * softplus(aux - eta);
    default: error("family"); }
  return Type(0); }

template<class Type> Type objective_function<Type>::operator()() {
  DATA_IVECTOR(family); DATA_VECTOR(y); DATA_VECTOR(trials);
  DATA_IVECTOR(mate);                                // row whose residual is correlated with this one's; -1: none; -2: counted there
  DATA_MATRIX(X); DATA_MATRIX(W); DATA_VECTOR(offset_mu); DATA_VECTOR(offset_aux);
  DATA_SPARSE_MATRIX(A); DATA_SPARSE_MATRIX(B);      // random effects in the mean, in log(sigma) or log(shape)
  DATA_IVECTOR(k); DATA_IVECTOR(J);                  // of each block: effects, levels
  PARAMETER_VECTOR(beta); PARAMETER_VECTOR(gamma); PARAMETER_VECTOR(sd); PARAMETER_VECTOR(corr); PARAMETER_VECTOR(rho);
  PARAMETER_VECTOR(b);
  Type nll = 0; int at = 0, s = 0, c = 0;
  for (int t = 0; t < k.size(); t++) {
    matrix<Type> S(k(t), k(t));
    for (int i = 0; i < k(t); i++) { S(i, i) = sd(s + i) * sd(s + i);
      for (int j = 0; j < i; j++) { S(i, j) = corr(c) * sd(s + i) * sd(s + j); S(j, i) = S(i, j); c++; } }
    density::MVNORM_t<Type> normal(S);
    for (int l = 0; l < J(t); l++) nll += normal(vector<Type>(b.segment(at + l * k(t), k(t))));
    at += k(t) * J(t); s += k(t); }
  vector<Type> eta = X * beta + offset_mu + A * b, aux = W * gamma + offset_aux + B * b;
  for (int i = 0; i < y.size(); i++) {
    if (mate(i) == -2) continue;
    if (mate(i) == -1) { nll -= log_density(family(i), y(i), trials(i), eta(i), aux(i)); continue; }
    int m = mate(i); Type p = (y(i) - eta(i)) * exp(-aux(i)), q = (y(m) - eta(m)) * exp(-aux(m)), f = 1 - rho(0) * rho(0);
    nll += log(2 * M_PI) + aux(i) + aux(m) + 0.5 * log(f) + 0.5 * (p * p - 2 * rho(0) * p * q + q * q) / f; }
  return nll; }
