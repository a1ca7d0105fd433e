# Expectations of one neuron: S[j+1] = E[g^(j)(z)] for Gaussian z of mean m and variance C, j = 0, 1, ...

# Derivatives of normal_cdf(m/sqrt(V)) by m from the first on, from place `first` of S: V N_(j+2) = -m N_(j+1) - j N_j.
function normal_derivatives!(S::Vector{T}, first::Int, density::T, m::T, V::T) where {T}
    for j in 0:length(S)-first
        S[first+j] = j == 0 ? density : j == 1 ? -(m * density) / V :
                     -(m * S[first+j-1] + Float64(j - 1) * S[first+j-2]) / V
    end
    return S
end

function exact_single!(S::Vector{T}, f::Cumulative, m::T, C::T) where {T<:Wide}
    V = C + 1.0
    s = root(V)
    normal_derivatives!(S, 2, f.scale * (normal_parts(m / s)[2] / s), m, V)
    S[1] = f.scale * half_erf(m / s) + f.mean
    return S
end

function exact_single!(S::Vector{T}, ::Rectified, m::T, C::T) where {T<:Wide}
    s = root(C)
    cdf, pdf = normal_parts(m / s)
    S[1], S[2] = m * cdf + s * pdf, cdf
    return normal_derivatives!(S, 3, pdf / s, m, C)
end

exact_single!(S::Vector{T}, ::Exponential, m::T, C::T) where {T<:Wide} = fill!(S, exponential(m + scaled(C, 0.5)))

# E[z^n] = m E[z^(n-1)] + (n - 1) C E[z^(n-2)]
function exact_single!(S::Vector{T}, f::Polynomial, m::T, C::T) where {T<:Wide}
    a = f.coefficients
    moments = ones(T, length(a))
    for n in 1:length(a)-1
        moments[n+1] = n == 1 ? m : m * moments[n] + Float64(n - 1) * (C * moments[n-1])
    end
    for j in 0:length(S)-1
        S[j+1] = zero(T)
        for n in j:length(a)-1
            S[j+1] += (falling(n, j) * moments[n-j+1]) * a[n+1]
        end
    end
    return S
end

# n (n - 1) ... (n - j + 1), exact for n <= HIGHEST_DEGREE
falling(n::Int, j::Int) = mapreduce(Float64, *, n-j+1:n; init = 1.0)
