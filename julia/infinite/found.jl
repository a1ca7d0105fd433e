# What was found on infinite data: kinds of points as on samples.

"""
    classify(net::NetI, p; maxnorm = Inf, merge = nothing, tauinv = nothing, min_gnorm = 0.0, growth = Float64[]) -> Classification

As for a `Net`.
"""
function classify(net::NetI, p; maxnorm::Real = Inf, merge = nothing, tauinv = nothing, min_gnorm::Real = 0.0,
                  growth::AbstractVector = Float64[])
    o = objective(net; maxnorm = maxnorm, merge = merge)
    return classify_network(o, flat_params(net, p); tauinv = tauinv, min_gnorm = min_gnorm, growth = growth)
end

# Outputs of student and teacher are of the size R, the root of the largest term of the loss, and their expectations have errors of
# a few units of that: they take the place of the residuals in the errors of a sum of squares (landscape/rounding.jl).
function evaluation_errors(o::InfiniteObjective, x::AbstractVector, loss::Float64, H::AbstractMatrix, u::Float64)
    value(o, x)                                 # renews the size of the terms
    resolution = loss_resolution(o)
    slopes = [sqrt(2 * (resolution / u) * abs(H[i, i])) for i in eachindex(x)]
    return (value = PLAIN_UNITS * resolution, gradient = (PLAIN_UNITS * u) .* slopes, hessian = PLAIN_UNITS * u * norm(H))
end

runaway_directions(o::InfiniteObjective, x) = neuron_directions(o.layers, x)

function with_neurons(c::Classification, o::InfiniteObjective)
    c.kind === :infinity && append!(c.neurons, dominant_neurons(o.layers, c.direction))
    return c
end
