# The method of Broyden, Fletcher, Goldfarb and Shanno, with a dense inverse.
#
# J. Nocedal, S. J. Wright, Numerical Optimization (2006), 6.1; first scaling: (6.20).

"""
    BFGS(P)

BFGS for `P` parameters: P^2 memory, O(P^2) work an iteration besides the gradients.
"""
mutable struct BFGS <: AbstractMethod
    B::Matrix{Float64}              # inverse Hessian approximation; only the upper triangle is used
    d::Vector{Float64}
    s::Vector{Float64}
    y::Vector{Float64}
    By::Vector{Float64}
    search::LineSearch
    fresh::Bool                     # B is the identity
end

BFGS(P::Int) = BFGS(zeros(P, P), zeros(P), zeros(P), zeros(P), zeros(P), LineSearch(), true)

name(::BFGS) = :bfgs
iteration_cost(::BFGS) = 1
stepsize(m::BFGS) = m.search.alpha * norm(m.d)

prepare!(m::BFGS, run::OptimRun) = set_identity!(m, 1.0)

function set_identity!(m::BFGS, factor::Float64)
    fill!(m.B, 0.0)
    for i in axes(m.B, 1)
        m.B[i, i] = factor
    end
    m.fresh = true
    return nothing
end

function iterate!(m::BFGS, run::OptimRun)
    BLAS.symv!('U', -1.0, m.B, run.g, 0.0, m.d)
    if !(dot(run.g, m.d) < 0)
        m.fresh && return :stalled
        set_identity!(m, 1.0)
        return :rejected
    end
    first = m.fresh ? min(1.0, max(1.0, norm(run.x)) / norm(run.g)) : 1.0
    if !search!(m.search, run, m.d, first)
        m.search.loss == -Inf && return :diverged
        m.fresh && evaluations(run) < run.options.maxevaluations && return rounding_reason(run)
        set_identity!(m, 1.0)
        return :rejected
    end
    @. m.s = run.xnew - run.x
    @. m.y = run.gnew - run.g
    update_inverse!(m)
    return move_on!(run, m.search.loss)
end

# B + s w' + w s' with w = ((1 + y'By/s'y) s/2 - By) / s'y: the BFGS update of the inverse in one pass over a triangle.
function update_inverse!(m::BFGS)
    sy = dot(m.s, m.y)
    sy > eps() * norm(m.s) * norm(m.y) || return nothing
    m.fresh && set_identity!(m, sy / dot(m.y, m.y))
    m.fresh = false
    BLAS.symv!('U', 1.0, m.B, m.y, 0.0, m.By)
    factor = 0.5 * (1 + dot(m.y, m.By) / sy)
    w = m.By
    @. w = (factor * m.s - m.By) / sy
    @inbounds for j in axes(m.B, 2)
        sj, wj = m.s[j], w[j]
        @simd for i in 1:j
            m.B[i, j] += m.s[i] * wj + w[i] * sj
        end
    end
    return nothing
end
