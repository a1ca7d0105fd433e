# What evaluations cost beside each other, estimated from sizes alone: a choice that looked at the clock would come out
# differently in every run.

"""
    EvaluationCosts(hessian, product, factorization, solve)

Costs in gradients: of a Hessian, a product of the Hessian with a vector, a Cholesky factorisation and a solution with it.
"""
struct EvaluationCosts
    hessian::Float64
    product::Float64
    factorization::Float64
    solve::Float64
end

# Nanoseconds, measured with AVX-512: a dense factorisation runs at 30 flops a nanosecond, a solution at the speed at which
# the factor comes from memory.
factorization_time(P::Int) = P^3 / 90
solve_time(P::Int) = 0.8 * P^2

"""
    evaluation_costs(o::AbstractObjective) -> EvaluationCosts

For an objective about which nothing is known: a gradient of 10 ns a parameter, and a Hessian by its columns' half.
"""
function evaluation_costs(o::AbstractObjective)
    P = nparams(o)
    gradient = 100.0 + 10.0 * P
    return EvaluationCosts(1 + P / 2, 2.3, factorization_time(P) / gradient, solve_time(P) / gradient)
end

# 1.4 ns a neuron and sample for activations, 0.15 a weight and sample for the three matrix products of a gradient; a Hessian adds
# P^2 flops a sample at 50 a nanosecond to five times that.
function evaluation_costs(o::NetObjective)
    P, N = nparams(o), o.samples.n
    neurons = sum(layer.nout for layer in o.layers)
    passes = N * (1.4 * neurons + 0.15 * P)
    gradient = 500.0 + passes
    return EvaluationCosts((2000.0 + 5 * passes + N * P^2 / 50) / gradient, 1.6, factorization_time(P) / gradient,
                           solve_time(P) / gradient)
end

evaluation_costs(o::RestrictedObjective) = evaluation_costs(o.inner)
