# What is known about an activation before any expectation is taken.

const RELU, CDF, EXPONENTIAL, POLYNOMIAL, GENERAL = 1, 2, 3, 4, 5

"""
    Profile(f)

An activation and what its expectations need: its `kind` (for closed forms), `breaks` (ends of intervals in each of which f, f' and
f'' are resolved by polynomials of degree 15 to half of the digits, so that products integrated by 16 Gauss nodes have all of them),
and its `kinks` with the `jumps` of f' there. They are found by halving, so a function of a user's own needs nothing but its
derivatives. Assumptions: it is continuous, piecewise analytic and grows no faster than a power; what happens between two
samples at a distance of less than 0.1, or beyond |z| = 16384, may be overlooked.
"""
mutable struct Profile
    f::Any
    kind::Int
    scale::Float64       # kind CDF: f = offset + scale normal_cdf
    offset::Float64
    degree::Int          # kind POLYNOMIAL
    breaks::Vector{Float64}
    kinks::Vector{Float64}
    jumps::Vector{Float64}
    coefficients::Vector{Float64}    # kind POLYNOMIAL
    series::Vector{Float64}          # scratch of polynomial_series!
end

Profile(f, kind, scale, offset, breaks, kinks, jumps) =
    Profile(f, kind, scale, offset, -1, breaks, kinks, jumps, Float64[], Float64[])

Profile(::typeof(relu)) = Profile(relu, RELU, 1.0, 0.0, [0.0], [0.0], [1.0])
Profile(::typeof(sigmoid2)) = general_profile(sigmoid2, CDF, 2.0, -1.0)
Profile(::typeof(normal_cdf)) = general_profile(normal_cdf, CDF, 1.0, 0.0)
Profile(::typeof(exp)) = Profile(exp, EXPONENTIAL, 1.0, 0.0, Float64[], Float64[], Float64[])
Profile(::typeof(identity)) = polynomial_profile(identity, 1)
Profile(::typeof(square)) = polynomial_profile(square, 2)
Profile(::typeof(cube)) = polynomial_profile(cube, 3)
# Products of two polynomials of degree 16 still end within the reach of the rules.
Profile(f::Poly{N}) where {N} = N <= 17 ? polynomial_profile(f, N - 1) : general_profile(f, GENERAL, 1.0, 0.0)
Profile(f) = general_profile(f, GENERAL, 1.0, 0.0)

function polynomial_profile(f, degree)
    a = polynomial_coefficients(f)
    return Profile(f, POLYNOMIAL, 1.0, 0.0, degree, Float64[], Float64[], Float64[], a, zero(a))
end

function general_profile(f, kind, scale, offset)
    breaks = resolved_intervals(f)
    kinks, jumps = find_kinks(f, breaks)
    return Profile(f, kind, scale, offset, breaks, kinks, jumps)
end

const FARTHEST = 16384.0
const CHEBYSHEV_POINTS = [cos(pi * (2i - 1) / 32) for i in 1:16]
# Interpolation coefficients of the three highest degrees.
const CHEBYSHEV_TAIL = [2 / 16 * cos(n * pi * (2i - 1) / 32) for n in 13:15, i in 1:16]

function resolved_intervals(f)
    sample = fill_samples(f, -2.0, 2.0)
    size = map(j -> maximum(abs, filter(isfinite, sample[:, j])), (1, 2, 3))
    breaks = Float64[0.0]
    for side in (-1.0, 1.0)
        from = 0.0
        while from < FARTHEST
            to = from == 0 ? 1.0 : 2from
            halve!(breaks, f, min(side * from, side * to), max(side * from, side * to), size)
            push!(breaks, side * to)
            from = to
        end
    end
    return sort!(unique!(breaks))
end

function fill_samples(f, from, to)
    samples = zeros(16, 3)
    for i in 1:16
        samples[i, :] .= Base.invokelatest(derivatives, f, (from + to) / 2 + (to - from) / 2 * CHEBYSHEV_POINTS[i])
    end
    return samples
end

function halve!(breaks, f, from, to, size)
    middle = (from + to) / 2
    (to - from <= 4 * eps(max(abs(from), abs(to))) || length(breaks) > 40_000 || is_resolved(fill_samples(f, from, to), size)) && return
    halve!(breaks, f, from, middle, size)
    push!(breaks, middle)
    halve!(breaks, f, middle, to, size)
end

function is_resolved(samples, size)
    all(isfinite, samples) || return true
    tail = CHEBYSHEV_TAIL * samples
    return all(j -> maximum(abs, view(tail, :, j)) <= 1e-9 * max(size[j], maximum(abs, view(samples, :, j))), 1:3)
end

function find_kinks(f, breaks)
    kinks, jumps = Float64[], Float64[]
    at(z) = Base.invokelatest(derivatives, f, z)
    for b in breaks
        step = max(8 * eps(b), 1e-290)      # halving ends at 4 eps
        left, right = at(b - step), at(b + step)
        scale = max(1.0, abs(left[1]), abs(right[1]))
        abs(right[1] - left[1]) <= 1e-6 * scale || !isfinite(right[1] - left[1]) || throw(ArgumentError(
            "expectation of $(activation_name(f)): expected a continuous activation, got a jump of $(right[1] - left[1]) at $b"))
        jump = right[2] - left[2]
        (isfinite(jump) && abs(jump) > 1e-6 * max(1.0, abs(left[2]), abs(right[2]))) || continue
        if !isempty(kinks) && abs(b - kinks[end]) < 1e-11 * max(1.0, abs(b))
            continue        # two breaks on either side of the same kink
        end
        push!(kinks, b)
        push!(jumps, jump)
    end
    return kinks, jumps
end
