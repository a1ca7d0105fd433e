# Networks with infinitely many samples, as far as quadrature can have them: the nodes are the data.

"""
    NormalSource <: DataSource

What the data of a quadrature net stand for: the distribution of its inputs, the rule, and the function that makes targets.
"""
struct NormalSource <: DataSource
    distribution::NormalInput
    rule::QuadratureRule
    target::Any
end

"""
    gauss_hermite_net(teacher, student; mean = nothing, covariance = nothing, rule = :auto, N = nothing, level = nothing,
                      points = 2^14, seed = 0, prune = true, threshold = nothing) -> Net
    gauss_hermite_net(teacher, layers; Din, losstype = MSE(), precision = Float64, ...) -> Net

A `Net` whose loss is the expectation E |f(x; p) - teacher(x)|^2 over normal inputs (standard ones unless `mean`, of length
Din, or `covariance`, Din x Din, also singular, is given) by quadrature: inputs are nodes, sample weights quadrature weights.
Everything that takes a `Net` takes it.

- `teacher`: a `TeacherNet` or any function from inputs (Din x N) to targets (Dout x N, or a vector of N)
- `student`: a `Net`, whose layers and loss are taken, or the layers
- `rule`, in d dimensions (the rank of the covariance): `:tensor`, Gauss-Hermite with `N` nodes an axis (600 for d <= 2), without
  the nodes of a weight below `threshold` (0 for d = 1, 1e-18 for d = 2, 1000 times more for each further dimension; `prune = false`:
  all are kept); `:smolyak`, a sparse grid of this `level` (some weights are negative, and so may the loss be where the grid is
  too coarse); `:qmc`, scrambled Sobol points, as many as `points`, with `seed`; `:auto`: `:tensor` for d <= 2, from 3 to 6 the rule
  with the smallest error of E |teacher|^2 (the sparse grid only if it is 10 times better), `:qmc` beyond. Where `N` or
  `level` is not given, there are as many nodes as `points` allow.

[`integration_error`](@ref) tells how far its loss is from the expectation.
"""
gauss_hermite_net(target, student::Net{T}; kwargs...) where {T} =
    gauss_hermite_net(target, layer_specification(student.layers); Din = ninputs(student), losstype = student.losstype,
                      precision = T, kwargs...)

function gauss_hermite_net(target, layers; Din = inputs_of_target(target), losstype::AbstractLoss = MSE(), precision::Type = Float64,
                           mean = nothing, covariance = nothing, kwargs...)
    Din === nothing && (Din = mean isa AbstractVector ? length(mean) : covariance isa AbstractArray ? size(covariance, 1) :
        throw(ArgumentError("gauss_hermite_net: expected Din, the number of inputs, got none")))
    distribution = NormalInput(Din; mean = mean, covariance = covariance)
    rules = candidate_rules(rank_of(distribution); kwargs...)
    rule = best_rule(r -> second_moments(target, distribution, r), rules)
    return quadrature_net(NormalSource(distribution, rule, target), layers, losstype, precision)
end

inputs_of_target(target) = nothing
inputs_of_target(teacher::TeacherNet) = teacher.layers[1].nin

function data_of(distribution::NormalInput, rule::QuadratureRule)
    z, w = rule_nodes(rule, rank_of(distribution))
    return inputs_of(distribution, z), w
end

# E |teacher|^2 in the coordinates of the rule and in turned ones, which change nothing but the rule's view of it: sums of functions
# of single inputs are exact for some rules, and a student is none.
function second_moments(target, distribution::NormalInput, rule::QuadratureRule)
    z, w = rule_nodes(rule, rank_of(distribution))
    return [mean_square(target(inputs_of(distribution, x)), w) for x in (z, reflected(z))]
end

mean_square(y::AbstractVector, w) = sum(w .* abs2.(y))
mean_square(y::AbstractMatrix, w) = sum(w .* vec(sum(abs2, y; dims = 1)))

# Householder's reflection along a direction that is special to no grid.
function reflected(z::Matrix{Float64})
    v = sqrt.(1.0:size(z, 1))
    return z .- (2 / dot(v, v)) .* v .* (v' * z)
end

function quadrature_net(source::NormalSource, layers, losstype::AbstractLoss, precision::Type)
    x, w = data_of(source.distribution, source.rule)
    return Net(; layers = layers, input = x, target = source.target(x), weights = length(w) .* w, losstype = losstype,
               precision = precision, signed_weights = true, source = source)
end

"""
    integration_error(net, p; of = loss, kwargs...) -> Float64 or array

How far `of(net, p; kwargs...)`, the loss, gradient or Hessian of a quadrature net, is from the expectation, by
[`integration_estimate`](@ref).
"""
integration_error(net::Net, p; kwargs...) = integration_estimate(net, p; kwargs...).error

"""
    integration_estimate(net, p; of = loss, kwargs...) -> IntegralEstimate

The loss of a net made by [`gauss_hermite_net`](@ref), or any other function `of(net, p; kwargs...)` that gives a number or an
array, with an estimate of its error. Quadrature: twice the distance from the value of a finer rule, with half as many nodes more
an axis or four levels more. Quasi-Monte Carlo: the distance from the mean of 8 other scrambles, plus three times the standard error of
this mean. The other nodes are new data, so that an error made by a fit to the nodes of the net shows. `refined` is the value there.
"""
function integration_estimate(net::Net{T}, p; of = loss, kwargs...) where {T}
    source = net.source
    source isa NormalSource ||
        throw(ArgumentError("expected a net made by gauss_hermite_net, got one with data of its own"))
    x, layers = flat_params(net, p), layer_specification(net.layers)
    other(rule) = quadrature_net(NormalSource(source.distribution, rule, source.target), layers, net.losstype, T)
    found(n) = flat_entries(of(n, x; kwargs...))
    return compare_rules(source.rule, found(net), [found(other(rule)) for rule in check_rules(source.rule)])
end

flat_entries(value) = value
flat_entries(g::Params) = g.flat
