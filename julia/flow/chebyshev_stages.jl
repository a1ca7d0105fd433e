# The stages of Runge, Kutta and Chebyshev, which the stabilized methods share.
#
# B. P. Sommeijer, L. F. Shampine, J. G. Verwer, "RKC: an explicit solver for parabolic PDEs", J. Comput. Appl. Math. 88
# (1998) 315-326: stage j is the polynomial a_j + b_j T_j(w0 + w1 z) of z = dt lambda, a_j = 1 - b_j T_j(w0), and of order
# 2 from j = 2 on with b_j = T_j''(w0) / T_j'(w0)^2 (b_0 = b_1 = b_2):
#
#     Y_1 = x + c1 dt f(x),   Y_j = x + mu_j (Y_{j-1} - x) + nu_j (Y_{j-2} - x) + dt (mut_j f(Y_{j-1}) + gat_j f(x)).

"""
    ChebyshevStage(w0, w1)

Stage 1. `next_stage` leads to the next one; fields hold T_j, T_j', T_j'' at w0 of this stage and of the one before, and
b of this stage and of the two before.
"""
struct ChebyshevStage
    w0::Float64
    w1::Float64
    t::NTuple{2,Float64}
    dt::NTuple{2,Float64}
    ddt::NTuple{2,Float64}
    b::NTuple{2,Float64}
end

# b_2 = T_2'' / T_2'^2 = 4 / (4 w0)^2.
ChebyshevStage(w0::Float64, w1::Float64) =
    ChebyshevStage(w0, w1, (w0, 1.0), (1.0, 0.0), (0.0, 0.0), (1 / (4 * w0^2), 1 / (4 * w0^2)))

# The coefficient c1 of stage 1.
first_coefficient(s::ChebyshevStage) = s.b[1] * s.w1

"""
    next_stage(s) -> stage, (mu, nu, mut, gat)

Stage j + 1 and its coefficients.
"""
function next_stage(s::ChebyshevStage)
    w0 = s.w0
    t = 2w0 * s.t[1] - s.t[2]
    dt = 2 * s.t[1] + 2w0 * s.dt[1] - s.dt[2]
    ddt = 4 * s.dt[1] + 2w0 * s.ddt[1] - s.ddt[2]
    b = ddt / dt^2
    mut = 2 * s.w1 * b / s.b[1]
    coefficients = (2w0 * b / s.b[1], -b / s.b[2], mut, -(1 - s.b[1] * s.t[1]) * mut)
    return ChebyshevStage(w0, s.w1, (t, s.t[1]), (dt, s.dt[1]), (ddt, s.ddt[1]), (b, s.b[1])), coefficients
end

# x + mu (y - x) + nu (before - x) + dt (mut f + gat f0), over `before`: one pass over memory.
function chebyshev_stage!(before::Vector{Float64}, y::Vector{Float64}, x::Vector{Float64}, f::Vector{Float64},
                          f0::Vector{Float64}, dt::Float64, c::NTuple{4,Float64})
    mu, nu, mut, gat = c[1], c[2], dt * c[3], dt * c[4]
    @inbounds @simd ivdep for i in eachindex(x)
        before[i] = x[i] + (mu * (y[i] - x[i]) + nu * (before[i] - x[i]) + (mut * f[i] + gat * f0[i]))
    end
    return before
end
