# Hermite coefficients of polynomials, by algebra: what is 0 by symmetry is 0, and large coefficients do no harm to small ones.

polynomial_coefficients(::typeof(identity)) = [0.0, 1.0]
polynomial_coefficients(::typeof(square)) = [0.0, 0.0, 0.5]
polynomial_coefficients(::typeof(cube)) = [0.0, 0.0, 0.0, 1.0]
polynomial_coefficients(p::Poly) = collect(Float64, p.coefficients)

"""
    polynomial_series!(profile, i, m, r) -> Int

Write the coefficients of f^(i)(m + r x) in the orthonormal Hermite polynomials into `profile.series`; their number. Horner's
scheme shifts the origin, and x^k = sum_j k!/(2^j j! (k - 2j)!) He_(k-2j), He_n = sqrt(n!) h_n (Abramowitz and Stegun 22.12.8 in
another norm).
"""
function polynomial_series!(profile::Profile, i::Int, m::Float64, r::Float64)
    a, d = profile.series, profile.degree
    copyto!(a, profile.coefficients)
    for _ in 1:i
        for k in 1:d
            a[k] = k * a[k+1]
        end
        d -= 1
        d < 0 && return 0
    end
    for k in 0:d-1, j in d-1:-1:k
        a[j+1] = muladd(m, a[j+2], a[j+1])
    end
    power = 1.0
    for k in 1:d
        power *= r
        a[k+1] *= power
    end
    root = 1.0                                        # sqrt(n!)
    for n in 0:d
        n > 0 && (root *= sqrt(n))
        total, factor = 0.0, 1.0
        for j in 0:(d-n)÷2
            total = muladd(factor, a[n+2j+1], total)
            factor *= (n + 2j + 2) * (n + 2j + 1) / (2 * (j + 1))
        end
        a[n+1] = root * total                         # those of lower degree are not needed any more
    end
    return d + 1
end

function polynomial_gamma!(set::HermiteSet, neuron::GaussianNeuron)
    profile = neuron.profile
    fill!(set.gamma, 0)
    for i in 0:2, n in 1:polynomial_series!(profile, i, neuron.m, neuron.r)
        set.gamma[n, i+1] = profile.series[n]
    end
    return finish_coefficients!(set)
end

function single_polynomial!(e, profile::Profile, m::Float64, r::Float64)
    fill!(e, 0)
    for i in 0:2
        n = polynomial_series!(profile, i, m, r)
        for a in 1:min(n, 3)
            e[i+1, a] = a == 3 ? sqrt(2) * profile.series[3] : profile.series[a]
        end
    end
    return e
end
