# The limited-memory BFGS direction, for numbers of parameters whose square does not fit.
#
# J. Nocedal, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35 (1980) 773-782;
# J. Nocedal, S. J. Wright, Numerical Optimization (2006), algorithm 7.4.

const LBFGS_MEMORY = 20

"""
    LBFGS(P)

Limited-memory BFGS direction for `P` parameters, from the last 20 steps: 40 P memory, O(P) work an iteration.
"""
mutable struct LBFGS <: AbstractDirection
    S::Vector{Vector{Float64}}      # steps and gradient differences, overwritten in turn
    Y::Vector{Vector{Float64}}
    sy::Vector{Float64}
    coefficient::Vector{Float64}
    count::Int                      # pairs kept
    newest::Int                     # index of the last pair
end

function LBFGS(P::Int)
    pairs() = [zeros(P) for _ in 1:LBFGS_MEMORY]
    return LBFGS(pairs(), pairs(), zeros(LBFGS_MEMORY), zeros(LBFGS_MEMORY), 0, 0)
end

SOLVERS[:lbfgs] = PlainSolver{:lbfgs}
requirements(::PlainSolver{:lbfgs}) = ()
make_method(::PlainSolver{:lbfgs}, o::AbstractObjective) = QuasiNewton(LBFGS(nparams(o)), nparams(o))

name(::LBFGS) = :lbfgs
fresh(b::LBFGS) = b.count == 0

function reset!(b::LBFGS)
    b.count = 0
    return nothing
end

function learn!(b::LBFGS, s::Vector{Float64}, y::Vector{Float64}, sy::Float64)
    b.newest = mod1(b.newest + 1, LBFGS_MEMORY)
    b.count = min(b.count + 1, LBFGS_MEMORY)
    copyto!(b.S[b.newest], s)
    copyto!(b.Y[b.newest], y)
    b.sy[b.newest] = sy
    return nothing
end

# d + a v, in place; axpy! of older Julia allocates its scalar.
function add_scaled!(d::Vector{Float64}, a::Float64, v::Vector{Float64})
    @inbounds @simd for i in eachindex(d)
        d[i] = muladd(a, v[i], d[i])
    end
    return d
end

# The two loops: back through the pairs, a scaling by the newest, and forth again.
function direction!(d::Vector{Float64}, b::LBFGS, g::Vector{Float64})
    @. d = -g
    b.count == 0 && return d
    for k in 0:b.count-1
        j = mod1(b.newest - k, LBFGS_MEMORY)
        b.coefficient[j] = dot(b.S[j], d) / b.sy[j]
        add_scaled!(d, -b.coefficient[j], b.Y[j])
    end
    rmul!(d, b.sy[b.newest] / dot(b.Y[b.newest], b.Y[b.newest]))
    for k in b.count-1:-1:0
        j = mod1(b.newest - k, LBFGS_MEMORY)
        add_scaled!(d, b.coefficient[j] - dot(b.Y[j], d) / b.sy[j], b.S[j])
    end
    return d
end
