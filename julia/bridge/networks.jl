# The client's networks: made from plain data, kept by key, with the order of their parameters and one objective each.

"""
    Network(net, layers, order)

A client's network. `net` is a `Net`, or `nothing` for layers without data (a teacher). The last objective is kept: its scratch space is what
makes a call without allocations possible.
"""
mutable struct Network
    net::Any
    layers::Vector{Layer}
    order::Vector{Int}
    objective::Any
    settings::Any           # (maxnorm, merge) of that objective
end

Network(net, layers) = Network(net, layers, python_order(layers), nothing, nothing)

function network(call::Call)
    networks = call.session.networks
    key = call.arguments["net"]
    haskey(networks, key) || throw(KeyError("network $key, which is not here"))
    return networks[key]::Network
end

parameters(call::Call, n::Network) = from_python(call.arguments["p"], n.order)

"""
    client_objective(call, n::Network) -> NetObjective

The objective that the call asks for, with its `maxnorm` and `merge` (0-based in the client, 1-based here).
"""
function client_objective(call::Call, n::Network)
    settings = objective_settings(call)
    if n.objective === nothing || n.settings != settings
        n.objective = new_objective(n, settings)
        n.settings = settings
    end
    return n.objective
end

const NO_PENALTIES = (Inf, nothing)

objective_settings(call::Call) =
    (Float64(get(call.arguments, "maxnorm", Inf)), shifted_merge(get(call.arguments, "merge", nothing)))

new_objective(n::Network, settings) = training_objective(n.net, default_losstype(n.net), settings...)

shifted_merge(::Nothing) = nothing
function shifted_merge(merge)
    layer, (i, j), lambda = merge
    return (layer + 1, (i + 1, j + 1), Float64(lambda))
end

"""
    make_layers(description) -> Vector of (k, f, has_bias)

Layers from `{width, activation, bias}`, where an activation is a name, `{poly: coefficients}`,
`{name, f, deriv, second_deriv}` (Julia expressions), or a list of these, one a neuron.
"""
make_layers(description) =
    [(layer["width"], make_activation(layer["activation"]), layer["bias"]) for layer in description]

make_activation(name::String) = activation(name)
make_activation(list::AbstractVector) = map(make_activation, list)

function make_activation(d::AbstractDict)
    haskey(d, "poly") && return Poly(d["poly"]...)
    return get!(USER_ACTIVATIONS, (d["name"], d["f"], d["deriv"], d["second_deriv"])) do
        f, df, ddf = (user_function(d["name"], part, d[part]) for part in ("f", "deriv", "second_deriv"))
        Base.invokelatest(check_slope, d["name"], "deriv", df, "f", f)
        Base.invokelatest(check_slope, d["name"], "second_deriv", ddf, "deriv", df)
        UserActivation(d["name"], f, df, ddf)
    end
end

# A wrong derivative would lead to a point that is no minimum, silently. Three places at which no usual function has a
# kink, and a tolerance far above the error of central differences (of order h^2, and rounding eps |f|/h).
function check_slope(name, df_name, df, f_name, f)
    h = 1e-5
    for x in (-0.937, 0.311, 1.173)
        slope, claimed = (f(x + h) - f(x - h)) / 2h, df(x)
        isfinite(slope) || continue
        abs(slope - claimed) <= 1e-4 * (1 + abs(slope)) || throw(ArgumentError(
            "activation \"$name\": expected $df_name to be the derivative of $f_name, which is " *
            "$(round(slope; sigdigits=6)) at $x, got $claimed"))
    end
end

# The same text is compiled once.
const USER_ACTIVATIONS = Dict{NTuple{4,String},Any}()

function user_function(name::String, part::String, source::String)
    f = try
        Core.eval(Main, Meta.parse(source))
    catch e
        throw(ArgumentError("activation \"$name\": expected a Julia function such as x -> x^2 for $part, " *
                            "got \"$source\", which fails: $(readable(io -> showerror(io, e), e))"))
    end
    y = try
        Base.invokelatest(f, 0.5)
    catch e
        throw(ArgumentError("activation \"$name\": $part = \"$source\" cannot be called with 0.5: " *
                            readable(io -> showerror(io, e), e)))
    end
    y isa Real || throw(ArgumentError("activation \"$name\": expected $part(0.5) to be a real number, got $(repr(y))"))
    return f
end

# Class labels are counted from 0 in the client and from 1 here.
shifted_target(labels::AbstractVector{<:Integer}) = labels .+ 1
shifted_target(target) = target
