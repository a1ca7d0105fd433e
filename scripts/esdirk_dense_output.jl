# The dense output of julia/flow/esdirk_tableau.jl, derived in exact arithmetic; prints the coefficients.
#
#     julia scripts/esdirk_dense_output.jl
#
# Sought are the weights b_i(t) of x(t) = x + sum_i b_i(t) k_i, 0 <= t <= 1, k_i = dt f(X_i). All stages but the first
# have stage order 2, so of the eight order conditions up to order 4 (Hairer, Norsett, Wanner, Solving Ordinary
# Differential Equations I, II.6) five are left:
#
#     sum b = t,  sum b c = t^2/2,  sum b c^2 = t^3/3,  sum b c^3 = t^4/4,  sum b_i a_ij c_j^2 = t^4/12.
#
# Two more conditions make the seven weights unique. On x' = lambda x with z = lambda dt -> -infinity the stages are
# X = (I - z A)^-1 1, and with the first, explicit stage split off, x(t)/x = z (b_1 - b' A^-1 a_1) + 1 - b' A^-1 1
# - b' A^-2 a_1 + O(1/z), where b, A, a_1 now belong to stages 2 to 7. The first bracket must vanish, lest a stiff
# component grow within the step; the limit p(t) is free but for p(0) = 1 and p(1) = 0. All conditions are linear in p, and so
# are the four error terms of order 5 that are left. p is the polynomial of degree 4 for which their squares, integrated over
# t, are least (found in Float64 and rounded); it stays between -0.86 and 1. In flows of networks its errors are half of
# those with (1 - t)^4.

using LinearAlgebra

include(joinpath(@__DIR__, "..", "julia", "flow", "esdirk_tableau.jl"))

const S = ESDIRK_STAGES

function exact_tableau()
    A = zeros(Rational{BigInt}, S, S)
    for i in 2:S
        A[i, 1:i-1] .= ESDIRK_RATIONALS.a[i]
        A[i, i] = ESDIRK_RATIONALS.gamma
    end
    return A
end

# One row a condition on b_1, ..., b_7: the five of order, no growth, the limit.
function conditions(A)
    c = vec(sum(A, dims=2))
    implicit = A[2:S, 2:S]
    u = implicit \ A[2:S, 1]
    v = implicit \ (ones(Rational{BigInt}, S - 1) .+ u)
    return permutedims(hcat(ones(Rational{BigInt}, S), c, c .^ 2, c .^ 3, A * c .^ 2, [1; -u], [0; -v]))
end

# p(t) = (1 - t) (1 + t (p_1 + p_2 t + p_3 t^2)).
const LIMIT = (-19 // 1, 371 // 5, -143 // 2)

# The right-hand sides, coefficients of t, t^2, t^3, t^4; the last is p(t) - 1.
function right_hand_sides(p)
    return Rational{BigInt}[1 0 0 0; 0 1//2 0 0; 0 0 1//3 0; 0 0 0 1//4; 0 0 0 1//12; 0 0 0 0;
                            p[1]-1 p[2]-p[1] p[3]-p[2] -p[3]]
end

# The conditions of order 5 that stage order 2 leaves.
function fifth_order_errors(A, b, t)
    c = vec(sum(A, dims=2))
    q = A * c .^ 2
    return Float64.([sum(b .* c .^ 4) - t^5 / 5, sum(b .* c .* q) - t^5 / 15, sum(b .* (A * c .^ 3)) - t^5 / 20,
                     sum(b .* (A * q)) - t^5 / 60])
end

# Least squares over a grid for (p_1, p_2, p_3).
function best_limit(A)
    weights(p) = conditions(A) \ right_hand_sides(p)
    errors(p) = vcat((fifth_order_errors(A, weights(p) * t .^ (1:4), t) for t in (1:49) .// 50)...)
    zero_limit = errors((0, 0, 0))
    return -hcat((errors(p) .- zero_limit for p in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))...) \ zero_limit
end

# b(t) = t b(1) + t (1 - t) (q_1 + q_2 t + q_3 t^2): this form is exact at both ends in floating point.
weights = conditions(exact_tableau()) \ right_hand_sides(LIMIT)
q = -hcat(weights[:, 2] .+ weights[:, 3] .+ weights[:, 4], weights[:, 3] .+ weights[:, 4], weights[:, 4])
for m in 1:3
    println("(", join(Float64.(q[:, m]), ", "), ")", m < 3 ? "," : "")
end

println("limit ", LIMIT, ", best ", best_limit(exact_tableau()))

# At t = 1 they are the weights of the method itself, up to the 25 digits to which the published fractions satisfy
# the order conditions.
ends = vec(sum(weights, dims=2)) .- [ESDIRK_RATIONALS.a[S]...; ESDIRK_RATIONALS.gamma]
println("largest difference from the method at t = 1: ", Float64(maximum(abs, ends)))
