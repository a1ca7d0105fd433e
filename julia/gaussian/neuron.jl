# One neuron under Gaussian inputs: where its argument lies, and its Hermite coefficients once somebody wants them.

"""
    GaussianNeuron(profile)

The neuron f(m + r xi). `gamma[n+1, j+1]` are the coefficients of f, f', f'', r f''' and r^2 f'''' in the orthonormal Hermite
polynomials of xi, n < `degree`; level 0: not computed yet, 1, 2, 3: by the coarse and fine uniform rule and by panels, -1: none of
them resolves it. `envelope[b, 1]` and `[b, 2]` are the largest coefficients from block b of 16 on, relative to their root mean
square, of the first three and of all five rows.
"""
mutable struct GaussianNeuron
    profile::Profile
    m::Float64
    r::Float64
    level::Int
    degree::Int
    gamma::Matrix{Float64}
    envelope::Matrix{Float64}
end

const HERMITE_BLOCK = 16
const LARGEST_DEGREE = 512

GaussianNeuron(profile::Profile) = GaussianNeuron(profile, 0.0, 0.0, 0, 0, zeros(0, 5), zeros(0, 2))

"""
    place!(neuron, m, r) -> neuron

Set mean and standard deviation of the neuron's argument; coefficients of another place are forgotten.
"""
function place!(neuron::GaussianNeuron, m::Float64, r::Float64)
    (neuron.m === m && neuron.r === r) && return neuron
    neuron.m, neuron.r, neuron.level = m, r, 0
    return neuron
end

"""
    HermiteScratch()

Rules, the tables of Hermite polynomials on the uniform ones, and columns for the recurrence on panels.
"""
mutable struct HermiteScratch
    coarse::Rule
    fine::Rule
    panels::Rule
    coarse_table::Matrix{Float64}
    fine_table::Matrix{Float64}
    columns::Matrix{Float64}
    before::Vector{Float64}
    current::Vector{Float64}
end

# Hermite functions of degree n live within 2 sqrt(n); what a density of half their width leaves ends at 13.
const HERMITE_REACH = 13.0
const COARSE_DEGREE = 96
const FINE_DEGREE = 192

function HermiteScratch()
    coarse, fine = uniform_rule!(Rule(), 1 / 4, HERMITE_REACH), uniform_rule!(Rule(), 1 / 8, HERMITE_REACH)
    return HermiteScratch(coarse, fine, Rule(), hermite_table(coarse, COARSE_DEGREE + 2), hermite_table(fine, FINE_DEGREE + 2),
                          zeros(0, 3), zeros(0), zeros(0))
end

# Weight times h_n at the nodes: (n + 1, node).
function hermite_table(rule::Rule, degrees::Int)
    table = zeros(degrees, rule.n)
    for k in 1:rule.n
        before, h = 0.0, 1.0
        for n in 0:degrees-1
            table[n+1, k] = rule.w[k] * h
            before, h = h, (rule.x[k] * h - sqrt(n) * before) / sqrt(n + 1)
        end
    end
    return table
end

"""
    refine!(neuron, s::HermiteScratch) -> Bool

Compute the coefficients at the next level; false when there is none.
"""
function refine!(neuron::GaussianNeuron, s::HermiteScratch)
    neuron.level == 3 && return false
    profile, m, r = neuron.profile, neuron.m, neuron.r
    if neuron.level < 1 && fit_uniform!(s.coarse, profile, m, r)
        return table_coefficients!(neuron, s.coarse, s.coarse_table, 1, COARSE_DEGREE)
    elseif neuron.level < 2 && fit_uniform!(s.fine, profile, m, r)
        return table_coefficients!(neuron, s.fine, s.fine_table, 2, FINE_DEGREE)
    end
    return panel_coefficients!(neuron, s)
end

function shape!(neuron::GaussianNeuron, level::Int, degree::Int)
    neuron.level, neuron.degree = level, degree
    size(neuron.gamma, 1) >= degree + 2 || (neuron.gamma = zeros(degree + 2, 5))
    blocks = degree ÷ HERMITE_BLOCK
    size(neuron.envelope, 1) >= blocks || (neuron.envelope = zeros(blocks, 2))
    return neuron.gamma
end

function table_coefficients!(neuron::GaussianNeuron, rule::Rule, table::Matrix{Float64}, level::Int, degree::Int)
    gamma, n = shape!(neuron, level, degree), degree + 2
    last = neuron.profile.kind == POLYNOMIAL ? min(n, neuron.profile.degree + 1) : n
    fill!(gamma, 0)
    v0, v1, v2 = rule.v0, rule.v1, rule.v2
    @inbounds for k in 1:rule.n
        a, b, c = v0[k], v1[k], v2[k]
        @simd ivdep for i in 1:last
            h = table[i, k]
            gamma[i, 1] = muladd(h, a, gamma[i, 1])
            gamma[i, 2] = muladd(h, b, gamma[i, 2])
            gamma[i, 3] = muladd(h, c, gamma[i, 3])
        end
    end
    neuron.profile.kind == POLYNOMIAL && trim_polynomial!(gamma, neuron.profile.degree)
    return finish_coefficients!(neuron)
end

# The derivatives of a polynomial end earlier; what rounding left there would be taken for a tail.
function trim_polynomial!(gamma, degree)
    for j in 1:3, n in max(degree - j + 2, 0):size(gamma, 1)-1
        gamma[n+1, j] = 0
    end
end

# Panels narrow enough for Hermite polynomials of the highest degree, whose waves have the length 2 pi/sqrt(n).
function panel_coefficients!(neuron::GaussianNeuron, s::HermiteScratch)
    degree = LARGEST_DEGREE
    gamma, rule, n = shape!(neuron, 3, degree), s.panels, degree + 2
    begin_panels!(rule)
    cut_panels!(rule, neuron.profile, neuron.m, neuron.r, HERMITE_REACH)
    fill_panels!(rule, HERMITE_REACH, 16 / sqrt(degree))
    evaluate!(neuron.profile, rule, neuron.m, neuron.r)
    length(s.before) >= rule.n || (resize!(s.before, rule.n); resize!(s.current, rule.n))
    hermite_sums!(gamma, n, rule, s.before, s.current)
    add_kink_coefficients!(gamma, n, neuron)
    return finish_coefficients!(neuron)
end

function hermite_sums!(gamma, n, rule::Rule, before, current)
    x, w, v0, v1, v2 = rule.x, rule.w, rule.v0, rule.v1, rule.v2
    @inbounds for k in 1:rule.n
        before[k], current[k] = 0.0, w[k]
    end
    for i in 1:n
        a, b, c = 0.0, 0.0, 0.0
        down, up = sqrt(i - 1), 1 / sqrt(i)
        @inbounds @simd ivdep for k in 1:rule.n
            h = current[k]
            a = muladd(h, v0[k], a)
            b = muladd(h, v1[k], b)
            c = muladd(h, v2[k], c)
            next = (x[k] * h - down * before[k]) * up
            before[k] = h
            current[k] = next
        end
        gamma[i, 1], gamma[i, 2], gamma[i, 3] = a, b, c
    end
end

function add_kink_coefficients!(gamma, n, neuron::GaussianNeuron)
    for (kink, jump) in zip(neuron.profile.kinks, neuron.profile.jumps)
        x = (kink - neuron.m) / neuron.r
        before, h = 0.0, jump * vnormal_pdf(x) / neuron.r
        for i in 1:n
            gamma[i, 3] += h
            before, h = h, (x * h - sqrt(i - 1) * before) / sqrt(i)
        end
    end
end

# The coefficients of r f''' and r^2 f'''' from those of f'': differentiation is a shift.
function finish_coefficients!(neuron::GaussianNeuron)
    gamma, degree = neuron.gamma, neuron.degree
    @inbounds for i in 1:degree
        gamma[i, 4] = sqrt(i) * gamma[i+1, 3]
        gamma[i, 5] = sqrt(i * (i + 1)) * gamma[i+2, 3]
    end
    measure_envelope!(neuron)
    return true
end

function measure_envelope!(neuron::GaussianNeuron)
    gamma, envelope = neuron.gamma, neuron.envelope
    fill!(envelope, 0)
    blocks = neuron.degree ÷ HERMITE_BLOCK
    for j in 1:5
        total = 0.0
        @inbounds @simd for i in 1:neuron.degree
            total += gamma[i, j]^2
        end
        inverse, largest = total == 0 ? 0.0 : 1 / sqrt(total), 0.0
        for b in blocks:-1:1
            @inbounds for i in (b-1)*HERMITE_BLOCK+1:b*HERMITE_BLOCK
                largest = max(largest, abs(gamma[i, j]))
            end
            j <= 3 && (envelope[b, 1] = max(envelope[b, 1], largest * inverse))
            envelope[b, 2] = max(envelope[b, 2], largest * inverse)
        end
    end
end
