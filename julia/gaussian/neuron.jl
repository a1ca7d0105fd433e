# One neuron under Gaussian inputs: where its argument lies, and its Hermite coefficients once somebody wants them.

"""
    HermiteSet(degree)

Coefficients of a neuron in the orthonormal Hermite polynomials of xi: `gamma[n+1, j+1]` those of f, f', f'', r f''' and r^2 f''''
for n < `degree`. `envelope[b, 1]` and `[b, 2]` are the largest from block b of 16 on, relative to their root mean square, of
the first three and of all five columns. `state`: unknown, ready, or of no use because the rule does not resolve the activation.
"""
mutable struct HermiteSet
    state::Int
    degree::Int
    gamma::Matrix{Float64}
    envelope::Matrix{Float64}
end

const UNKNOWN, READY, UNRESOLVED = 0, 1, 2

HermiteSet(degree::Int) = HermiteSet(UNKNOWN, degree, zeros(0, 5), zeros(0, 2))

const HERMITE_BLOCK = 16
const COARSE_DEGREE = 96
const FINE_DEGREE = 192
const LARGEST_DEGREE = 512

"""
    GaussianNeuron(profile)

The neuron f(m + r xi), with its Hermite coefficients at three levels: some by the coarse uniform rule, more by the fine one or, where
that does not resolve the activation, by panels, and many by panels. All are
functions of m and r alone, made when they are first wanted, so that no result depends on what was computed before.
"""
mutable struct GaussianNeuron
    profile::Profile
    m::Float64
    r::Float64
    sets::Vector{HermiteSet}
end

GaussianNeuron(profile::Profile) =
    GaussianNeuron(profile, 0.0, 0.0, [HermiteSet(COARSE_DEGREE), HermiteSet(FINE_DEGREE), HermiteSet(LARGEST_DEGREE)])

"""
    place!(neuron, m, r) -> neuron

Set mean and standard deviation of the neuron's argument; coefficients of another place are forgotten.
"""
function place!(neuron::GaussianNeuron, m::Float64, r::Float64)
    (neuron.m === m && neuron.r === r) && return neuron
    neuron.m, neuron.r = m, r
    for set in neuron.sets
        set.state = UNKNOWN
    end
    return neuron
end

"""
    HermiteScratch()

Rules, the tables of Hermite polynomials on the uniform ones, and vectors for the recurrence on panels.
"""
mutable struct HermiteScratch
    coarse::Rule
    fine::Rule
    panels::Rule
    coarse_table::Matrix{Float64}
    fine_table::Matrix{Float64}
    before::Vector{Float64}
    current::Vector{Float64}
end

# Hermite functions of degree n live within 2 sqrt(n); what a density of half their width leaves ends at 13.
const HERMITE_REACH = 13.0

function HermiteScratch()
    coarse, fine = uniform_rule!(Rule(), 1 / 4, HERMITE_REACH), uniform_rule!(Rule(), 1 / 8, HERMITE_REACH)
    return HermiteScratch(coarse, fine, Rule(), hermite_table(coarse, COARSE_DEGREE + 2), hermite_table(fine, FINE_DEGREE + 2),
                          zeros(0), zeros(0))
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
    next_level!(neuron, level, s::HermiteScratch) -> Int

The first level above `level` whose coefficients are usable, computed if they were not; 0 when there is none.
"""
function next_level!(neuron::GaussianNeuron, level::Int, s::HermiteScratch)
    for higher in level+1:3
        set = neuron.sets[higher]
        set.state == UNKNOWN && compute!(set, neuron, higher, s)
        set.state == READY && return higher
    end
    return 0
end

function compute!(set::HermiteSet, neuron::GaussianNeuron, level::Int, s::HermiteScratch)
    if size(set.gamma, 1) == 0
        set.gamma = zeros(set.degree + 2, 5)
        set.envelope = zeros(set.degree ÷ HERMITE_BLOCK, 2)
    end
    neuron.profile.kind == POLYNOMIAL && return polynomial_gamma!(set, neuron)
    rule, table = level == 1 ? (s.coarse, s.coarse_table) : (s.fine, s.fine_table)
    level < 3 && fit_uniform!(rule, neuron.profile, neuron.m, neuron.r) &&
        return table_coefficients!(set, rule, table)
    level > 1 && return panel_coefficients!(set, neuron, s)
    set.state = UNRESOLVED
    return set
end

function table_coefficients!(set::HermiteSet, rule::Rule, table::Matrix{Float64})
    gamma, n = set.gamma, set.degree + 2
    fill!(gamma, 0)
    v0, v1, v2 = rule.v0, rule.v1, rule.v2
    @inbounds for k in 1:rule.n
        a, b, c = v0[k], v1[k], v2[k]
        @simd ivdep for i in 1:n
            h = table[i, k]
            gamma[i, 1] = muladd(h, a, gamma[i, 1])
            gamma[i, 2] = muladd(h, b, gamma[i, 2])
            gamma[i, 3] = muladd(h, c, gamma[i, 3])
        end
    end
    return finish_coefficients!(set)
end

# Panels narrow enough for Hermite polynomials of the highest degree, whose waves have the length 2 pi/sqrt(n).
function panel_coefficients!(set::HermiteSet, neuron::GaussianNeuron, s::HermiteScratch)
    rule, n = s.panels, set.degree + 2
    begin_panels!(rule)
    cut_panels!(rule, neuron.profile, neuron.m, neuron.r, HERMITE_REACH)
    fill_panels!(rule, HERMITE_REACH, 16 / sqrt(set.degree))
    evaluate!(neuron.profile, rule, neuron.m, neuron.r)
    length(s.before) >= rule.n || (resize!(s.before, rule.n); resize!(s.current, rule.n))
    hermite_sums!(set.gamma, n, rule, s.before, s.current)
    add_kink_coefficients!(set.gamma, n, neuron)
    return finish_coefficients!(set)
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
        h == 0 && continue
        for i in 1:n
            gamma[i, 3] += h
            before, h = h, (x * h - sqrt(i - 1) * before) / sqrt(i)
        end
    end
end

# The coefficients of r f''' and r^2 f'''' from those of f'': differentiation is a shift.
function finish_coefficients!(set::HermiteSet)
    gamma = set.gamma
    @inbounds for i in 1:set.degree
        gamma[i, 4] = sqrt(i) * gamma[i+1, 3]
        gamma[i, 5] = sqrt(i * (i + 1)) * gamma[i+2, 3]
    end
    measure_envelope!(set)
    set.state = READY
    return set
end

function measure_envelope!(set::HermiteSet)
    gamma, envelope = set.gamma, set.envelope
    fill!(envelope, 0)
    for j in 1:5
        total = 0.0
        @inbounds @simd for i in 1:set.degree
            total += gamma[i, j]^2
        end
        inverse, largest = total == 0 ? 0.0 : 1 / sqrt(total), 0.0
        for b in size(envelope, 1):-1:1
            @inbounds for i in (b-1)*HERMITE_BLOCK+1:b*HERMITE_BLOCK
                largest = max(largest, abs(gamma[i, j]))
            end
            j <= 3 && (envelope[b, 1] = max(envelope[b, 1], largest * inverse))
            envelope[b, 2] = max(envelope[b, 2], largest * inverse)
        end
    end
end
