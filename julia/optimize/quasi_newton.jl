# Quasi-Newton methods: a direction learned from gradients, and a line search along it.

"""
    AbstractDirection

A source of descent directions that learns from the steps taken. A subtype `D` has a constructor `D(P::Int)` and methods of

    name(b)::Symbol                 what `OptimResult.algorithm` says
    reset!(b)                       forget everything: the next direction is -g
    fresh(b)::Bool                  nothing has been learned yet
    direction!(d, b, g) -> d        write the direction at gradient g into d
    learn!(b, s, y, sy)             take in the step s that changed the gradient by y; sy = s'y is positive
"""
abstract type AbstractDirection end

"""
    QuasiNewton(direction, P)

The method that searches along `direction`: one or two gradients an iteration.
"""
mutable struct QuasiNewton{D<:AbstractDirection} <: AbstractMethod
    direction::D
    d::Vector{Float64}
    s::Vector{Float64}
    y::Vector{Float64}
    search::LineSearch
end

QuasiNewton(direction::AbstractDirection, P::Int) = QuasiNewton(direction, zeros(P), zeros(P), zeros(P), LineSearch())

name(m::QuasiNewton) = name(m.direction)
iteration_cost(::QuasiNewton) = 1
stepsize(m::QuasiNewton) = m.search.alpha * norm(m.d)
prepare!(m::QuasiNewton, run::OptimRun) = reset!(m.direction)

function iterate!(m::QuasiNewton, run::OptimRun)
    direction!(m.d, m.direction, run.g)
    dot(run.g, m.d) < 0 || return start_again!(m, run)
    first = fresh(m.direction) ? min(1.0, max(1.0, norm(run.x)) / norm(run.g)) : 1.0
    if !search!(m.search, run, m.d, first)
        return m.search.loss == -Inf ? :diverged : start_again!(m, run)
    end
    @. m.s = run.xnew - run.x
    @. m.y = run.gnew - run.g
    sy = dot(m.s, m.y)
    sy > eps() * norm(m.s) * norm(m.y) && learn!(m.direction, m.s, m.y, sy)
    return move_on!(run, m.search.loss)
end

# A direction that fails is forgotten; when steepest descent fails too, that is the end, unless the budget was.
function start_again!(m::QuasiNewton, run::OptimRun)
    fresh(m.direction) && evaluations(run) < run.options.maxevaluations && return rounding_reason(run)
    reset!(m.direction)
    return :rejected
end
