# The loss on infinite data in BigFloat, by integrals over a line: E[f(z1) g(z2)] is that of f(z1) times the mean of g(z2) given z1, which
# has a closed form. No probability of a quadrant, no Owen's T, no Stein's identity. Some 40 digits.

module GaussianReference

isdefined(Main, :Reference) || Main.include(joinpath(@__DIR__, "reference.jl"))
using ..Main.Reference: ACTIVATIONS, bigerf, cdf

density(x) = exp(-x * x / 2) / sqrt(2 * big(pi))

# E[g(z)] for Gaussian z of mean m and variance v >= 0
function mean_of(g, m, v)
    v == 0 && return ACTIVATIONS[g](m)
    g == "relu" && return sqrt(v) * density(m / sqrt(v)) + m * cdf(m / sqrt(v))
    g == "sigmoid2" && return bigerf(m / sqrt(2 * (1 + v)))
    g == "normal_cdf" && return cdf(m / sqrt(1 + v))
    g == "exp" && return exp(m + v / 2)
    g == "identity" && return m
    g == "square" && return (m^2 + v) / 2
    g == "cube" && return m^3 + 3 * m * v
    g == "poly" && return big(0.5) - big(0.25) * m + (m^2 + v) / 8 + (m^3 + 3 * m * v) / 16
    error("no closed form of $g")
end

const STEP = big(1) / 40

# int F(x) density(x) dx: the trapezoidal rule on the whole line, or x = from + exp(t - exp(-t)) beyond a kink.
smooth_integral(F) = STEP * 8 * sum(F(x) * density(x) for x in (-70:70) .* 8STEP)

function half_integral(F, from)
    total = big(0)
    for t in (-184:134) .* STEP
        y = exp(t - exp(-t))
        total += F(from + y) * density(from + y) * y * (1 + exp(-t))
    end
    return STEP * total
end

# A kink is the outer one's.
function pair(f, g, m1, m2, A, C, B)
    g == "relu" && f != "relu" && return pair(g, f, m2, m1, B, C, A)
    r = sqrt(A)
    F(x) = ACTIVATIONS[f](m1 + r * x) * mean_of(g, m2 + C * x / r, B - C^2 / A)
    return f == "relu" ? half_integral(F, -m1 / r) : smooth_integral(F)
end

square(f, m, C) = (r = sqrt(C); F = x -> ACTIVATIONS[f](m + r * x)^2; f == "relu" ? half_integral(F, -m / r) : smooth_integral(F))

"""
    loss(case, x)

E|f(x) - f*(x)|^2. `case`: names of the activations of student and teacher, hidden and output bias, the teacher's [W b] of both
layers, mean and covariance.
"""
function loss(case, x)
    n, K = length(case.mean), length(case.student)
    P1 = K * (n + case.hidden)
    W = reshape(x[1:P1], K, n + case.hidden)
    V = reshape(x[P1+1:end], :, K + case.output)
    names = vcat(case.student, case.teacher)
    rows = vcat([W[k, :] for k in 1:K], [big.(case.w1[k, :]) for k in eachindex(case.teacher)])
    outputs = vcat([V[:, k] for k in 1:K], [-big.(case.w2[:, k]) for k in eachindex(case.teacher)])
    shift = case.output ? V[:, end] .- big.(case.w2[:, end]) : zeros(BigFloat, size(V, 1))
    S, mu = big.(case.covariance), big.(case.mean)
    m = [sum(mu .* row[1:n]) + (case.hidden ? row[end] : 0) for row in rows]
    C(k, l) = rows[k][1:n]' * S * rows[l][1:n]
    total = sum(abs2, shift)
    for k in eachindex(names)
        total += 2 * sum(shift .* outputs[k]) * mean_of(names[k], m[k], C(k, k)) + sum(abs2, outputs[k]) * square(names[k], m[k], C(k, k))
        for l in k+1:length(names)
            total += 2 * sum(outputs[k] .* outputs[l]) * pair(names[k], names[l], m[k], m[l], C(k, k), C(k, l), C(l, l))
        end
    end
    return total
end

end
