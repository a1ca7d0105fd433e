# Certificates: a proof, with every rounding error bounded, that exactly one critical point of the exact loss lies in a ball.
#
#     bounds.jl       upper bounds of sums and products, matrices of balls
#     inverse.jl      an approximate inverse of a Hessian and its defect
#     spectrum.jl     proved bounds of eigenvalues
#     contraction.jl  the proof for one box
#     radius.jl       which boxes to try
#     certificate.jl  the result
#     certify.jl      from a network to a certificate

include("bounds.jl")
include("inverse.jl")
include("spectrum.jl")
include("contraction.jl")
include("radius.jl")
include("certificate.jl")

# How far from a critical point, in the 2-norm, a point may be that stands for it: a minimum moved by 1e-3, or by a
# thousandth of its size, is refused in whatever direction.
const NEARNESS = 5e-4

"""
    certify(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing) -> Certificate
    certify(o::NetObjective, x) -> Certificate

Prove that exactly one critical point of the loss lies within a radius of `p`, and find its index, or say why not.

The loss is the mathematical function of the data, weights and settings, the numbers that they are in Float64 (see
[`ExactLoss`](@ref)). The point `p` must stand for a critical point: it is polished first (see [`polish`](@ref)), and refused
when that moves it, or Newton's step would, by more than $NEARNESS in the 2-norm (or $NEARNESS times its own 2-norm, if that is
below 1), or when an eigenvalue of the Hessian cannot be told from 0 in Float64. Every activation must be analytic: `relu`, `selu` and
user-made ones are refused. The cost is a handful of Hessians in ball arithmetic, of about 20 ns P^2 N/2 each.
"""
function certify(net::Net, p; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing)
    exact = ExactLoss(net; losstype = losstype, maxnorm = maxnorm, merge = merge)
    return certify(exact, double_objective(net; losstype = losstype, maxnorm = maxnorm, merge = merge), flat_params(net, p))
end

certify(o::NetObjective, x::AbstractVector) = certify(ExactLoss(o), o, x)

function certify(exact::AbstractExactLoss, o::AbstractObjective, x0::AbstractVector)
    length(x0) == nparams(o) || throw(DimensionMismatch("expected $(nparams(o)) parameters, got $(length(x0))"))
    x = collect(Float64, x0)
    objection = not_enclosed(exact)
    objection === nothing || return refusal(x, objection)
    run = PolishRun(exact, map(DoubleDouble, x))
    objection = no_critical_point(run, o)
    objection === nothing || return refusal(x, objection)
    answer = refusal(x, "")
    for gnorm in PROOF_GNORMS
        refine!(run, o, gnorm, POLISH_DEFAULTS.maxiterations)
        moved = norm(map(leading, run.x .- x))
        moved <= nearness(x) || return refusal(x, too_far(moved, x))
        answer = prove(exact, run.x, x)
        answer.proved && break
    end
    return answer
end

# What the gradient norm is brought down to: enough but for Hessians that are almost singular, which need all there is.
const PROOF_GNORMS = (1e-26, 0.0)

# Why the derivatives of a loss cannot be enclosed, or `nothing`.
not_enclosed(exact::AbstractExactLoss) = nothing

function not_enclosed(exact::ExactLoss)
    for layer in exact.layers, f in layer.activations
        isanalytic(f) || return "The activation $(activation_name(f)) is not analytic, or its derivatives are not known here."
    end
    return nothing
end

nearness(x::Vector{Float64}) = NEARNESS * min(1.0, norm(x))

too_far(moved::Float64, x) = "This is not a critical point: the nearest one found is $(shown(moved)) away (2-norm), and more than " *
    "$(shown(nearness(x))) is not taken for rounding; train or polish first."

# Why there is no isolated critical point at the start of `run`, as far as Float64 can tell, or `nothing`.
function no_critical_point(run::PolishRun, o::AbstractObjective)
    isfinite(run.loss) && isfinite(run.gnorm) || return "The loss or its gradient is not finite here."
    factors = spectral_factors!(zeros(length(run.x), length(run.x)), o, run)
    factors === nothing && return "The Hessian is not finite here."
    level, least = rounding_level(factors.values), minimum(abs, factors.values)
    newton, near = norm(spectral_step(factors, map(leading, run.g), level)), nearness(map(leading, run.x))
    newton <= near || return "This is not a critical point: |grad| = $(shown(run.gnorm)), and Newton's step to one has length " *
                             "$(shown(newton)) (2-norm), more than the $(shown(near)) that is taken for rounding; train or polish first."
    least > level ||
        return "The Hessian is singular to rounding (its smallest |eigenvalue| is $(shown(least)), rounding $(shown(level))): a degenerate critical point."
    return nothing
end

function prove(exact::AbstractExactLoss, centre::Vector{DoubleDouble}, x::Vector{Float64})
    P = length(x)
    g = zeros(Ball, P)
    exact_value_gradient!(g, exact, map(Ball, centre))
    H = box_hessian(exact, centre, zeros(P))
    all(h -> isfinite(leading(h)), H) || return refusal(centre, "The Hessian's bounds are not finite here.")
    inverse = ApproximateInverse(H)
    b = map(magnitude, vec(ball_product(inverse.A, reshape(g, P, 1))))
    small = smallest_box(exact, centre, inverse, b)
    small.proved || return refusal(centre, no_contraction(small))
    lower, upper = eigenvalue_bounds(small.H)
    least, level = smallest_eigenvalue(lower, upper), P * eps() * max(-lower[1], upper[end])
    least > level || return refusal(centre, "The Hessian is singular to rounding: its smallest |eigenvalue| is proved to be above " *
                                            "$(shown(least)) only, and rounding is $(shown(level)).")
    ball = largest_ball(exact, centre, inverse, b, small)
    ball === nothing && return refusal(centre, "A critical point is near, but no ball could be proved to hold no other one.")
    return certificate(ball, maximum(small.error), centre, x, lower, upper, least, maximum(map(magnitude, g)))
end

no_contraction(c::Contraction) = isfinite(c.q) ?
    "No contraction: even in a box of size $(shown(maximum(c.rho))) the Hessian's inverse times its variation is $(shown(c.q)), " *
    "not below 1; the critical point is too close to a degenerate one." :
    "The bounds of the Hessian are not finite."

# `error` is that of the smallest box. Every side of `ball` is at least twice as long, so that the only critical point of the
# one is the only one of the other.
function certificate(ball::Contraction, error::Float64, centre, x, lower, upper, least, gnorm)
    P = length(x)
    index, kind = count(<(0), upper), kind_of(count(<(0), upper), P)
    radius = minimum(ball.rho)
    distance = upward(maximum(magnitude(Ball(centre[i]) - x[i]) for i in 1:P) + error)
    what = kind === :saddle ? "saddle of index $index" : "strict $kind"
    reason = "Exactly one critical point lies within $(shown(radius)) of the centre: a $what, within $(shown(error)) of it."
    return Certificate(true, reason, map(leading, centre), [c.lo for c in centre], radius, error, distance, index, kind, lower,
                       upper, least, ball.q, gnorm)
end
