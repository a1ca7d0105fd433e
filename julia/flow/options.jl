# The keywords of `integrate`, checked.

"""
    FlowOptions

The checked keywords of `integrate`; see there.
"""
struct FlowOptions
    alg::Symbol
    maxT::Float64
    tolerance::Tolerance
    maxtime::Float64
    maxiterations::Int
    maxevaluations::Int
    min_gnorm::Float64
    minloss::Float64
    n_samples::Int
    dt0::Float64            # NaN: chosen
end

flow_algorithms() = [:auto; sort!(collect(keys(STEPPERS)))]

function FlowOptions(; alg, maxT, abstol, reltol, maxtime, maxiterations, maxevaluations, min_gnorm, minloss,
                     n_samples, dt0)
    algorithm = Symbol(alg)
    require(algorithm === :auto || haskey(STEPPERS, algorithm),
            "expected alg to be one of $(join(flow_algorithms(), ", ")), got $algorithm")
    require(maxT >= 0, "expected maxT >= 0, got $maxT")
    require(isfinite(abstol) && abstol > 0, "expected a positive abstol, got $abstol")
    require(isfinite(reltol) && reltol >= 0, "expected reltol >= 0, got $reltol")
    require(maxtime >= 0, "expected maxtime >= 0 seconds, got $maxtime")
    require(maxiterations >= 0, "expected maxiterations >= 0, got $maxiterations")
    require(maxevaluations >= 0, "expected maxevaluations >= 0, got $maxevaluations")
    require(min_gnorm >= 0, "expected min_gnorm >= 0, got $min_gnorm")
    require(!isnan(minloss), "expected a number for minloss, got NaN")
    require(n_samples >= 0, "expected n_samples >= 0, got $n_samples")
    require(dt0 === nothing || (isfinite(dt0) && dt0 > 0), "expected dt0 to be positive, got $dt0")
    return FlowOptions(algorithm, maxT, Tolerance(abstol, reltol), maxtime, maxiterations, maxevaluations,
                       min_gnorm, minloss, n_samples, dt0 === nothing ? NaN : dt0)
end

require(condition::Bool, message::String) = condition || throw(ArgumentError(message))

function checked_start(o::AbstractObjective, x0)
    require(length(x0) == nparams(o), "expected $(nparams(o)) starting parameters, got $(length(x0))")
    x = Vector{Float64}(vec(collect(x0)))
    bad = findfirst(!isfinite, x)
    bad === nothing || throw(ArgumentError("expected finite starting parameters, got $(x[bad]) at index $bad"))
    return x
end

function checked_tauinv(tauinv, P::Int)
    tauinv === nothing && return ones(P)
    tauinv isa Real && return checked_tauinv(fill(Float64(tauinv), P), P)
    require(length(tauinv) == P, "expected tauinv to be a number or one number for each of the $P parameters, got " *
            "$(length(tauinv))")
    values = Vector{Float64}(vec(collect(tauinv)))
    bad = findfirst(v -> !(isfinite(v) && v >= 0), values)
    bad === nothing || throw(ArgumentError("expected tauinv >= 0, got $(values[bad]) at index $bad"))
    return values
end

function checked_times(saveat, maxT::Float64)
    times = sort!(unique(Vector{Float64}(vec(collect(saveat)))))
    require(all(t -> isfinite(t) && 0 <= t <= maxT, times), "expected saveat times between 0 and maxT = $maxT")
    return filter(>(0), times)
end
