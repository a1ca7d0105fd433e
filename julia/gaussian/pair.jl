# The choice of an evaluator.

"""
    GaussianScratch()

Scratch memory of all evaluators; one serves one caller at a time.
"""
mutable struct GaussianScratch
    singles::Singles
    hermite::HermiteScratch
    nested::NestedScratch
    powers::Vector{Float64}
    e1::Matrix{Float64}
    e2::Matrix{Float64}
end

GaussianScratch() = GaussianScratch(Singles(), HermiteScratch(), NestedScratch(), zeros(LARGEST_DEGREE + 8), zeros(3, 3), zeros(3, 3))

# A standard deviation below this is 0.
const SMALLEST_DEVIATION = 1e-100

"""
    pair_moments!(M, scratch, a, b, rho, s, order = 2) -> M

The expectations of `PairMoments` for neurons `a` and `b` whose xi have the correlation `rho`, s = sqrt(1 - rho^2) to full accuracy
(from the difference of unit vectors where |rho| is near 1); with `order` 0 only h00, with 1 also h10 are promised. In this order:
constants, the exponential, closed forms, polynomials and other pairs by Hermite coefficients where they converge, and nested
rules. `M.method` says which: `:constant`, `:exponential`, `:closed`, `:hermite`, `:nested`; `M.error` estimates the error.
"""
function pair_moments!(M::PairMoments, scratch::GaussianScratch, a::GaussianNeuron, b::GaussianNeuron, rho::Float64, s::Float64,
                       order::Int = 2)
    M.error = 0.0
    f, g = a.profile, b.profile
    if a.r <= SMALLEST_DEVIATION || b.r <= SMALLEST_DEVIATION
        M.method = :constant
        return constant_pair!(M, scratch, a, b)
    elseif f.kind == EXPONENTIAL
        M.method = :exponential
        return exponential_any!(M, scratch.e1, scratch.singles, a.m, a.r, g, b.m, b.r, rho, s, order)
    elseif g.kind == EXPONENTIAL
        M.method = :exponential
        return any_exponential!(M, scratch.e1, scratch.singles, f, a.m, a.r, b.m, b.r, rho, s, order)
    elseif f.kind <= CDF && g.kind <= CDF
        M.method = :closed
        return closed_pair!(M, f, a.m, a.r, g, b.m, b.r, rho, s, order)
    end
    n = hermite_terms!(scratch, a, b, rho, order)
    if n >= 0
        M.method = f.kind == POLYNOMIAL || g.kind == POLYNOMIAL ? :closed : :hermite
        M.error = mehler_terms(a, b, rho, max(order, 1))[2]
        return mehler!(M, a, b, rho, s, scratch.powers, n, order)
    end
    M.method, M.error = :nested, 1e-15
    return nested!(M, scratch.nested, f, a.m, a.r, g, b.m, b.r, rho, s, order)
end

function closed_pair!(M, f::Profile, m1, r1, g::Profile, m2, r2, rho, s, order)
    f.kind == CDF && return cdf_any!(M, f, m1, r1, g, m2, r2, rho, s, order)
    g.kind == CDF && return relu_cdf!(M, m1, r1, g, m2, r2, rho, s, order)
    return relu_relu!(M, m1, r1, m2, r2, rho, s, order)
end

# One of the two does not vary. Then the direction of its weights does not matter: rho = 0, s = 1 is meant.
function constant_pair!(M::PairMoments, scratch::GaussianScratch, a::GaussianNeuron, b::GaussianNeuron)
    e, d = scratch.e1, scratch.e2
    deviation(neuron) = neuron.r <= SMALLEST_DEVIATION ? 0.0 : neuron.r
    single!(e, scratch.singles, a.profile, a.m, deviation(a))
    single!(d, scratch.singles, b.profile, b.m, deviation(b))
    M.h00 = e[1, 1] * d[1, 1]
    set3!(M.h10, 1.0, e[2, 1] * d[1, 1], e[2, 2] * d[1, 1], e[2, 1] * d[1, 2])
    for (out, i, j) in ((M.h20, 3, 1), (M.h11, 2, 2))
        set6!(out, 1.0, e[i, 1] * d[j, 1], e[i, 2] * d[j, 1], e[i, 1] * d[j, 2], e[i, 3] * d[j, 1], e[i, 2] * d[j, 2],
              e[i, 1] * d[j, 3])
    end
    return M
end

# The number of terms at which the Hermite sums of the pair have converged, or -1. The neuron with fewer coefficients is refined first;
# nothing is refined that could not help: even 512 terms would leave rho^512.
function hermite_terms!(scratch::GaussianScratch, a::GaussianNeuron, b::GaussianNeuron, rho::Float64, order::Int)
    a.level == 0 && refine!(a, scratch.hermite)
    b.level == 0 && refine!(b, scratch.hermite)
    while true
        n, missing_terms = mehler_terms(a, b, rho, max(order, 1))
        missing_terms <= MEHLER_TOLERANCE && return n
        first, second = a.degree <= b.degree ? (a, b) : (b, a)
        refine!(first, scratch.hermite) || refine!(second, scratch.hermite) || return -1
    end
end
