# One sample through the network and back, for any kind of number.

# z = [W b] a
function exact_product!(z::Vector{T}, x::Vector{T}, offset::Int, a::Vector{T}, n::Int, d::Int) where {T}
    @inbounds for i in 1:n
        s = x[offset+i] * a[1]
        for j in 2:d
            s += x[offset+(j-1)*n+i] * a[j]
        end
        z[i] = s
    end
end

# e = W' delta
function exact_transposed_product!(e::Vector{T}, x::Vector{T}, offset::Int, delta::Vector{T}, n::Int, nin::Int) where {T}
    @inbounds for j in 1:nin
        s = x[offset+(j-1)*n+1] * delta[1]
        for i in 2:n
            s += x[offset+(j-1)*n+i] * delta[i]
        end
        e[j] = s
    end
end

# Reached by one dynamic dispatch on the activation.
function exact_activate!(f::F, layer::ExactLayer, first::Int, last::Int) where {F}
    @inbounds for i in first:last
        layer.a[i], layer.d1[i], layer.d2[i] = enclosed_derivatives(f, layer.z[i])
    end
    return nothing
end

function exact_forward!(work::ExactWork{T}, o::ExactLoss, x::Vector{T}) where {T}
    for l in eachindex(o.layers)
        layer, tile = o.layers[l], work.layers[l]
        exact_product!(tile.z, x, o.offsets[l], layer_input(work, l), layer.nout, columns(layer))
        for run in layer.runs
            exact_activate!(run.f, tile, run.first, run.last)
        end
    end
end

function exact_backward!(work::ExactWork{T}, o::ExactLoss, x::Vector{T}) where {T}
    for l in length(o.layers):-1:1
        layer, tile = o.layers[l], work.layers[l]
        @inbounds for i in 1:layer.nout
            tile.delta[i] = tile.e[i] * tile.d1[i]
        end
        l > 1 && exact_transposed_product!(work.layers[l-1].e, x, o.offsets[l], tile.delta, layer.nout, layer.nin)
    end
end

@inline weighted(o::ExactLoss, n::Int, x) = isempty(o.weights) ? x : o.weights[n] * x

"""
    exact_loss_adjoint!(loss, work, o, n) -> loss of sample n

Write the derivative of the weighted loss of sample `n` with respect to the output into `e` of the last layer.
"""
function exact_loss_adjoint!(::MSE, work::ExactWork{T}, o::ExactLoss, n::Int) where {T}
    tile, value = work.layers[end], zero(T)
    @inbounds for k in axes(o.target, 1)
        r = tile.a[k] - o.target[k, n]
        value += r * r
        tile.e[k] = weighted(o, n, scaled(r, 2.0))
    end
    return weighted(o, n, value)
end

# With gaps from the largest output: s log(sum_k exp(-gap_k)) + sum_k y_k gap_k for targets y of sum s. The loss does not
# depend on which output the gaps are counted from, so that its own gap is 0 exactly.
function exact_loss_adjoint!(::CrossEntropy, work::ExactWork{T}, o::ExactLoss, n::Int) where {T}
    tile, p = work.layers[end], work.p
    K = length(p)
    top = argmax_leading(tile.a, K)
    total, linear, s = zero(T), zero(T), zero(T)
    @inbounds for k in 1:K
        gap = tile.a[top] - tile.a[k]
        p[k] = k == top ? one(T) : exponential(-gap)
        total += p[k]
        s += o.target[k, n]
        k == top || o.target[k, n] == 0 || (linear += gap * o.target[k, n])
    end
    @inbounds for k in 1:K
        p[k] = p[k] / total
        tile.e[k] = weighted(o, n, s * p[k] - o.target[k, n])
    end
    return weighted(o, n, s * logarithm(total) + linear)
end

function argmax_leading(a::Vector, K::Int)
    top = 1
    for k in 2:K
        leading(a[k]) > leading(a[top]) && (top = k)
    end
    return top
end

"""
    exact_loss_curvature!(loss, work, o, n)

Write the second derivative of the weighted loss of sample `n` with respect to the output into `work.Q`. After
`exact_loss_adjoint!`.
"""
function exact_loss_curvature!(::MSE, work::ExactWork{T}, o::ExactLoss, n::Int) where {T}
    fill!(work.Q, zero(T))
    for k in axes(work.Q, 1)
        work.Q[k, k] = weighted(o, n, 2.0 * one(T))
    end
end

function exact_loss_curvature!(::CrossEntropy, work::ExactWork{T}, o::ExactLoss, n::Int) where {T}
    p, s = work.p, zero(T)
    for k in eachindex(p)
        s += o.target[k, n]
    end
    for j in eachindex(p), k in eachindex(p)
        outer = -(p[k] * p[j])
        work.Q[k, j] = weighted(o, n, s * (k == j ? p[k] + outer : outer))
    end
end
