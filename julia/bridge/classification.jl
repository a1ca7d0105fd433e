# The kind of a point for a client, parameters in the client's order, layers and neurons counted from 0.

HANDLERS["classify"] = function (call)
    n = network(call)
    a = call.arguments
    growth, tauinv = get(a, "growth", nothing), get(a, "tauinv", nothing)
    c = classify_network(client_objective(call, n), parameters(call, n); min_gnorm = a["min_gnorm"],
                         tauinv = tauinv isa AbstractVector ? from_python(tauinv, n.order) : tauinv,
                         growth = growth === nothing ? Float64[] : from_python(growth, n.order))
    return describe_classification(c, n.order)
end

describe_classification(c::Classification, order) = Dict{String,Any}(
    "kind" => replace(String(c.kind), "_" => " "), "index" => c.index, "flat_dimension" => c.flat_dimension,
    "eigenvalues" => c.eigenvalues, "rounding" => c.levels, "gnorm" => c.gnorm, "gnorm_rounding" => c.gnorm_rounding,
    "flat_loss" => String(c.flat_loss), "direction" => isempty(c.direction) ? nothing : to_python(c.direction, order),
    "neurons" => [Any[l - 1, i - 1] for (l, i) in c.neurons], "loss" => c.loss, "limit" => c.limit,
    "message" => explain(c; first = 0))
