# The loss of a network as a mathematical function of its parameters, the Float64 data taken as exact numbers.

"""
    AbstractExactLoss

A loss as a mathematical function, with `nparams`, `exact_value_gradient!` and `exact_hessian!` for vectors of `DoubleDouble` and of `Ball`.
"""
abstract type AbstractExactLoss end

"""
    ExactLoss(net::Net; losstype = net.losstype, maxnorm = Inf, merge = nothing)
    ExactLoss(o::NetObjective)

The function L(p) = 1/N sum_n w_n loss(f(x_n; p), y_n) + penalties, for evaluation in double-double arithmetic or with all
errors bounded. Data, weights, `maxnorm`, the strength of `merge` and the coefficients of polynomials are the numbers that
they are in Float64. An objective with sample weights keeps w_n/N alone, rounded, and then these are taken as exact.
"""
struct ExactLoss{L<:AbstractLoss} <: AbstractExactLoss
    layers::Vector{Layer}
    offsets::Vector{Int}                        # parameters before a layer's in the flat vector
    input::Matrix{Float64}                      # Din x N
    target::Matrix{Float64}                     # Dout x N
    weights::Vector{Float64}                    # N, or none
    divisor::Float64
    loss::L
    maxnorm::MaxNorm
    merge::Merge
end

function ExactLoss(net::Net; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing)
    o = objective(net; losstype = losstype, maxnorm = maxnorm, merge = merge)
    weights = net.weights === nothing ? Float64[] : collect(Float64, net.weights)
    return ExactLoss(o, weights, Float64(o.samples.n))
end

function ExactLoss(o::NetObjective)
    n, coefficient = o.samples.n, collect(Float64, o.samples.coefficient)
    all(==(eltype(o.samples.coefficient)(1.0 / n)), coefficient) && return ExactLoss(o, Float64[], Float64(n))
    return ExactLoss(o, coefficient, 1.0)
end

function ExactLoss(o::NetObjective, weights::Vector{Float64}, divisor::Float64)
    offsets = cumsum(vcat(0, map(nparams, o.layers)))[1:end-1]
    columns_of(rows) = collect(Float64, permutedims(rows))
    return ExactLoss(o.layers, offsets, columns_of(o.samples.input[:, 1:o.layers[1].nin]), columns_of(o.samples.target), weights,
                     divisor, o.loss, o.maxnorm, o.merge)
end

nparams(o::ExactLoss) = nparams(o.layers)
nsamples(o::ExactLoss) = size(o.input, 2)

"""
    ExactLayer{T}

What one sample leaves in one layer: activations `a` (with a last 1 where the next layer has a bias), f', f'', the derivative
of the loss with respect to `a` (`e`) and to the pre-activation (`delta`), and a tangent of each for second derivatives.
"""
struct ExactLayer{T}
    z::Vector{T}
    a::Vector{T}
    d1::Vector{T}
    d2::Vector{T}
    e::Vector{T}
    delta::Vector{T}
    zdot::Vector{T}
    adot::Vector{T}
    edot::Vector{T}
    deltadot::Vector{T}
end

function ExactLayer{T}(width::Int, next_has_bias::Bool) where {T}
    block() = zeros(T, width)
    a = next_has_bias ? vcat(block(), one(T)) : block()
    return ExactLayer{T}(block(), a, block(), block(), block(), block(), block(), block(), block(), block())
end

"""
    ExactWork{T}(o::ExactLoss)

The scratch memory of one thread: layers, the input of a sample (with a last 1 for a bias), the output's second derivatives,
the probabilities of a cross-entropy.
"""
struct ExactWork{T}
    layers::Vector{ExactLayer{T}}
    input::Vector{T}
    Q::Matrix{T}
    q::Vector{T}                                # Q column by column, the same memory
    p::Vector{T}
end

function ExactWork{T}(o::ExactLoss) where {T}
    L = length(o.layers)
    layers = [ExactLayer{T}(o.layers[l].nout, l < L && o.layers[l+1].bias) for l in 1:L]
    Dout = o.layers[end].nout
    Q = zeros(T, Dout, Dout)
    return ExactWork{T}(layers, ones(T, columns(o.layers[1])), Q, vec(Q), zeros(T, Dout))
end

layer_input(work::ExactWork, l::Int) = l == 1 ? work.input : work.layers[l-1].a

# The inputs of sample n, exact, in front of the 1 for a bias.
function load_sample!(work::ExactWork{T}, o::ExactLoss, n::Int) where {T}
    @inbounds for j in axes(o.input, 1)
        work.input[j] = T(o.input[j, n])
    end
end

# The samples of one thread and, in it, of one sum: sums of sums lose fewer digits, and their bounds grow less.
const SAMPLES_A_SUM = 64
const SAMPLES_WORTH_A_THREAD = 200

exact_parts(o::ExactLoss) = part_count(nsamples(o), SAMPLES_WORTH_A_THREAD, cld(nsamples(o), SAMPLES_A_SUM))
sum_samples(o::ExactLoss, k::Int) = (k - 1) * SAMPLES_A_SUM + 1:min(k * SAMPLES_A_SUM, nsamples(o))
