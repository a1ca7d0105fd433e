# The squared error of a network as a sum of squares.

# Rules with negative weights make no sum of squares.
isleastsquares(o::NetObjective) = o.loss isa MSE && !has_negative_weights(o.samples)
has_products(::NetObjective) = true
commensurable(::NetObjective) = true

nresiduals(o::NetObjective) = size(o.samples.target, 2) * o.samples.n

function weighted_residuals!(r::AbstractVector, o::NetObjective, x::AbstractVector)
    require_squares(o)
    outputs = size(o.samples.target, 2)
    residuals!(reshape(r, outputs, o.samples.n), o, x)
    for i in eachindex(r)
        r[i] *= sqrt(o.samples.coefficient[cld(i, outputs)])
    end
    return r
end

function weighted_jacobian!(J::AbstractMatrix, o::NetObjective{T}, x::AbstractVector) where {T}
    require_squares(o)
    outputs = size(o.samples.target, 2)
    rows = jacobian!(zeros(T, nparams(o), outputs, o.samples.n), o, x)
    for n in 1:o.samples.n, k in 1:outputs
        root = sqrt(o.samples.coefficient[n])
        for p in axes(J, 2)
            J[(n-1)*outputs+k, p] = root * rows[p, k, n]
        end
    end
    return J
end

require_squares(o::NetObjective) = isleastsquares(o) ||
    throw(ArgumentError("expected the loss MSE() without negative weights, a sum of squares, got " *
                        (o.loss isa MSE ? "negative weights" : "$(typeof(o.loss))()")))
