# The losses on a tile: value, derivative with respect to the network output, and the second derivative in the three forms
# in which it is needed: as a sum of squares (rank-k form of the Gauss-Newton matrix), as a matrix (folded form), and
# applied to a tangent (products).

"""
    loss_value!(loss, ws) -> T
    loss_adjoint!(loss, ws) -> T

The loss of the tile in `ws`, sum_t c_t loss(f_t, y_t) with c = w/N. The second form also writes the derivative with respect
to the output into `e` of the last layer, and, for the cross-entropy, the softmax of the outputs into `ws.softmax`, which
`loss_root!`, `loss_curvature!` and `loss_tangent!` use.
"""
function loss_value!(::MSE, ws::Workspace{T}) where {T}
    f, y, c = output_tile(ws).a, ws.target, ws.coefficient
    s = zero(T)
    for o in axes(y, 2)
        @inbounds @simd for t in axes(y, 1)
            r = f[t, o] - y[t, o]
            s = muladd(c[t] * r, r, s)
        end
    end
    return s
end

function loss_adjoint!(loss::MSE, ws::Workspace)
    e, f, y, c = output_tile(ws).e, output_tile(ws).a, ws.target, ws.coefficient
    for o in axes(y, 2)
        @inbounds @streamed for t in axes(y, 1)
            e[t, o] = 2 * c[t] * (f[t, o] - y[t, o])
        end
    end
    return loss_value!(loss, ws)
end

# For a row y with sum s, -sum_k y_k log softmax(f)_k = s log(sum_k exp(f_k - top)) + sum_k y_k (top - f_k). The last
# differences are taken class by class, so that a large common offset of the logits cancels exactly, and classes with
# y_k = 0 contribute nothing however far away they are.
function loss_value!(::CrossEntropy, ws::Workspace{T}) where {T}
    softmax!(ws)
    y, c, total, linear, s = ws.target, ws.coefficient, 1, 2, 3
    f, column = output_tile(ws).a, ws.column
    value = zero(T)
    @inbounds for t in axes(y, 1)
        value += c[t] * muladd(column[t, s], log(column[t, total]), column[t, linear])
    end
    return value
end

function loss_adjoint!(loss::CrossEntropy, ws::Workspace)
    value = loss_value!(loss, ws)
    e, y, c, p, column = output_tile(ws).e, ws.target, ws.coefficient, ws.softmax, ws.column
    for j in axes(y, 2)
        @inbounds @streamed for t in axes(y, 1)
            e[t, j] = c[t] * (column[t, 3] * p[t, j] - y[t, j])
        end
    end
    return value
end

# Softmax of the outputs; columns of scratch: sum_k exp(f_k - top), sum_k y_k (top - f_k), sum_k y_k.
function softmax!(ws::Workspace{T}) where {T}
    f, y, p, column = output_tile(ws).a, ws.target, ws.softmax, ws.column
    @inbounds @streamed for t in axes(y, 1)
        column[t, 1] = f[t, 1]
    end
    for j in 2:size(y, 2)
        @inbounds @streamed for t in axes(y, 1)
            column[t, 1] = ifelse((f[t, j] > column[t, 1]) | isnan(f[t, j]), f[t, j], column[t, 1])
        end
    end
    @inbounds @streamed for t in axes(y, 1)
        column[t, 2] = zero(T)
        column[t, 3] = zero(T)
    end
    for j in axes(y, 2)
        @inbounds @streamed for t in axes(y, 1)
            gap = column[t, 1] - f[t, j]
            p[t, j] = vexp(-gap)
            column[t, 2] += ifelse(y[t, j] == 0, zero(T), y[t, j] * gap)
            column[t, 3] += y[t, j]
        end
    end
    normalize_softmax!(p, column)
end

function normalize_softmax!(p::Matrix{T}, column::Matrix{T}) where {T}
    @inbounds @streamed for t in axes(p, 1)
        column[t, 1] = zero(T)
    end
    for j in axes(p, 2)
        @inbounds @streamed for t in axes(p, 1)
            column[t, 1] += p[t, j]
        end
    end
    for j in axes(p, 2)
        @inbounds @streamed for t in axes(p, 1)
            p[t, j] /= column[t, 1]
        end
    end
end

"""
    loss_root!(loss, ws, r)

Write into `e` of the last layer column `r` of a root of the second derivative Q of the loss with respect to the output,
Q = sum_r e_r e_r', r = 1..Dout: sqrt(2c) times a unit vector for the squared error, sqrt(c s p_r) (unit vector r - p) for
the cross-entropy.
"""
function loss_root!(::MSE, ws::Workspace, r::Int)
    e, c = output_tile(ws).e, ws.coefficient
    fill!(e, 0)
    @inbounds @streamed for t in axes(e, 1)
        e[t, r] = sqrt(2 * c[t])
    end
end

function loss_root!(::CrossEntropy, ws::Workspace, r::Int)
    e, c, p, column = output_tile(ws).e, ws.coefficient, ws.softmax, ws.column
    for j in axes(e, 2)
        @inbounds @streamed for t in axes(e, 1)
            e[t, j] = sqrt(c[t] * column[t, 3] * p[t, r]) * ((j == r) - p[t, j])
        end
    end
end

"""
    loss_curvature!(Q, loss, ws)

The second derivative of the loss with respect to the output, Q (tile x Dout x Dout).
"""
function loss_curvature!(Q::Array{T,3}, ::MSE, ws::Workspace{T}) where {T}
    fill!(Q, 0)
    for o in axes(Q, 2)
        @inbounds @streamed for t in axes(Q, 1)
            Q[t, o, o] = 2 * ws.coefficient[t]
        end
    end
end

function loss_curvature!(Q::Array{T,3}, ::CrossEntropy, ws::Workspace{T}) where {T}
    c, p, column = ws.coefficient, ws.softmax, ws.column
    for j in axes(Q, 2), i in axes(Q, 2)
        @inbounds @streamed for t in axes(Q, 1)
            Q[t, i, j] = c[t] * column[t, 3] * ((i == j) * p[t, i] - p[t, i] * p[t, j])
        end
    end
end

"""
    loss_tangent!(out, loss, ws, tangent)

out = Q tangent for a tangent (tile x Dout) of the output.
"""
function loss_tangent!(out::Matrix{T}, ::MSE, ws::Workspace{T}, tangent::Matrix{T}) where {T}
    for o in axes(out, 2)
        @inbounds @streamed for t in axes(out, 1)
            out[t, o] = 2 * ws.coefficient[t] * tangent[t, o]
        end
    end
end

function loss_tangent!(out::Matrix{T}, ::CrossEntropy, ws::Workspace{T}, tangent::Matrix{T}) where {T}
    c, p, column = ws.coefficient, ws.softmax, ws.column
    @inbounds @streamed for t in axes(out, 1)
        column[t, 2] = zero(T)
    end
    for j in axes(out, 2)
        @inbounds @streamed for t in axes(out, 1)
            column[t, 2] = muladd(p[t, j], tangent[t, j], column[t, 2])
        end
    end
    for j in axes(out, 2)
        @inbounds @streamed for t in axes(out, 1)
            out[t, j] = c[t] * column[t, 3] * p[t, j] * (tangent[t, j] - column[t, 2])
        end
    end
end
