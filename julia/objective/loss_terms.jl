# The losses on a tile: value, derivative with respect to the network output, and the second derivative, both as a sum of
# squares (for the rank-k form of the Gauss-Newton matrix) and as a matrix (for the folded form).

"""
    loss_value(loss, f, y, c, k) -> T
    loss_adjoint!(e, loss, f, y, c, k) -> T

The loss of tile `k`: outputs `f` (tile x Dout), targets `y[:, :, k]`, coefficients `c[:, k]` = w_n/N. The second form also
writes the derivative with respect to `f` into `e`.
"""
function loss_value(::MSE, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int) where {T}
    s = zero(T)
    for o in axes(y, 2)
        @inbounds @simd for t in axes(y, 1)
            r = f[t, o] - y[t, o, k]
            s = muladd(c[t, k] * r, r, s)
        end
    end
    return s
end

function loss_adjoint!(e::Matrix{T}, loss::MSE, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int) where {T}
    for o in axes(y, 2)
        @inbounds @simd ivdep for t in axes(y, 1)
            e[t, o] = 2 * c[t, k] * (f[t, o] - y[t, o, k])
        end
    end
    return loss_value(loss, f, y, c, k)
end

# -sum_k y_k log softmax(f)_k = s (max f + log sum exp(f - max f)) - sum_k y_k f_k with s = sum_k y_k. Classes with y_k = 0
# contribute nothing, also when f_k is large. The difference is taken class by class, f_max - f_k, so that large common
# offsets of the logits cancel exactly.
function cross_entropy(f, y, t, k)
    K = size(y, 2)
    top = f[t, 1]
    @inbounds for j in 2:K
        top = ifelse(f[t, j] > top || isnan(f[t, j]), f[t, j], top)
    end
    total, linear, s = zero(top), zero(top), zero(top)
    @inbounds for j in 1:K
        total += vexp(f[t, j] - top)
        y[t, j, k] == 0 || (linear = muladd(y[t, j, k], top - f[t, j], linear))
        s += y[t, j, k]
    end
    return muladd(s, log(total), linear), top, total, s
end

function loss_value(::CrossEntropy, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int) where {T}
    value = zero(T)
    for t in axes(y, 1)
        value += c[t, k] * cross_entropy(f, y, t, k)[1]
    end
    return value
end

function loss_adjoint!(e::Matrix{T}, ::CrossEntropy, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int) where {T}
    value = zero(T)
    for t in axes(y, 1)
        v, top, total, s = cross_entropy(f, y, t, k)
        value += c[t, k] * v
        @inbounds for j in axes(y, 2)
            e[t, j] = c[t, k] * (s * vexp(f[t, j] - top) / total - y[t, j, k])
        end
    end
    return value
end

"""
    loss_root!(e, loss, f, y, c, k, r)

Column `r` of a root of the second derivative Q of the loss with respect to the output, Q = sum_r e_r e_r', r = 1..Dout:
sqrt(2c) times a unit vector for the squared error, sqrt(c s p_r) (unit vector r - p) for the cross-entropy.
"""
function loss_root!(e::Matrix{T}, ::MSE, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int, r::Int) where {T}
    fill!(e, 0)
    @inbounds for t in axes(y, 1)
        e[t, r] = sqrt(2 * c[t, k])
    end
end

function loss_root!(e::Matrix{T}, ::CrossEntropy, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int, r::Int) where {T}
    for t in axes(y, 1)
        _, top, total, s = cross_entropy(f, y, t, k)
        p = vexp(f[t, r] - top) / total
        root = sqrt(c[t, k] * s * p)
        @inbounds for j in axes(y, 2)
            e[t, j] = root * ((j == r) - vexp(f[t, j] - top) / total)
        end
    end
end

"""
    loss_curvature!(Q, loss, f, y, c, k)

The second derivative of the loss with respect to the output, Q (tile x Dout x Dout).
"""
function loss_curvature!(Q::Array{T,3}, ::MSE, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int) where {T}
    fill!(Q, 0)
    @inbounds for o in axes(y, 2), t in axes(y, 1)
        Q[t, o, o] = 2 * c[t, k]
    end
end

function loss_curvature!(Q::Array{T,3}, ::CrossEntropy, f::Matrix{T}, y::Array{T,3}, c::Matrix{T}, k::Int) where {T}
    for t in axes(y, 1)
        _, top, total, s = cross_entropy(f, y, t, k)
        @inbounds for j in axes(y, 2)
            pj = vexp(f[t, j] - top) / total
            for i in axes(y, 2)
                pi = vexp(f[t, i] - top) / total
                Q[t, i, j] = c[t, k] * s * ((i == j) * pi - pi * pj)
            end
        end
    end
end
