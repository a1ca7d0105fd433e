# Beyond Float64 on infinite data: digits and proofs.

"""
    polish(net::NetI, p; maxnorm = Inf, merge = nothing, min_gnorm = 1e-20, maxiterations = 30) -> Polished
    polish(o::InfiniteObjective, x; min_gnorm = 1e-20, maxiterations = 30) -> Polished

As for a `Net`, where all expectations have closed forms (see [`ExactInfiniteLoss`](@ref)); an `ArgumentError` names an
activation without one.
"""
polish(net::NetI, p; maxnorm::Real = Inf, merge = nothing, kwargs...) =
    polish(objective(net; maxnorm = maxnorm, merge = merge), flat_params(net, p); kwargs...)

polish(o::InfiniteObjective, x::AbstractVector; kwargs...) = polish(ExactInfiniteLoss(o), o, x; kwargs...)

"""
    certify(net::NetI, p; maxnorm = Inf, merge = nothing) -> Certificate
    certify(o::InfiniteObjective, x) -> Certificate

As for a `Net`, where all expectations have closed forms (see [`ExactInfiniteLoss`](@ref)); anything else is refused. `relu` may be
proved, too: its expectations are analytic but where neurons are parallel, or have no weights. (Its neurons can be scaled
without changing the network: without `maxnorm` all its critical points are degenerate.)
"""
certify(net::NetI, p; maxnorm::Real = Inf, merge = nothing) =
    certify(objective(net; maxnorm = maxnorm, merge = merge), flat_params(net, p))

function certify(o::InfiniteObjective, x::AbstractVector)
    odd = without_closed_form(o)
    odd === nothing || return refusal(collect(Float64, x), no_closed_form(odd))
    return certify(ExactInfiniteLoss(o), o, x)
end

function loss_bound(exact::ExactInfiniteLoss, x::Vector{DoubleDouble}, loss::DoubleDouble)
    value = exact_value_gradient!(zeros(Ball, length(x)), exact, map(Ball, x))
    return isfinite(value.rad) && isfinite(value.mid) ? (value.mid, value.rad) : (loss, NaN)
end
