# Calls for products with directions, the Jacobian and the Gauss-Newton matrix.

HANDLERS["value_gradient"] = function (call)
    n = network(call)
    g = Vector{Float64}(undef, length(n.order))
    v = value_gradient!(g, client_objective(call, n), parameters(call, n))
    return Dict("value" => v, "gradient" => to_python(g, n.order))
end

HANDLERS["hvp"] = call -> python_product(hvp!, call)
HANDLERS["gauss_newton_product"] = call -> python_product(gauss_newton_product!, call)

# A direction is a vector (length P); a block of m, P x m in Python, arrives as m x P.
function python_product(product!, call::Call)
    n = network(call)
    V = directions_from_python(call.arguments["v"], n.order)
    out = product!(similar(V), client_objective(call, n), parameters(call, n), V)
    return directions_to_python(out, n.order)
end

directions_from_python(v::AbstractVector, order) = from_python(v, order)
directions_from_python(V::AbstractMatrix, order) =
    hcat((from_python(V[i, :], order) for i in axes(V, 1))...)

directions_to_python(v::AbstractVector, order) = to_python(v, order)
directions_to_python(V::AbstractMatrix, order) = permutedims(to_python(V, order))

HANDLERS["gauss_newton"] = function (call)
    n = network(call)
    P = length(n.order)
    return symmetric_to_python(gauss_newton!(Matrix{Float64}(undef, P, P), client_objective(call, n), parameters(call, n)), n.order)
end

HANDLERS["residuals"] = function (call)
    n = network(call)
    o = client_objective(call, n)
    return residuals!(Matrix{Float64}(undef, noutputs(n.net), o.samples.n), o, parameters(call, n))
end

HANDLERS["jacobian"] = function (call)
    n = network(call)
    o = client_objective(call, n)
    J = Array{Float64,3}(undef, length(n.order), noutputs(n.net), o.samples.n)
    return jacobian!(J, o, parameters(call, n))[n.order, :, :]
end
