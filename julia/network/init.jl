# Random parameters.

"""
    glorot_normal(rng, nout, nin)

W = randn(nout, nin) sqrt(2/(nin + nout)). Source: Glorot and Bengio, AISTATS 2010, equation 12 in variance.
"""
glorot_normal(rng::AbstractRNG, nout::Integer, nin::Integer) = randn(rng, nout, nin) .* sqrt(2 / (nin + nout))

"""
    glorot_uniform(rng, nout, nin)

W uniform in ±sqrt(6/(nin + nout)). Source: Glorot and Bengio, AISTATS 2010, equation 16.
"""
glorot_uniform(rng::AbstractRNG, nout::Integer, nin::Integer) = (rand(rng, nout, nin) .- 0.5) .* (2 * sqrt(6 / (nin + nout)))

"""
    random_params([rng = Random.GLOBAL_RNG,] net; distr_fn = glorot_normal) -> Params

Random parameters for `net` (or a vector of layers): weights from `distr_fn(rng, nout, nin)`, biases 0.
"""
random_params(net; kwargs...) = random_params(Random.GLOBAL_RNG, net; kwargs...)
random_params(rng::AbstractRNG, net::Net; kwargs...) = random_params(rng, net.layers; kwargs...)

function random_params(rng::AbstractRNG, layers::Vector{Layer}; distr_fn = glorot_normal)
    return params(((distr_fn(rng, l.nout, l.nin), l.bias ? zeros(l.nout) : nothing) for l in layers)...)
end
