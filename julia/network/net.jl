# A network: layers together with the data it is fitted to.

"""
    DataSource

What the data of a network stand for, when not just for themselves: the nodes of a quadrature, for instance.
"""
abstract type DataSource end

"""
    Net(; layers, input, target, weights = nothing, losstype = MSE(), Din = size(input, 1),
          precision = Float64, signed_weights = false, source = nothing, bias_adapt_input = true, derivs = 2, copy_input = true, verbosity = 1)

A multi-layer perceptron with its data.

- `layers`: tuple or vector of `(k, f, has_bias)`: neurons, activation (or one a neuron, in a vector), bias. The last `k` may
  be `nothing`: as many as `target` has rows.
- `input`: Din x N. `target`: Dout x N, or, with `CrossEntropy()`, N labels 1..K.
- `weights`: N sample weights >= 0, or `nothing`. With `signed_weights = true` they may be negative, as those of sparse grids are.
- `source`: what the data stand for, a `DataSource`, or `nothing` when just for themselves.
- `precision`: `Float64`, or `Float32` for evaluations in single precision (parameters and results stay `Float64` vectors).
- `losstype`: what `loss`, `gradient`, `hessian` and `train` take when not told otherwise.

The last four keywords are accepted for scripts written for other packages and have no effect: data is always
copied, in the layout of the kernels. Throws a `DimensionMismatch` or an `ArgumentError` that names expected and actual.
`net(p)` gives the outputs (Dout x N), `net(p, input)` those for other inputs.
"""
struct Net{T<:AbstractFloat,L<:AbstractLoss}
    layers::Vector{Layer}
    samples::Samples{T}
    losstype::L
    weights::Union{Nothing,Vector{T}}
    source::Union{Nothing,DataSource}
end

function Net(; layers, input::AbstractMatrix, target, weights = nothing, losstype::AbstractLoss = MSE(),
             Din::Integer = size(input, 1), precision::Type{T} = Float64, signed_weights::Bool = false,
             source::Union{Nothing,DataSource} = nothing, bias_adapt_input = true, derivs = 2, copy_input = true,
             verbosity = 1) where {T<:AbstractFloat}
    size(input, 1) == Din || throw(DimensionMismatch("expected $Din rows of input, got $(size(input, 1))"))
    isempty(layers) && throw(ArgumentError("expected at least one layer (k, f, has_bias), got none"))
    last_width = last(layers)[1]
    matrix = target_matrix(losstype, target, last_width)
    check_data(input, matrix, weights, signed_weights)
    check_target(losstype, matrix)
    built = build_layers(layers, Din, size(matrix, 1))
    stored = weights === nothing ? nothing : collect(T, weights)
    samples = Samples{T}(input, matrix, weights, built[1].bias)
    return Net{T,typeof(losstype)}(built, samples, losstype, stored, source)
end

nparams(layers::Vector{Layer}) = sum(nparams, layers)
nparams(net::Net) = nparams(net.layers)
ninputs(net::Net) = net.layers[1].nin
noutputs(net::Net) = net.layers[end].nout

"""
    inputs(net) -> Matrix (Din x N)
    targets(net) -> Matrix (Dout x N)

The data of a network (copies). Labels come back as one-hot columns.
"""
inputs(net::Net) = permutedims(net.samples.input[:, 1:ninputs(net)])
targets(net::Net) = permutedims(net.samples.target)

Params(net::Net, flat::AbstractVector) = Params(net.layers, flat)

# Any way of writing parameters, as a flat vector; throws when length or shapes do not fit.
function flat_params(layers::Vector{Layer}, p::Params)
    expected = Tuple{Int,Int}[(l.nout, columns(l)) for l in layers]
    p.shapes == expected || throw(DimensionMismatch("expected parameters of the shapes $expected, got $(p.shapes)"))
    return collect(Float64, p.flat)
end
function flat_params(layers::Vector{Layer}, p::AbstractVector{<:Real})
    length(p) == nparams(layers) ||
        throw(DimensionMismatch("expected $(nparams(layers)) parameters, got $(length(p))"))
    return collect(Float64, p)
end
flat_params(layers::Vector{Layer}, p::AbstractDict) = flat_params(layers, params(p))
flat_params(net::Net, p) = flat_params(net.layers, p)

(net::Net)(p) = network_output(net, flat_params(net, p))
(net::Net)(p, input::AbstractMatrix) = network_output(net.layers, flat_params(net, p), input)

function Base.show(io::IO, ::MIME"text/plain", net::Net)
    println(io, "Net with ", nparams(net), " parameters, ", net.samples.n, " samples, loss ", loss_name(net.losstype))
    print_layers(io, net.layers)
end

function print_layers(io::IO, layers)
    print(io, "  ", layers[1].nin, " inputs")
    for l in layers
        names = unique(map(activation_name, l.activations))
        print(io, "\n  ", l.nout, " ", join(names, ", "), l.bias ? ", bias" : ", no bias")
    end
end
