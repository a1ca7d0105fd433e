# loss, gradient and hessian of a network, as users call them.

const OBJECTIVE_KEYWORDS = """
- `losstype`: `MSE()` or `CrossEntropy()`; the network's own when not given.
- `maxnorm = c`: adds (n - c)^3/3 for n = |p|^2/(2P) > c. `merge = (layer, (i, j), lambda)`: adds lambda/2 |row_i - row_j|^2
  of that layer's [W b].
- `input`, `target`, `weights`: other data than the network's.
"""

# The objective a call is about; other data makes another network.
function objective(net::Net{T}; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing, input = nothing,
                   target = nothing, weights = nothing) where {T}
    if input !== nothing || target !== nothing || weights !== nothing || typeof(losstype) !== typeof(net.losstype)
        net = Net(layers = layer_specification(net.layers), losstype = losstype, precision = T,
                  input = input === nothing ? inputs(net) : input, target = target === nothing ? targets(net) : target,
                  weights = weights === nothing && input === nothing ? net.weights : weights,
                  signed_weights = has_negative_weights(net.samples))
    end
    return NetObjective(net; losstype = losstype, maxnorm = maxnorm, merge = merge)
end

"""
    loss(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, input, target, weights) -> Float64

The mean loss 1/N sum_n w_n |f(x_n; p) - y_n|^2 (or the mean cross-entropy) plus penalties, at parameters `p`: `Params`, a
flat vector of length P, or a dictionary "w1" => [W1 b1], ...

$OBJECTIVE_KEYWORDS
"""
loss(net::Net, p; kwargs...) = value(objective(net; kwargs...), flat_params(net, p))

"""
    gradient(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, input, target, weights) -> Params

The gradient of [`loss`](@ref), in the shape of the parameters (length P).
"""
gradient(net::Net, p; kwargs...) = Params(net, gradient!(zeros(nparams(net)), net, p; kwargs...))

"""
    gradient!(g, net, p; kwargs...) -> g

Write the gradient of [`loss`](@ref) into `g` (length P). For many calls make a `NetObjective` once and use
`gradient!(g, objective, x)`, which does not allocate.
"""
function gradient!(g::AbstractVector, net::Net, p; kwargs...)
    length(g) == nparams(net) || throw(DimensionMismatch("expected a gradient of length $(nparams(net)), got $(length(g))"))
    return gradient!(g, objective(net; kwargs...), flat_params(net, p))
end

"""
    hessian(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, input, target, weights) -> Matrix (P x P)

The exact Hessian of [`loss`](@ref) in the order of the flat parameter vector.
"""
hessian(net::Net, p; kwargs...) = hessian!(zeros(nparams(net), nparams(net)), net, p; kwargs...)

"""
    hessian!(H, net, p; kwargs...) -> H

Write the Hessian of [`loss`](@ref) into `H` (P x P), both triangles. For many calls make a `NetObjective` once and use
`hessian!(H, objective, x)`, which does not allocate.
"""
function hessian!(H::AbstractMatrix, net::Net, p; kwargs...)
    P = nparams(net)
    size(H) == (P, P) || throw(DimensionMismatch("expected a Hessian of size ($P, $P), got $(size(H))"))
    return hessian!(H, objective(net; kwargs...), flat_params(net, p))
end

"""
    value_and_gradient(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, input, target, weights) -> (Float64, Params)

[`loss`](@ref) and its gradient from one pass over the data.
"""
function value_and_gradient(net::Net, p; kwargs...)
    g = zeros(nparams(net))
    v = value_gradient!(g, objective(net; kwargs...), flat_params(net, p))
    return v, Params(net, g)
end

"""
    hvp(net, p, v; losstype = net.losstype, maxnorm = Inf, merge = nothing, input, target, weights) -> Vector or Matrix

The product of the Hessian of [`loss`](@ref) with `v`: a vector of length P or a block of vectors (P x m). No P x P matrix is
made: the cost is about two gradients a vector.
"""
function hvp(net::Net, p, v::AbstractVecOrMat; kwargs...)
    V = collect(Float64, v)
    return hvp!(zero(V), objective(net; kwargs...), flat_params(net, p), V)
end

"""
    residuals(net, p; input, target) -> Matrix (Dout x N)

f(x_n; p) - y_n for every sample.
"""
function residuals(net::Net, p; kwargs...)
    o = objective(net; kwargs...)
    return residuals!(zeros(noutputs(net), o.samples.n), o, flat_params(net, p))
end

"""
    jacobian(net, p; input, target) -> Array (P x Dout x N)

The derivatives of the outputs f(x_n; p), and so of the residuals, with respect to the parameters.
"""
function jacobian(net::Net, p; kwargs...)
    o = objective(net; kwargs...)
    return jacobian!(zeros(nparams(net), noutputs(net), o.samples.n), o, flat_params(net, p))
end

"""
    gauss_newton(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, input, target, weights) -> Matrix (P x P)

The Gauss-Newton matrix sum_n J_n' Q_n J_n, with J_n the Jacobian of the outputs of sample n and Q_n the second derivative of
its loss with respect to them (2 w_n/N for the squared error, w_n/N (diag(q) - q q'), q = softmax, for the cross-entropy), plus the
Hessians of the penalties.
"""
gauss_newton(net::Net, p; kwargs...) =
    gauss_newton!(zeros(nparams(net), nparams(net)), objective(net; kwargs...), flat_params(net, p))

"""
    gauss_newton_product(net, p, v; kwargs...) -> Vector or Matrix

The product of [`gauss_newton`](@ref) with `v` (length P, or P x m), without the matrix.
"""
function gauss_newton_product(net::Net, p, v::AbstractVecOrMat; kwargs...)
    V = collect(Float64, v)
    return gauss_newton_product!(zero(V), objective(net; kwargs...), flat_params(net, p), V)
end

"""
    hessian_spectrum(net, p; kwargs...) -> Eigen

Eigenvalues (ascending) and eigenvectors (columns) of the Hessian of [`loss`](@ref).
"""
hessian_spectrum(net::Net, p; kwargs...) = eigen(Symmetric(hessian(net, p; kwargs...)))
