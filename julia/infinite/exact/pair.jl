# Expectations of two neurons: F[i+1, j+1] = E[f^(i)(z1) g^(j)(z2)], i + j <= order, for Gaussian z1, z2 of means m1, m2 and
# covariances A, C, B. The derivatives of relu are 1(z > 0), a point mass, and that one's derivatives.

"""
    PairTable{T}(centred = false)

The expectations `F` (5 x 5) and scratch memory. `centred`: the means of all neurons of the student are 0, so that derivatives with
respect to them are not wanted. `slack`: what must be added to the bounds of derivatives, see [`nearly_parallel!`](@ref).
"""
struct PairTable{T}
    F::Matrix{T}
    orthant::Orthant{T}
    S::Vector{T}
    slack::Vector{Float64}
    centred::Bool
end

PairTable{T}(centred::Bool = false) where {T} = PairTable{T}(zeros(T, 5, 5), Orthant{T}(), zeros(T, 5), zeros(5), centred)

"""
    exact_pair!(table, f, g, m1, m2, A, C, B, order) -> F

`order` 2 is for gradients, 4 for Hessians.
"""
function exact_pair!(table::PairTable{T}, f::Cumulative, g::Cumulative, m1::T, m2::T, A::T, C::T, B::T, order::Int) where {T<:Wide}
    F, S = table.F, table.S
    P = orthant!(table.orthant, m1, m2, A + 1.0, C, B + 1.0, order, true).order
    for i in 0:order, j in 0:order-i
        F[i+1, j+1] = (f.scale * g.scale) * P[i+1, j+1]
    end
    f.mean == 0 || add_constant_factor!(F, f.mean, exact_single!(S, g, m2, B), order, false)
    g.mean == 0 || add_constant_factor!(F, g.mean, exact_single!(S, Cumulative(f.scale, 0.0), m1, A), order, true)
    return F
end

# The expectations S of derivatives of one neuron, times a constant of the other, into the first row or the first column.
function add_constant_factor!(F::Matrix{T}, constant::Float64, S::Vector{T}, order::Int, column::Bool) where {T}
    for i in 0:order
        column ? (F[i+1, 1] += constant * S[i+1]) : (F[1, i+1] += constant * S[i+1])
    end
end

# f' = 1(z1 > 0): its expectations with derivatives of g are those of an orthant. The rest is E[z1 f'(z1) ...], by Stein's identity, and
# for derivatives of g = relu from the second on 0 = E[z2 delta(z2) ...] and its derivatives by m2.
function exact_pair!(table::PairTable{T}, ::Rectified, ::Rectified, m1::T, m2::T, A::T, C::T, B::T, order::Int) where {T<:Wide}
    F = table.F
    T === Ball && table.centred && nearly_parallel!(table, m1, m2, A, C, B, order) && return F
    o = orthant!(table.orthant, m1, m2, A, C, B, order - 2 > 0 ? 2 : 1)
    P = o.order
    for i in 0:order-2, j in 0:order-2-i
        F[i+2, j+2] = P[i+1, j+1]
    end
    F[1, 2], F[2, 1] = m1 * P[1, 1] + A * P[2, 1] + C * P[1, 2], m2 * P[1, 1] + B * P[1, 2] + C * P[2, 1]
    # E[delta(z1) relu(z2)]: the mean of z2 where z1 = 0, and its variance times the density
    F[3, 1], F[1, 3] = (m2 - C * m1 / A) * P[2, 1] + o.spread[1] / A, (m1 - C * m2 / B) * P[1, 2] + o.spread[1] / B
    F[1, 1] = m1 * F[2, 1] + A * F[3, 1] + C * F[2, 2]
    order > 2 || return F
    F[4, 1], F[1, 4] = -(m1 * F[3, 1] + C * F[3, 2]) / A, -(m2 * F[1, 3] + C * F[2, 3]) / B
    F[5, 1], F[1, 5] = -(m1 * F[4, 1] + F[3, 1] + C * F[4, 2]) / A, -(m2 * F[1, 4] + F[1, 3] + C * F[2, 4]) / B
    return F
end

# g = mean - scale/2 + scale P(z2 + e > 0) with one more standard normal e, whose derivatives are an orthant's.
function exact_pair!(table::PairTable{T}, ::Rectified, g::Cumulative, m1::T, m2::T, A::T, C::T, B::T, order::Int) where {T<:Wide}
    F, S, V = table.F, table.S, B + 1.0
    o = orthant!(table.orthant, m1, m2, A, C, V, order - 1)
    P = o.order
    for i in 1:order, j in 0:order-i
        F[i+1, j+1] = g.scale * P[i, j+1]
    end
    F[1, 2] = g.scale * ((m1 - C * m2 / V) * P[1, 2] + o.spread[1] / V)
    for j in 0:order-2
        along = m2 * F[1, j+2] + C * F[2, j+2]
        j > 0 && (along += Float64(j) * F[1, j+1])
        F[1, j+3] = -along / V
    end
    exact_single!(S, Rectified(), m1, A)
    for i in 1:order
        F[i+1, 1] += (g.mean - g.scale / 2) * S[i+1]
    end
    F[1, 1] = m1 * F[2, 1] + A * F[3, 1] + C * F[2, 2]
    return F
end

# exp(z1) shifts the Gaussian (I. V. Girsanov): E[exp(z1) g(z2)] = exp(m1 + A/2) E[g(z2 + C)].
function exact_pair!(table::PairTable{T}, ::Exponential, g::Union{Cumulative,Rectified,Exponential}, m1::T, m2::T, A::T, C::T, B::T,
               order::Int) where {T<:Wide}
    F, S = table.F, table.S
    exact_single!(S, g, m2 + C, B)
    front = exponential(m1 + scaled(A, 0.5))
    for i in 0:order, j in 0:order-i
        F[i+1, j+1] = front * S[j+1]
    end
    return F
end

# E[z1^n h(z2)] = m1 E[z1^(n-1) h] + (n - 1) A E[z1^(n-2) h] + C E[z1^(n-1) h'], from the expectations of derivatives of g alone.
function exact_pair!(table::PairTable{T}, f::Polynomial, g::ClosedForm, m1::T, m2::T, A::T, C::T, B::T, order::Int) where {T<:Wide}
    F, a = table.F, f.coefficients
    degree = length(a) - 1
    S = exact_single!(zeros(T, degree + order + 1), g, m2, B)
    moments = zeros(T, degree + 1, length(S))               # E[z1^n g^(j)(z2)]
    for n in 0:degree, j in 0:degree+order-n
        moments[n+1, j+1] = n == 0 ? S[j+1] : m1 * moments[n, j+1] + C * moments[n, j+2]
        n >= 2 && (moments[n+1, j+1] += Float64(n - 1) * (A * moments[n-1, j+1]))
    end
    for i in 0:order, j in 0:order-i
        F[i+1, j+1] = zero(T)
        for n in i:degree
            F[i+1, j+1] += (falling(n, i) * moments[n-i+1, j+1]) * a[n+1]
        end
    end
    return F
end

# The other way round.
function exact_pair!(table::PairTable{T}, f::ClosedForm, g::ClosedForm, m1::T, m2::T, A::T, C::T, B::T, order::Int) where {T<:Wide}
    F = exact_pair!(table, g, f, m2, m1, B, C, A, order)
    for i in 0:order, j in 0:min(i - 1, order - i)
        F[i+1, j+1], F[j+1, i+1] = F[j+1, i+1], F[i+1, j+1]
    end
    return F
end

"""
    exact_square!(V, table, f, m, C, order) -> V

V[n+1] = d^n/dm^n E[f(z)^2], n <= order, for Gaussian z of mean m and variance C.
"""
function exact_square!(V::Vector{T}, table::PairTable{T}, f::ClosedForm, m::T, C::T, order::Int) where {T<:Wide}
    F = exact_pair!(table, f, f, m, m, C, C, C, order)
    for n in 0:order
        V[n+1] = zero(T)
        for i in 0:n
            V[n+1] += Float64(binomial(n, i)) * F[i+1, n-i+1]
        end
    end
    return V
end

# relu^2 has the derivatives 2 relu, 2 1(z > 0) and so on.
function exact_square!(V::Vector{T}, table::PairTable{T}, ::Rectified, m::T, C::T, order::Int) where {T<:Wide}
    S = exact_single!(table.S, Rectified(), m, C)
    V[1] = m * S[1] + C * S[2]
    for n in 1:order
        V[n+1] = scaled(S[n], 2.0)
    end
    return V
end
