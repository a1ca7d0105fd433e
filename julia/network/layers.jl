# A layer: its sizes, its bias and the activation of each of its neurons.

"""
    ActivationRun(f, first, last)

The neurons `first:last` of a layer, which share the activation `f`. Mutable so that it is passed by reference and a
kernel called through dynamic dispatch allocates nothing.
"""
mutable struct ActivationRun
    f::Any
    first::Int
    last::Int
end

"""
    Layer(nin, nout, activations, bias)

A fully connected layer z = W a + b, followed by one activation a neuron. `activations` is one function or `nout` of them.
"""
struct Layer
    nin::Int
    nout::Int
    bias::Bool
    activations::Vector{Any}
    runs::Vector{ActivationRun}
end

function Layer(nin::Integer, nout::Integer, activations, bias::Bool)
    nout >= 1 || throw(ArgumentError("expected a layer of at least 1 neuron, got $nout"))
    list = activations isa Union{AbstractVector,Tuple} ? collect(Any, activations) : Any[activations for _ in 1:nout]
    length(list) == nout || throw(ArgumentError("expected one activation or $nout of them, one a neuron, got $(length(list))"))
    foreach(check_activation, list)
    return Layer(nin, nout, bias, list, activation_runs(list))
end

function check_activation(f)
    applicable(f, 0.5) || throw(ArgumentError("expected an activation that can be called with a number, got $(repr(f))"))
    has_builtin(f) && return
    deriv(f)         # throws a sentence that says which method is missing
    second_deriv(f)
    return
end

function activation_runs(list::Vector{Any})
    runs = ActivationRun[]
    for (i, f) in enumerate(list)
        if !isempty(runs) && runs[end].f === f
            runs[end].last = i
        else
            push!(runs, ActivationRun(f, i, i))
        end
    end
    return runs
end

# Columns of [W b].
columns(layer::Layer) = layer.nin + layer.bias

nparams(layer::Layer) = layer.nout * columns(layer)

is_identity(layer::Layer) = all(f -> f === identity, layer.activations)

"""
    build_layers(specification, Din, Dout) -> Vector{Layer}

Layers from tuples `(k, f, has_bias)`, where the last `k` may be `nothing` (= `Dout`). `Dout === nothing`: any width.
"""
function build_layers(specification, Din::Integer, Dout::Union{Integer,Nothing})
    isempty(specification) && throw(ArgumentError("expected at least one layer (k, f, has_bias), got none"))
    Din >= 1 || throw(ArgumentError("expected at least one input, got Din = $Din"))
    layers = Layer[]
    nin = Int(Din)
    for (l, entry) in enumerate(specification)
        length(entry) == 3 || throw(ArgumentError("layer $l: expected (k, f, has_bias), got $(repr(entry))"))
        k, f, bias = entry
        k = k === nothing && l == length(specification) ? Dout : k
        k isa Integer || throw(ArgumentError("layer $l: expected an integer number of neurons, got $(repr(k))"))
        push!(layers, Layer(nin, k, f, Bool(bias)))
        nin = Int(k)
    end
    Dout === nothing || layers[end].nout == Dout ||
        throw(DimensionMismatch("expected a last layer of $Dout neurons, one a row of target, got $(layers[end].nout)"))
    return layers
end

layer_specification(layers::Vector{Layer}) = Tuple((l.nout, compact_activations(l), l.bias) for l in layers)

compact_activations(l::Layer) = length(l.runs) == 1 ? l.activations[1] : copy(l.activations)
