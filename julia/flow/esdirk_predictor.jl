# Where Newton's iteration starts in each stage.
#
# Polynomials through the stages at hand predict the slow part of the flow but not its decaying exponentials. What is left of
# the gradient when its linear part is taken away, N(t) = g(X(t)) - H X(t), has lost them. So N is extrapolated, and the
# linear part solved exactly: with z and k the same linear combinations of the increments z_j and of the k_j = -dt tauinv g_j
# of the chosen stages, the predicted increment is z + d, where
#
#     M d = (k - (z - base)/gamma) / (dt tauinv).
#
# That is one Newton correction at z with an extrapolated gradient. Measured in flows of networks, this is 10 to 100 times
# nearer to the stage than the extrapolation of k, and costs no gradient. The stages of the combination are those that were
# best in the median over such flows, with Hessians of this and of earlier steps.

# Stages of this step, and of the last one (there only 1, 2 and 5 are kept).
const PREDICTOR_STAGES = ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), (2, 3, 5), (3, 5, 6))
const PREDICTOR_PAST = ((), (1, 2, 3), (2, 3), (3,), (), (), ())
const PAST_STAGES = (1, 2, 5)

# Lagrange's weights for the value at t from values at `nodes`.
lagrange(t::Float64, nodes::NTuple{N,Float64}) where {N} =
    ntuple(j -> lagrange_weight(t, nodes, j), Val(N))

function lagrange_weight(t::Float64, nodes::NTuple{N,Float64}, j::Int) where {N}
    w = 1.0
    for m in 1:N
        m == j || (w *= (t - nodes[m]) / (nodes[j] - nodes[m]))
    end
    return w
end

# Writes z into `z` and k into `k`.
function extrapolate!(z::Vector{Float64}, k::Vector{Float64}, s, dt::Float64, ::Val{S}) where {S}
    stages = PREDICTOR_STAGES[S]
    zs, ks = map(j -> s.z[j], stages), map(j -> s.k[j], stages)
    nodes = map(j -> ESDIRK_C[j], stages)
    if s.dt_past > 0
        past, ratio = PREDICTOR_PAST[S], dt / s.dt_past
        w = lagrange(ESDIRK_C[S], (nodes..., map(j -> (ESDIRK_C[PAST_STAGES[j]] - 1) / ratio, past)...))
        scaled = (map(j -> 1.0, stages)..., map(j -> ratio, past)...)
        combine!(z, w, (zs..., map(j -> s.past_z[j], past)...))
        combine!(k, w .* scaled, (ks..., map(j -> s.past_k[j], past)...))
    else
        w = lagrange(ESDIRK_C[S], nodes)
        combine!(z, w, zs)
        combine!(k, w, ks)
    end
    return nothing
end

function combine!(y::Vector{Float64}, a::NTuple{M,Float64}, k::NTuple{M,Vector{Float64}}) where {M}
    @inbounds @simd ivdep for i in eachindex(y)
        y[i] = combine(a, k, i)
    end
    return y
end

function predict!(s, problem::FlowProblem, dt::Float64, stage::Val{S}) where {S}
    z, r, k = s.z[S], s.r, s.point
    extrapolate!(z, k, s, dt, stage)
    fill!(r, 0.0)
    @inbounds for i in problem.moving
        r[i] = (k[i] - (z[i] - s.base[i]) / ESDIRK_GAMMA) / (dt * problem.tauinv[i])
    end
    guess!(r, s.solver, problem, dt)
    @inbounds @simd for i in eachindex(z)
        z[i] += r[i]
    end
    return z
end
