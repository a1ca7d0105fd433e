# Pairs by Mehler's formula: with orthonormal Hermite polynomials h_n, E[h_j(x) h_k(y)] = rho^j if j = k, else 0, so that expectations of
# products are sums of products of coefficients times rho^n, and differentiation shifts coefficients.

# Relative to the root mean squares of the two factors: where to end a sum, and what an unfinished one may lack.
const MEHLER_NEGLIGIBLE = 1e-18
const MEHLER_TOLERANCE = 2e-15

"""
    mehler_terms(a, b, rho, order) -> (n, error)

How many terms of the sums to take, and an estimate of what is missing: the envelopes of the coefficients fall, and the last two
blocks tell how fast.
"""
function mehler_terms(a::HermiteSet, b::HermiteSet, rho::Float64, order::Int)
    blocks = min(a.degree, b.degree) ÷ HERMITE_BLOCK
    column, factor, power, bound, before = order, abs(rho)^HERMITE_BLOCK, 1.0, Inf, Inf
    for block in 1:blocks
        before = bound
        bound = power * a.envelope[block, column] * b.envelope[block, column]
        bound <= MEHLER_NEGLIGIBLE && return HERMITE_BLOCK * (block - 1), bound
        power *= factor
    end
    ratio = before == Inf ? 1.0 : bound / before
    missing_terms = ratio >= 1 ? Inf : HERMITE_BLOCK * bound * ratio / (1 - ratio)
    return HERMITE_BLOCK * blocks, missing_terms
end

function mehler!(M::PairMoments, a::HermiteSet, r1, b::HermiteSet, r2, rho, s, powers::Vector{Float64}, n::Int, order::Int)
    fill_powers!(powers, rho, n)
    x, y = a.gamma, b.gamma
    M.h00 = weighted_dot(powers, x, 1, y, 1, n)
    h10, d1, d2 = weighted_dot(powers, x, 2, y, 1, n), r1 * weighted_dot(powers, x, 3, y, 1, n),
                  r2 * weighted_dot(powers, x, 2, y, 2, n)
    set3!(M.h10, 1.0, h10, d1 + rho * d2, s * d2)
    order >= 2 || return M
    # gamma^(3) and gamma^(4) have r and r^2 in them
    h20, h21 = weighted_dot(powers, x, 3, y, 1, n), weighted_dot(powers, x, 3, y, 2, n)
    h12, h22 = weighted_dot(powers, x, 2, y, 3, n), weighted_dot(powers, x, 3, y, 3, n)
    from_slopes!(M.h20, rho, s, h20, weighted_dot(powers, x, 4, y, 1, n), r2 * h21, weighted_dot(powers, x, 5, y, 1, n),
                 r2 * weighted_dot(powers, x, 4, y, 2, n), r2 * r2 * h22)
    from_slopes!(M.h11, rho, s, weighted_dot(powers, x, 2, y, 2, n), r1 * h21, r2 * h12,
                 r1 * weighted_dot(powers, x, 4, y, 2, n), r1 * r2 * h22, r2 * weighted_dot(powers, x, 2, y, 4, n))
    return M
end

# Stein's identity: d1 = r1 E[dh/dz1], d2 = r2 E[dh/dz2], d11, d12, d22 likewise; xi enters both arguments, eta the second.
from_slopes!(out, rho, s, h, d1, d2, d11, d12, d22) =
    set6!(out, 1.0, h, d1 + rho * d2, s * d2, d11 + 2 * rho * d12 + rho * rho * d22, s * (d12 + rho * d22), s * s * d22)

function fill_powers!(powers::Vector{Float64}, rho::Float64, n::Int)
    power = 1.0
    @inbounds for i in 1:min(n, 8)
        powers[i] = power
        power *= rho
    end
    eighth = power
    @inbounds for start in 8:8:n-1
        @simd ivdep for i in start+1:start+8
            powers[i] = powers[i-8] * eighth
        end
    end
end

@inline function weighted_dot(powers, x, i, y, j, n)
    total = 0.0
    @inbounds @simd for k in 1:n
        total += powers[k] * x[k, i] * y[k, j]
    end
    return total
end
