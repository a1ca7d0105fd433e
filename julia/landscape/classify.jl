# What kind of point has been found.

"""
    Classification

- `kind`: `:minimum` (strict), `:saddle`, `:degenerate` (critical, no eigenvalue is negative, some are zero), `:infinity` (the loss
  falls while parameters run away) or `:not_critical`
- `index`: number of eigenvalues that are negative beyond rounding; `flat_dimension`: number that cannot be told from zero
- `eigenvalues`, `levels`: those not positive beyond rounding and the smallest that is, and what each is compared with
- `gnorm`, `gnorm_rounding`: infinity norm of the gradient, and the largest norm that is rounding
- `flat_loss`: what the loss does along the flat directions: `:level`, `:rises`, `:falls`; `:unknown` where it was not looked at
- `direction`: (length P, or empty) along which the loss falls: to infinity, on flat ground, or of most negative curvature
- `neurons`: `(layer, neuron)` that run away; empty when the objective is no network's
- `loss`: at the point; `limit`: at the end of the way to infinity, NaN when there is none
"""
struct Classification
    kind::Symbol
    index::Int
    flat_dimension::Int
    eigenvalues::Vector{Float64}
    levels::Vector{Float64}
    gnorm::Float64
    gnorm_rounding::Float64
    flat_loss::Symbol
    direction::Vector{Float64}
    neurons::Vector{Tuple{Int,Int}}
    loss::Float64
    limit::Float64
end

"""
    classify(o::AbstractObjective, x; min_gnorm = 0.0, growth = Float64[], directions = []) -> Classification

What kind of point `x` (length P) is.

- `min_gnorm`: a gradient norm up to this counts as zero, besides one at the rounding level of this loss
- `growth`, `directions`: directions (length P) in which parameters may run away, such as the `growth` of a `FlowResult`
"""
function classify(o::AbstractObjective, x::AbstractVector; min_gnorm::Real = 0.0, growth::AbstractVector = Float64[],
                  directions = Vector{Float64}[])
    length(x) == nparams(o) || throw(DimensionMismatch("expected $(nparams(o)) parameters, got $(length(x))"))
    require(min_gnorm >= 0, "expected min_gnorm >= 0, got $min_gnorm")
    p = picture(o, collect(Float64, x); min_gnorm = min_gnorm)
    p === nothing && return nonfinite(o, collect(Float64, x))
    p.critical && !isempty(falling(p)) && return classification(:saddle, p; direction = p.Q[:, 1])
    p.critical && isempty(flat(p)) && return classification(:minimum, p)
    away = runaway(o, p, collect(Float64, growth), directions)
    away === nothing || return classification(:infinity, p; direction = away.direction, limit = away.losses[end])
    p.critical || return classification(:not_critical, p)
    flat_loss, along = loss_along_flat(o, p)
    return classification(:degenerate, p; flat_loss = flat_loss, direction = flat_loss === :falls ? along : Float64[])
end

function classification(kind::Symbol, p::Picture; flat_loss = :unknown, direction = Float64[], limit = NaN)
    chosen = sort!(vcat(falling(p), flat(p), rising(p)[1:min(end, 1)]))
    return Classification(kind, length(falling(p)), length(flat(p)), p.lambda[chosen], p.levels[chosen], gnorm(p),
                          gnorm_rounding(p), flat_loss, direction, Tuple{Int,Int}[], p.loss, limit)
end

function nonfinite(o, x)
    g = zero(x)
    loss = value_gradient!(g, o, x)
    return Classification(:not_critical, 0, 0, Float64[], Float64[], infinity_norm(g), NaN, :unknown, Float64[],
                          Tuple{Int,Int}[], loss, NaN)
end

"""
    classify(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, tauinv = nothing, min_gnorm = 0.0,
             growth = Float64[]) -> Classification

What kind of point of the loss of a network `p` is; parameters whose `tauinv` is 0 are frozen.
"""
function classify(net::Net, p; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing, tauinv = nothing,
                  min_gnorm::Real = 0.0, growth::AbstractVector = Float64[])
    o = objective(net; losstype = losstype, maxnorm = maxnorm, merge = merge)
    return classify_network(o, flat_params(net, p); tauinv = tauinv, min_gnorm = min_gnorm, growth = growth)
end

"""
    classify(net, run::Training; losstype = net.losstype, maxnorm = Inf, merge = nothing) -> Classification

What kind of point a run has found: its frozen parameters, its tolerance and the direction in which its flow drifted are taken over.
"""
function classify(net::Net, run::Training; kwargs...)
    growth = run.flow === nothing ? Float64[] : run.flow.growth
    return classify(net, run.x; tauinv = run.options[:tauinv], min_gnorm = run.options[:min_gnorm], growth = growth, kwargs...)
end

function classify_network(o::AbstractObjective, x::Vector{Float64}; tauinv = nothing, min_gnorm = 0.0, growth = Float64[])
    free = free_indices(tauinv, length(x))
    isempty(free) && throw(ArgumentError("classify: expected at least one parameter that is not frozen, got tauinv = 0 for all"))
    return classify_free(o, x, free; min_gnorm = min_gnorm, growth = growth)
end

# The parameters that are not in `free` are frozen.
function classify_free(o::AbstractObjective, x::Vector{Float64}, free::Vector{Int}; min_gnorm = 0.0, growth = Float64[])
    ways = runaway_directions(o, x)
    length(free) == length(x) && return with_neurons(classify(o, x; min_gnorm = min_gnorm, growth = growth, directions = ways), o)
    restricted = RestrictedObjective(o, x, free)
    c = classify(restricted, x[free]; min_gnorm = min_gnorm, growth = isempty(growth) ? growth : growth[free],
                 directions = [d[free] for d in ways])
    full = isempty(c.direction) ? c.direction : zeros(length(x))
    isempty(full) || (full[free] = c.direction)
    return with_neurons(with_direction(c, full), o)
end

runaway_directions(o::AbstractObjective, x) = Vector{Float64}[]
runaway_directions(o::NetObjective, x) = neuron_directions(o.layers, x)

with_direction(c::Classification, d) =
    Classification(c.kind, c.index, c.flat_dimension, c.eigenvalues, c.levels, c.gnorm, c.gnorm_rounding, c.flat_loss, d,
                   c.neurons, c.loss, c.limit)

with_neurons(c::Classification, o::AbstractObjective) = c

function with_neurons(c::Classification, o::NetObjective)
    c.kind === :infinity && append!(c.neurons, dominant_neurons(o.layers, c.direction))
    return c
end

"""
    explain(c::Classification; first = 1) -> String

The classification in a sentence or two. Layers and neurons are counted from `first`.
"""
function explain(c::Classification; first::Int = 1)
    c.kind === :infinity && return explain_infinity(c, first)
    c.kind === :not_critical && return explain_not_critical(c)
    gradient = c.gnorm <= c.gnorm_rounding ? "the gradient norm $(short(c.gnorm)) is rounding (up to $(short(c.gnorm_rounding)) here)" :
        "the gradient norm $(short(c.gnorm)) is within the tolerance (rounding explains $(short(c.gnorm_rounding)))"
    smallest = "$(short(c.eigenvalues[1])) (rounding $(short(c.levels[1])))"
    c.kind === :minimum && return "A minimum: $gradient and the smallest eigenvalue is $smallest."
    c.kind === :saddle && return "A saddle of index $(c.index): $gradient and the smallest eigenvalue is $smallest" *
        (c.flat_dimension == 0 ? "." : "; $(c.flat_dimension) more cannot be told from 0.")
    return "A degenerate critical point: $gradient, no eigenvalue is negative, and $(c.flat_dimension) cannot be told from 0 " *
        "(rounding $(short(maximum(c.levels[1:c.flat_dimension])))). $(flat_sentence(c.flat_loss))"
end

flat_sentence(flat_loss::Symbol) =
    flat_loss === :level ? "In these directions the loss is level to rounding, as duplicate or dead neurons make it." :
    flat_loss === :rises ? "In these directions the loss rises at higher order: a minimum." :
    "In one of these directions the loss falls at higher order: no minimum."

function explain_infinity(c::Classification, first::Int)
    names = ["neuron $(i - 1 + first) of layer $(l - 1 + first)" for (l, i) in c.neurons]
    who = isempty(names) ? "parameters" : "the weights of " *
        (length(names) == 1 ? names[1] : join(names[1:end-1], ", ") * " and " * names[end])
    counted = isempty(names) || first == 1 ? "" : " (counted from $first)"
    return "At infinity: while $who$counted run away, the loss falls from $(short(c.loss)) by another " *
        "$(short(max(c.loss - c.limit, 0.0))), and the gradient norm, $(short(c.gnorm)) here, falls with it."
end

function explain_not_critical(c::Classification)
    isfinite(c.loss) && isfinite(c.gnorm) && isfinite(c.gnorm_rounding) ||
        return "Not a critical point: the loss or its derivatives are not finite here."
    return "Not a critical point: the gradient norm $(short(c.gnorm)) is $(short(c.gnorm / c.gnorm_rounding)) times what rounding " *
        "explains here ($(short(c.gnorm_rounding)))."
end

short(x::Real) = string(round(x; sigdigits = 3))

Base.show(io::IO, c::Classification) = print(io, "Classification(:", c.kind, "): ", explain(c))
