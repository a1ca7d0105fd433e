# The choice of an evaluator.

"""
    GaussianScratch()

Scratch memory of all evaluators; one serves one caller at a time.
"""
mutable struct GaussianScratch
    singles::Singles
    hermite::HermiteScratch
    line::LineScratch
    nested::NestedScratch
    powers::Vector{Float64}
    e1::Matrix{Float64}
    e2::Matrix{Float64}
end

GaussianScratch() = GaussianScratch(Singles(), HermiteScratch(), LineScratch(), NestedScratch(), zeros(LARGEST_DEGREE + 8), zeros(3, 3), zeros(3, 3))

# A standard deviation below this is 0.
const SMALLEST_DEVIATION = 1e-100

"""
    pair_moments!(M, scratch, a, b, rho, s, order = 2) -> M

The expectations of `PairMoments` for neurons `a` and `b` whose xi have the correlation `rho`, s = sqrt(1 - rho^2) to full accuracy
(from the difference of unit vectors where |rho| is near 1); with `order` 0 only h00, with 1 also h10 are promised. In this order:
constants, the exponential, closed forms, polynomials (with anything), integrals over a line where s = 0, Hermite coefficients where they
converge, and nested rules. `M.method` says which: `:constant`, `:exponential`, `:closed`, `:line`, `:hermite`, `:nested`; `M.error` estimates the error.
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
    if s == 0 && f.kind != POLYNOMIAL && g.kind != POLYNOMIAL
        M.method = :line
        return parallel!(M, scratch.line, f, a.m, a.r, g, b.m, rho < 0 ? -b.r : b.r, order)
    end
    hermite_pair!(M, scratch, a, b, rho, s, order) && return M
    M.method, M.error = :nested, 1e-15
    return nested!(M, scratch.nested, f, a.m, a.r, g, b.m, b.r, rho, s, order)
end

function closed_pair!(M, f::Profile, m1, r1, g::Profile, m2, r2, rho, s, order)
    f.kind == CDF && return cdf_any!(M, f, m1, r1, g, m2, r2, rho, s, order)
    g.kind == CDF && return relu_cdf!(M, m1, r1, g, m2, r2, rho, s, order)
    return relu_relu!(M, m1, r1, m2, r2, rho, s, order)
end

# One of the two does not vary. Then the direction of its weights does not matter: rho = 0, s = 1 is meant.
deviation(neuron::GaussianNeuron) = neuron.r <= SMALLEST_DEVIATION ? 0.0 : neuron.r

function constant_pair!(M::PairMoments, scratch::GaussianScratch, a::GaussianNeuron, b::GaussianNeuron)
    e, d = scratch.e1, scratch.e2
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

# Polynomials with each other, relu or a distribution function: finite sums.
is_closed(f::Profile, g::Profile) =
    (f.kind == POLYNOMIAL && g.kind in (RELU, CDF, POLYNOMIAL)) || (g.kind == POLYNOMIAL && f.kind in (RELU, CDF))

# f'' of relu is a point mass: E[g] and its moments at one value of xi, instead of a sum whose terms are large where g is.
function point_mass!(out::Vector{Float64}, scratch::GaussianScratch, a::GaussianNeuron, b::GaussianNeuron, rho, s)
    x = -a.m / a.r
    e = single!(scratch.e1, scratch.singles, b.profile, muladd(b.r * rho, x, b.m), b.r * s)
    g0, g1, g2 = e[1, 1], e[1, 2], e[1, 3]
    set6!(out, vnormal_pdf(x) / a.r, g0, x * g0, g1, (x * x - 1) * g0, x * g1, g2)
end

# By Hermite coefficients, or false where the sums do not converge. The neuron with fewer coefficients is refined first.
function hermite_pair!(M::PairMoments, scratch::GaussianScratch, a::GaussianNeuron, b::GaussianNeuron, rho, s, order::Int)
    at_a, at_b = next_level!(a, 0, scratch.hermite), next_level!(b, 0, scratch.hermite)
    while true
        x, y = a.sets[at_a], b.sets[at_b]
        n, missing_terms = mehler_terms(x, y, rho, max(order, 1))
        if missing_terms <= MEHLER_TOLERANCE
            M.method = is_closed(a.profile, b.profile) ? :closed : :hermite
            M.error = missing_terms
            mehler!(M, x, a.r, y, b.r, rho, s, scratch.powers, n, order)
            order >= 2 && a.profile.kind == RELU && point_mass!(M.h20, scratch, a, b, rho, s)
            return true
        end
        higher_a = at_a <= at_b ? next_level!(a, at_a, scratch.hermite) : 0
        higher_b = higher_a == 0 ? next_level!(b, at_b, scratch.hermite) : 0
        higher_a == 0 && higher_b == 0 && at_a > at_b && (higher_a = next_level!(a, at_a, scratch.hermite))
        higher_a == 0 && higher_b == 0 && return false
        higher_a > 0 ? (at_a = higher_a) : (at_b = higher_b)
    end
end
