# What users call on a NetI.

objective(net::NetI; maxnorm::Real = Inf, merge = nothing) = InfiniteObjective(net; maxnorm = maxnorm, merge = merge)

loss(net::NetI, p; kwargs...) = value(objective(net; kwargs...), flat_params(net, p))

gradient(net::NetI, p; kwargs...) = Params(net, gradient!(zeros(nparams(net)), net, p; kwargs...))

function gradient!(g::AbstractVector, net::NetI, p; kwargs...)
    length(g) == nparams(net) || throw(DimensionMismatch("expected a gradient of length $(nparams(net)), got $(length(g))"))
    return gradient!(g, objective(net; kwargs...), flat_params(net, p))
end

hessian(net::NetI, p; kwargs...) = hessian!(zeros(nparams(net), nparams(net)), net, p; kwargs...)

function hessian!(H::AbstractMatrix, net::NetI, p; kwargs...)
    P = nparams(net)
    size(H) == (P, P) || throw(DimensionMismatch("expected a Hessian of size ($P, $P), got $(size(H))"))
    return hessian!(H, objective(net; kwargs...), flat_params(net, p))
end

function value_and_gradient(net::NetI, p; kwargs...)
    g = zeros(nparams(net))
    v = value_gradient!(g, objective(net; kwargs...), flat_params(net, p))
    return v, Params(net, g)
end

function hvp(net::NetI, p, v::AbstractVecOrMat; kwargs...)
    V = collect(Float64, v)
    return hvp!(zero(V), objective(net; kwargs...), flat_params(net, p), V)
end

hessian_spectrum(net::NetI, p; kwargs...) = eigen(Symmetric(hessian(net, p; kwargs...)))

"""
    train(net::NetI, p = nothing; kwargs...) -> Dict

As for a `Net`, with the keywords of its `train`, but `losstype`, and `batchsize`: there are no samples to choose from. The keys "input",
"target" and "weights" are `nothing`, "teacher" holds the teacher's parameters.
"""
train(net::NetI, p = nothing; kwargs...) = train_network(net, p; kwargs...)

default_losstype(net::NetI) = MSE()
training_objective(net::NetI, ::MSE, maxnorm, merge) = objective(net; maxnorm = maxnorm, merge = merge)
training_objective(net::NetI, loss::AbstractLoss, maxnorm, merge) =
    throw(ArgumentError("infinite data: expected losstype = MSE(), got $(loss_name(loss))"))
training_data(net::NetI) = ("input" => nothing, "target" => nothing, "weights" => nothing, "teacher" => params2dict(net.teacher.p))

"""
    evaluators(net::NetI, p) -> Dict(method => (pairs = number, error = estimate))

How the pairs of neurons (student with student, student with teacher) are integrated at `p` for value, gradient and Hessian: `:closed`,
`:exponential`, `:constant`, `:line`, `:hermite` or `:nested`; and for each the largest estimated error, relative to the root mean
squares of the two factors, rounding not counted.
"""
function evaluators(net::NetI, p)
    o = objective(net)
    place_student!(o, flat_params(net, p))
    found = Dict{Symbol,NamedTuple{(:pairs, :error),Tuple{Int,Float64}}}()
    for k in 1:o.K, l in k:length(o.neurons)
        M = pair!(o.moments, o, k, l, 2)
        old = get(found, M.method, (pairs = 0, error = 0.0))
        found[M.method] = (pairs = old.pairs + 1, error = max(old.error, M.error))
    end
    return found
end

function fingerprint(o::InfiniteObjective, x0::Vector{Float64})
    describe(layers) = map(layer_text, layers)
    return Dict{String,Any}(
        "objective" => "InfiniteObjective", "parameters" => nparams(o), "inputs" => o.inputs.n, "layers" => describe(o.layers),
        "teacher layers" => describe(o.teacher.layers), "teacher" => checksum(o.teacher.p.flat), "losstype" => "mse",
        "mean" => checksum(o.inputs.mean), "covariance" => [Float64(v) for v in vec(o.inputs.root * o.inputs.root')],
        "maxnorm" => o.maxnorm.c, "merge" => merge_tuple(o.layers, o.merge),
        "activations" => vcat(own_activations(o.layers), own_activations(o.teacher.layers)))
end
