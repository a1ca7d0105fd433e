# Computes the coefficients of the fourth order method RKC4 and prints julia/flow/rkc4_coefficients.tsv:
#
#     julia scripts/fit_rkc4.jl > julia/flow/rkc4_coefficients.tsv
#
# Nothing runs this at set-up or in the tests; tests/julia/flow/test_stabilized.jl checks every number it printed. What
# the numbers are for is said in julia/flow/rkc4.jl. For each degree n, in three steps:
#
# 1. The stability polynomial R = w P of degree n: w of degree 4 with two pairs of complex zeros, P of degree n - 4
#    orthogonal with respect to w(x)^2 / sqrt(1 - x^2) on [-1, 1], R(z) = 1 + z + z^2/2 + z^3/6 + z^4/24 + O(z^5), and
#    |R| <= 0.95 on the interval. A. Abdulle, "Fourth order Chebyshev methods with recurrence relation", SIAM J. Sci.
#    Comput. 23 (2002) 2041-2054.
# 2. The stages Y_j of Runge, Kutta and Chebyshev, of order 2: B. P. Sommeijer, L. F. Shampine, J. G. Verwer, "RKC: an
#    explicit solver for parabolic PDEs", J. Comput. Appl. Math. 88 (1998) 315-326. Their polynomials a_j + b_j T_j(x)
#    span all polynomials of degree n.
# 3. The weights of the Y_j in the two outer stages, in the result and in the error estimate: of all polynomials that
#    satisfy the order conditions the one with the least sum of squared Chebyshev coefficients.

using LinearAlgebra
using Printf

setprecision(BigFloat, 200)

const DEGREES = [6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 19, 22, 25, 28, 32, 37, 42, 48, 55, 63, 72, 82, 94, 107, 122, 140, 160, 183, 209, 240]
const DAMPING = 0.95
const RIGHT_END = 0.05          # z = -0.05 is mapped to x = 1; R(-0.05) = 0.951
const C1, C2 = 1 // 2, 4 // 5   # abscissas of the outer stages
const BETA = 1 // 4 / C2^3      # weight of the second outer stage in the result
const D = C2^4 / 4 / C1^3       # weight of the first outer stage in the second
const ESTIMATE = 1 // 100       # the error estimate of y' = lambda y is this times (h lambda)^4 y

# ---------------------------------------------------------------------------------------------------------------------
# 1. Stability polynomials. A pair of zeros in z is (re, im); z = L (x - a).

struct Shape{T}
    pairs::NTuple{2,Tuple{T,T}}
    a::T
    L::T
end

# Recurrence of the orthonormal polynomials, p_{j+1} b_{j+1} = (x - a_j) p_j - b_j p_{j-1}, by Stieltjes' procedure with
# the exact Gauss-Chebyshev quadrature: a_j and b_j^2.
function stieltjes(n::Int, s::Shape{T}) where {T}
    N = n + 8
    x = [cos((2k - 1) * T(pi) / (2N)) for k in 1:N]
    weight = [prod((x - s.a - re / s.L)^2 + (im / s.L)^2 for (re, im) in s.pairs)^2 for x in x]
    weight ./= sum(weight)
    alpha, beta = zeros(T, n), zeros(T, n)
    before, now, b = zeros(T, N), ones(T, N), zero(T)
    for j in 1:n
        alpha[j] = sum(weight .* x .* now .^ 2)
        beta[j] = b^2
        next = (x .- alpha[j]) .* now .- b .* before
        b = sqrt(sum(weight .* next .^ 2))
        before, now = now, next ./ b
    end
    return alpha, beta
end

# P at the points x, as a polynomial in z with P(0) = 1.
function orthogonal_part(s::Shape{T}, alpha, beta, x) where {T}
    p0, p1, r0 = zero.(x), one.(x), zero(T)
    for j in eachindex(alpha)
        q = (x .- alpha[j]) .* p1 .- beta[j] .* p0
        r = (s.a - alpha[j]) - beta[j] * r0
        p0, p1, r0 = p1 ./ r, q ./ r, 1 / r
    end
    return p1
end

quartic(s::Shape, z) = prod(((z - re)^2 + im^2) / (re^2 + im^2) for (re, im) in s.pairs)

function stability_polynomial(n::Int, s::Shape, x)
    alpha, beta = stieltjes(n - 4, s)
    return [quartic(s, s.L * (x - s.a)) for x in x] .* orthogonal_part(s, alpha, beta, x)
end

# Product of two truncated power series.
series_product(p, q) = [sum(p[i] * q[k-i+1] for i in 1:k) for k in eachindex(p)]

# k! times the coefficient of z^k in R, minus 1, for k = 1 to 4.
function order_defects(n::Int, s::Shape{T}) where {T}
    alpha, beta = stieltjes(n - 4, s)
    p0, p1 = zeros(T, 5), T[1, 0, 0, 0, 0]
    for j in eachindex(alpha)
        q = (s.a - alpha[j]) .* p1 .+ [zero(T); p1[1:4] ./ s.L] .- beta[j] .* p0
        p0, p1 = p1 ./ q[1], q ./ q[1]
    end
    for (re, im) in s.pairs
        p1 = series_product(p1, [one(T), -2re / (re^2 + im^2), 1 / (re^2 + im^2), 0, 0])
    end
    return p1[2:5] .* [1, 2, 6, 24] .- 1
end

# The shape with the first real part and a given that has order 4: Newton's method in the other four numbers.
function with_order_4(n::Int, guess::Shape{T}, tol) where {T}
    re, a = guess.pairs[1][1], guess.a
    shape(u) = Shape{T}(((re, u[1]), (u[2], u[3])), a, u[4])
    u = T[guess.pairs[1][2], guess.pairs[2][1], guess.pairs[2][2], guess.L]
    for _ in 1:40
        r, J = order_defects(n, shape(u)), zeros(T, 4, 4)
        for k in 1:4
            h = sqrt(eps(T)) * abs(u[k])
            J[:, k] = (order_defects(n, shape([u[1:k-1]; u[k] + h; u[k+1:4]])) - r) / h
        end
        step = -(J \ r)
        change = maximum(abs.(step ./ u))
        u += step * min(1, 0.2 / max(change, eps(T)))
        change < tol && return shape(u)
    end
    error("no stability polynomial of degree $n near $guess")
end

# The interval's right end stays at z = -RIGHT_END.
function fitted(n::Int, s::Shape{T}, re) where {T}
    s = Shape{T}(((re, s.pairs[1][2]), s.pairs[2]), s.a, s.L)
    for _ in 1:6
        s = with_order_4(n, Shape{T}(s.pairs, 1 + RIGHT_END / s.L, s.L), 1e-10)
    end
    return s
end

function largest_value(n::Int, s::Shape)
    x = cos.(range(0, pi; length = 40n))
    R = stability_polynomial(n, s, x)
    return maximum(abs(R[i]) for i in eachindex(x) if s.L * (x[i] - s.a) < -1)
end

# The free number, the real part of the first pair, sets the damping: secant method in the logarithm.
function damped(n::Int, s::Shape{Float64})
    previous, re = s.pairs[1][1], 0.998 * s.pairs[1][1]
    s = fitted(n, s, previous)
    f0 = log(largest_value(n, s) / DAMPING)
    for _ in 1:30
        s = fitted(n, s, re)
        f1 = log(largest_value(n, s) / DAMPING)
        abs(f1) < 1e-9 && return s
        step = clamp(-f1 * (re - previous) / (f1 - f0), -0.03, 0.03)
        previous, re, f0 = re, re + step, f1
    end
    error("the damping of degree $n cannot be met")
end

refined(n::Int, s::Shape{Float64}) = with_order_4(n, Shape{BigFloat}(map(p -> big.(p), s.pairs), big(s.a), big(s.L)), 1e-40)

# Degree 12 by linear programming (minimal maximum on a grid) gave the first guess; the others follow from neighbours.
function stability_polynomials()
    first_guess = Shape{Float64}(((-2.41, 1.28), (-0.27, 3.45)), 1.002, 23.9)
    shapes = Dict{Int,Shape{BigFloat}}()
    for degrees in (filter(>=(12), DEGREES), reverse(filter(<(12), DEGREES)))
        s, last = first_guess, 12
        for n in degrees
            s = damped(n, Shape{Float64}(s.pairs, s.a, s.L * (n / last)^2))
            shapes[n], last = refined(n, s), n
        end
    end
    return shapes
end

# ---------------------------------------------------------------------------------------------------------------------
# 2. The stages, as polynomials and as B-series. A B-series is the vector of its elementary weights on the 17 trees of
# order up to 5; a tree is the list of the trees that its root carries.

const TREES = [Int[], [1], [1, 1], [2], [1, 1, 1], [1, 2], [3], [4], [1, 1, 1, 1], [1, 1, 2], [2, 2], [1, 3], [1, 4], [5], [6], [7], [8]]
const TALL = [1, 2, 4, 8, 17]   # the trees without branches: coefficients of z, z^2, ...

of_derivative(Y) = [isempty(t) ? one(eltype(Y)) : prod(Y[t]) for t in TREES]

# T_j(a), b_j, the B-series of the Y_j (one a column) and the weight of h f(Y_1) in Y_j.
function stages(n::Int, s::Shape{T}) where {T}
    a, w1 = s.a, 1 / s.L
    t, dt, ddt = zeros(T, n + 1), zeros(T, n + 1), zeros(T, n + 1)
    t[1:2], dt[2] = [1, a], 1
    for j in 3:n+1
        t[j] = 2a * t[j-1] - t[j-2]
        dt[j] = 2 * t[j-1] + 2a * dt[j-1] - dt[j-2]
        ddt[j] = 4 * dt[j-1] + 2a * ddt[j-1] - ddt[j-2]
    end
    b = ddt ./ dt .^ 2
    b[1:2] .= b[3]
    Y, first_weight = zeros(T, 17, n + 1), zeros(T, n + 1)
    f0 = of_derivative(Y[:, 1])
    Y[:, 2] = b[2] * w1 .* f0
    for j in 3:n+1
        mu, nu, mut = 2a * b[j] / b[j-1], -b[j] / b[j-2], 2w1 * b[j] / b[j-1]
        Y[:, j] = mu .* Y[:, j-1] .+ nu .* Y[:, j-2] .+ mut .* (of_derivative(Y[:, j-1]) .- (1 - b[j-1] * t[j-1]) .* f0)
        first_weight[j] = mu * first_weight[j-1] + nu * first_weight[j-2] + (j == 3 ? mut : 0)
    end
    return t, b, Y, first_weight
end

# ---------------------------------------------------------------------------------------------------------------------
# 3. The weights. Polynomials are vectors of Chebyshev coefficients in x.

function chebyshev_coefficients(values)
    N = length(values)
    c = [2 * sum(values[k] * cos(j * (2k - 1) * big(pi) / (2N)) for k in 1:N) / N for j in 0:N-1]
    c[1] /= 2
    return c
end

chebyshev_points(N) = [cos((2k - 1) * big(pi) / (2N)) for k in 1:N]

chebyshev_values(c) = [sum(c[j+1] * cos(j * (2k - 1) * big(pi) / (2 * length(c))) for j in 0:length(c)-1) for k in eachindex(c)]

# The shortest solution of an underdetermined system given by rows.
function shortest(conditions)
    A = reduce(vcat, (row' / norm(row) for (row, _) in conditions))
    y = [value / norm(row) for (row, value) in conditions]
    return A' * ((A * A') \ y)
end

# Weights of Y_1, ..., Y_n in the two outer stages, the result and the error estimate.
function weights(n::Int, s::Shape)
    t, b, Y, first_weight = stages(n, s)
    x = chebyshev_points(n + 1)
    z = s.L .* (x .- s.a)
    R = chebyshev_coefficients(stability_polynomial(n, s, x))
    # What a polynomial c gives, as sum_j c_j/b_j (Y_j - a_j Y_0), on a tree; its value at 0; its weight of h f(Y_1).
    # A polynomial in which that weight is zero has the weights of [tau tau] and [[tau]] in the ratio 2, and those of
    # [tau tau tau] and [tau [tau]]: all Y_j but Y_1 have order 2.
    on(i) = Y[i, :] ./ b
    value, first = t, first_weight ./ b
    over_z(c) = chebyshev_coefficients(chebyshev_values(c) ./ z)
    # z times the polynomial of the second outer stage: order 3, and what the result's order 4 asks for.
    E2 = shortest([(value, 0), (on(1), 1), (on(2), C2), (on(4), C2^2 / 2), (first, first' * R / BETA),
                   (on(5), (on(5)' * R - 1 // 4 + BETA * C2^3) / BETA), (on(17), on(17)' * R / BETA)])
    result = R - BETA * E2
    S2 = over_z(E2)
    double = (1 // 12 - on(7)' * result) / BETA         # weight of [tau tau] in the second outer stage
    E1 = shortest([(value, 0), (on(1), 1), (on(2), C1), (on(3), (on(3)' * S2 - double) / D + C1^2), (first, first' * S2 / D),
                   (on(5), (on(5)' * S2 - C2^4 / 4) / D + C1^3)])
    estimate = shortest([(value, 0), (on(1), 0), (on(2), 0), (on(4), 0), (first, 0), (on(8), ESTIMATE)])
    return [(c ./ b)[2:end] for c in (over_z(E1), S2 - D * E1, result, estimate)]
end

function main()
    shapes = stability_polynomials()
    println("degree\tlimit\tw0\tw1\tweights of Y_1, ..., Y_n in outer stage 1, outer stage 2, the result, the error estimate")
    for n in DEGREES
        s = shapes[n]
        numbers = [(1 + s.a) * s.L; s.a; 1 / s.L; weights(n, s)...]
        println(n, '\t', join((@sprintf("%.17g", Float64(v)) for v in numbers), '\t'))
        println(stderr, n, " ", Float64((1 + s.a) * s.L / n^2))
    end
end

main()
