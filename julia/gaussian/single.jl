# Expectations of one neuron: e[i+1, a+1] = E[f^(i)(m + r xi) He_a(xi)] for i, a = 0, 1, 2, with He_1 = xi, He_2 = xi^2 - 1.

"""
    Singles()

Scratch memory for expectations of one neuron: three rules.
"""
mutable struct Singles
    coarse::Rule
    fine::Rule
    panels::Rule
end

# As far as a power of 18 counts beside exp(-x^2/2).
const SINGLE_REACH = 13.0

Singles() = Singles(uniform_rule!(Rule(), 1 / 4, SINGLE_REACH), uniform_rule!(Rule(), 1 / 8, SINGLE_REACH), Rule())

function single!(e::Matrix{Float64}, s::Singles, profile::Profile, m::Float64, r::Float64)
    r == 0 && return single_constant!(e, profile, m)
    profile.kind == RELU && return single_relu!(e, m, r)
    profile.kind == CDF && return single_cdf!(e, profile, m, r)
    profile.kind == POLYNOMIAL && return single_polynomial!(e, profile, m, r)
    profile.kind == EXPONENTIAL && return single_exponential!(e, m, r)
    fit_uniform!(s.coarse, profile, m, r) && return sum_single!(e, s.coarse, profile, m, r)
    fit_uniform!(s.fine, profile, m, r) && return sum_single!(e, s.fine, profile, m, r)
    begin_panels!(s.panels)
    cut_panels!(s.panels, profile, m, r, SINGLE_REACH)
    fill_panels!(s.panels, SINGLE_REACH, 2.0)
    evaluate!(profile, s.panels, m, r)
    return sum_single!(e, s.panels, profile, m, r)
end

function single_constant!(e, profile, m)
    fill!(e, 0)
    e[1, 1], e[2, 1], e[3, 1] = point_values(profile, m)
    return e
end

function point_values(profile::Profile, m::Float64)
    rule = Rule(1, [0.0], [1.0], [m], [0.0], [0.0], [0.0], Float64[])
    evaluate!(profile.f, rule)
    return rule.v0[1], rule.v1[1], rule.v2[1]
end

function sum_single!(e, rule::Rule, profile, m, r)
    for (i, v) in enumerate((rule.v0, rule.v1, rule.v2))
        s0, s1, s2 = 0.0, 0.0, 0.0
        x, w = rule.x, rule.w
        @inbounds @simd for k in 1:rule.n
            t = w[k] * v[k]
            s0 += t
            s1 += t * x[k]
            s2 += t * (x[k] * x[k] - 1)
        end
        e[i, 1], e[i, 2], e[i, 3] = s0, s1, s2
    end
    for (kink, jump) in zip(profile.kinks, profile.jumps)
        x = (kink - m) / r
        mass = jump * vnormal_pdf(x) / abs(r)
        e[3, 1] += mass
        e[3, 2] += mass * x
        e[3, 3] += mass * (x * x - 1)
    end
    return e
end

# relu: E[z 1(z > 0)] with h = m/r, by Stein's identity E[f xi] = r E[f'].
function single_relu!(e, m, r)
    h = m / r
    cdf, pdf, _ = vnormal_cdf_d2(h)
    mass = pdf / r
    e[1, 1], e[1, 2], e[1, 3] = r * positive_part(h, cdf, pdf), r * cdf, r * pdf
    e[2, 1], e[2, 2], e[2, 3] = cdf, pdf, -h * pdf
    e[3, 1], e[3, 2], e[3, 3] = mass, -h * mass, (h * h - 1) * mass
    return e
end

# h Phi(h) + phi(h), which overflows nothing at h = -Inf
@inline positive_part(h, cdf, pdf) = h < -38 ? 0.0 : muladd(h, cdf, pdf)

# offset + scale Phi: E[Phi(m + r xi)] = Phi(h) with h = m/R, R^2 = 1 + r^2, and every derivative by m brings 1/R.
function single_cdf!(e, profile, m, r)
    R = sqrt(1 + r * r)
    h, b = m / R, r / R
    cdf, d1, d2 = cdf_values(profile, h)
    pdf = d1
    d3, d4 = (h * h - 1) * pdf, h * (3 - h * h) * pdf
    e[1, 1], e[1, 2], e[1, 3] = cdf, b * d1, b * b * d2
    e[2, 1], e[2, 2], e[2, 3] = d1 / R, b * d2 / R, b * b * d3 / R
    e[3, 1], e[3, 2], e[3, 3] = d2 / R^2, b * d3 / R^2, b * b * d4 / R^2
    return e
end

# The function itself and two derivatives at h: sigmoid2 by its own kernel, because 2 Phi - 1 cancels at 0.
@inline function cdf_values(profile::Profile, h::Float64)
    profile.offset == 0 && return vnormal_cdf_d2(h)
    return verf_half_d2(h)
end

function single_exponential!(e, m, r)
    v = vexp(m + r * r / 2)
    for i in 1:3
        e[i, 1], e[i, 2], e[i, 3] = v, r * v, r * r * v
    end
    return e
end
