# The probability that two Gaussian variables are positive, and its derivatives with respect to their means.

const OWEN_POINTS = 34

# Nodes and weights of the Gauss-Legendre rule on [0, 1]: Newton's method for the Legendre polynomial.
function legendre_rule(n::Int)
    nodes, weights = BigFloat[], BigFloat[]
    for i in 1:n
        x, slope = BigFloat(cos(pi * (i - 0.25) / (n + 0.5))), BigFloat(0)
        for _ in 1:12
            before, p = BigFloat(1), x
            for k in 2:n
                before, p = p, ((2k - 1) * x * p - (k - 1) * before) / k
            end
            slope = n * (x * p - before) / (x * x - 1)
            x -= p / slope
        end
        push!(nodes, (1 + x) / 2)
        push!(weights, 1 / ((1 - x * x) * slope^2))
    end
    return nodes, weights
end

# Squares of the nodes, and the weights.
const OWEN_RULE = setprecision(BigFloat, 512) do
    nodes, weights = legendre_rule(OWEN_POINTS)
    Tuple(DoubleDouble(x * x) for x in nodes), Tuple(map(DoubleDouble, weights))
end

const INVERSE_2PI = constants(n -> 1 / (2 * BigFloat(pi)), 1:1)[1]

# The integrand exp(-h^2 (1 + a^2 u^2)/2)/(1 + a^2 u^2) of u in [0, 1] is analytic within the ellipse with foci 0, 1 and sum of half axes
# 3.5/2. There |Im u| <= 0.804, so that for |a| <= 1.0001 the real part of 1 + a^2 u^2 is above 0.35, and the integrand below 2.9. A
# polynomial of degree 67 is as near as 2 M 3.5^-67/2.5 (S. Bernstein), and a rule of positive weights off by at most twice that.
const OWEN_REMAINDER = 2e-36

"""
    owen_wide(h, a)

Owen's T function, 1/(2 pi) int_0^a exp(-h^2 (1 + x^2)/2)/(1 + x^2) dx, for |a| <= 1.0001 (else `NaN`) and points: double-double
numbers, or balls of radius 0 or close to it. The error is absolute. Source: D. B. Owen, Ann. Math. Statist. 27 (1956) 1075-1090.
"""
function owen_wide(h::T, a::T) where {T<:Wide}
    abs(leading(h)) <= GAUSSIAN_END || return widened(zero(T), UNDERFLOW)
    magnitude(a) <= 1.0001 || return a * NaN
    nodes, weights = OWEN_RULE
    exponent, a2, sum = scaled(h * h, -0.5), a * a, zero(T)
    for i in 1:OWEN_POINTS
        x = a2 * constant(T, nodes[i]) + 1.0
        sum += constant(T, weights[i]) * exp_and_expm1(exponent * x)[1] / x
    end
    return widened(sum, OWEN_REMAINDER) * a * constant(T, INVERSE_2PI)
end

# a/b, where b may be 0: parallel neurons.
@inline ratio(a::Ball, b::Ball) = a.mid.hi == 0 && a.rad == 0 ? a : a / b
@inline ratio(a::DoubleDouble, b::DoubleDouble) =
    a.hi == 0 ? a : b.hi == 0 ? DoubleDouble(copysign(Inf, a.hi)) : a / b

# The determinant of a covariance is not negative.
@inline not_negative(x::DoubleDouble) = x.hi > 0 || isnan(x) ? x : zero(x)
@inline not_negative(x::Ball) = x

@inline sign_at(x) = leading(x) >= 0 ? 1.0 : -1.0

# T(h, t/h), odd in both: by the reflection T(h, t/h) + T(t, h/t) = (sign h sign t - erf(h/sqrt 2) erf(t/sqrt 2))/4 where |t| > |h|.
function owen_ratio(h::T, t::T) where {T<:Wide}
    abs(leading(t)) <= abs(leading(h)) && return owen_wide(h, ratio(t, h))
    product = erf_half_parts(h)[1] * erf_half_parts(t)[1]
    return scaled(sign_at(h) * sign_at(t) - product, 0.25) - owen_wide(t, ratio(h, t))
end

# P(z1 > 0, z2 > 0), or a quarter of E[sign(z1) sign(z2)], at a point, by Owen's formula (1956, 2.1).
function orthant_at_point(m1::T, m2::T, A::T, C::T, B::T, centred::Bool) where {T<:Wide}
    determinant = root(not_negative(A * B - C * C))
    if leading(m1) == 0 && leading(m2) == 0
        quarter = angle_of(C, determinant) * constant(T, INVERSE_2PI)
        return centred ? quarter : quarter + 0.25
    end
    root1, root2 = root(A), root(B)
    h, k = m1 / root1, m2 / root2
    t1, t2 = ratio(m2 * A - C * m1, root1 * determinant), ratio(m1 * B - C * m2, root2 * determinant)
    signs = scaled(owen_ratio(h, t1) + owen_ratio(k, t2), -4.0) + sign_at(h) * sign_at(k)
    return scaled(centred ? signs : signs + erf_half_parts(h)[1] + erf_half_parts(k)[1] + 1.0, 0.25)
end

"""
    Orthant{T}

`order[i+1, j+1]` is d^i/dm1^i d^j/dm2^j of P(z1 > 0, z2 > 0), i + j <= 4; `spread` is the determinant of the covariance times
the density at 0.
"""
struct Orthant{T}
    order::Matrix{T}
    spread::Vector{T}
end

Orthant{T}() where {T} = Orthant{T}(zeros(T, 5, 5), zeros(T, 1))

"""
    orthant!(o, m1, m2, A, C, B, order, centred = false) -> o

The probability that Gaussian variables of means m1, m2 and covariances A, C, B are both positive, and its derivatives up to
`order` (at least 1); with `centred` the same of E[sign(z1) sign(z2)]/4, which is P(z1 > 0, z2 > 0) - P(z1 > 0)/2 - P(z2 > 0)/2 + 1/4.
"""
function orthant!(o::Orthant{T}, m1::T, m2::T, A::T, C::T, B::T, order::Int, centred::Bool = false) where {T<:Wide}
    P = o.order
    root1, root2, determinant = root(A), root(B), not_negative(A * B - C * C)
    s = root(determinant)
    t1, t2 = ratio(m2 * A - C * m1, root1 * s), ratio(m1 * B - C * m2, root2 * s)
    density1, density2 = normal_parts(m1 / root1)[2] / root1, normal_parts(m2 / root2)[2] / root2
    P[2, 1], P[1, 2] = centred ? (density1 * half_erf(t1), density2 * half_erf(t2)) :
                       (density1 * normal_parts(t1)[1], density2 * normal_parts(t2)[1])
    o.spread[1] = density1 * normal_parts(t1)[2] * root1 * s
    (order >= 2 || T === Ball) && higher_orders!(P, o.spread[1] / determinant, determinant, m1, m2, A, C, B)
    P[1, 1] = orthant_value(P, m1, m2, A, C, B, centred)
    return o
end

@inline normal_parts(x::Wide) = (d = enclosed_derivatives(normal_cdf, x); (d[1], d[2]))

# normal_cdf(x) - 1/2, without the difference
@inline half_erf(x::Wide) = scaled(enclosed_derivatives(sigmoid2, x)[1], 0.5)

# With q = P[2, 2] the density at 0, u the inverse covariance times the mean, and E[z1 delta(z1) ...] = 0 for the derivatives by
# one mean alone: A P_20 + C P_11 + m1 P_10 = 0 and its derivatives.
function higher_orders!(P::Matrix{T}, q::T, determinant::T, m1::T, m2::T, A::T, C::T, B::T) where {T}
    u1, u2 = (B * m1 - C * m2) / determinant, (A * m2 - C * m1) / determinant
    P[2, 2], P[3, 2], P[2, 3] = q, -(u1 * q), -(u2 * q)
    P[4, 2], P[3, 3], P[2, 4] = (u1 * u1 - B / determinant) * q, (u1 * u2 + C / determinant) * q, (u2 * u2 - A / determinant) * q
    for n in 0:2
        along1, along2 = m1 * P[n+2, 1] + C * P[n+2, 2], m2 * P[1, n+2] + C * P[2, n+2]
        n > 0 && (along1 += Float64(n) * P[n+1, 1]; along2 += Float64(n) * P[1, n+1])
        P[n+3, 1], P[1, n+3] = -along1 / A, -along2 / B
    end
    return P
end

orthant_value(P::Matrix{DoubleDouble}, m1, m2, A, C, B, centred::Bool) = orthant_at_point(m1, m2, A, C, B, centred)

# The value at the centre, and the mean value theorem for the rest. Without the derivatives over the box there is no bound.
function orthant_value(P::Matrix{Ball}, m1::Ball, m2::Ball, A::Ball, C::Ball, B::Ball, centred::Bool)
    centre = orthant_at_point(Ball(m1.mid), Ball(m2.mid), Ball(A.mid), Ball(C.mid), Ball(B.mid), centred)
    spread = magnitude(P[2, 1]) * m1.rad + magnitude(P[1, 2]) * m2.rad + magnitude(P[2, 2]) * C.rad
    return widened(centre, upward(upward(spread) + magnitude(P[3, 1]) * A.rad + magnitude(P[1, 3]) * B.rad))
end
