# Test problems of J. J. More, B. S. Garbow, K. E. Hillstrom, "Testing unconstrained optimization software", ACM TOMS 7 (1981)
# 17-41: all 35, as residuals written generically, so that numbers, jets and BigFloats go through the same formulas.

module MoreGarbowHillstrom

using LinearAlgebra
using MLPFlow
isdefined(Main, :Jets) || Base.include(Main, joinpath(@__DIR__, "..", "jets.jl"))
using Main.Jets

export Problem, PROBLEMS, OTHER_MINIMA, objective, start, exact_gradient, minimum_reached

"""
    Problem

`residuals(x)` returns the vector of residuals, `x0` is the standard start. `minima`: the values of the sum of squares at its published
minimisers (local ones, and those at infinity, included), to 12 digits: the paper prints 6, the others come from these residuals.
"""
struct Problem
    name::String
    residuals::Function
    x0::Vector{Float64}
    m::Int
    minima::Vector{Float64}
end

# The paper leaves open what 10 times a start of 0 is; like the authors' driver (MINPACK), all entries are then the factor.
start(p::Problem, factor) = all(iszero, p.x0) && factor != 1 ? fill(Float64(factor), length(p.x0)) : factor .* p.x0

"""
    objective(problem; hessian = true) -> ResidualObjective

With Jacobian and Hessian from jets.
"""
function objective(p::Problem; hessian::Bool = true)
    # They capture the problem, not its function: one type, compiled once, for all problems.
    residuals!(r, x) = copyto!(r, p.residuals(x))
    function jacobian!(J, x)
        for (i, r) in enumerate(p.residuals(variables(x; second = false)))
            J[i, :] = gradient_of(r, length(x))
        end
    end
    function hessian!(H, x)
        fill!(H, 0)
        for r in p.residuals(variables(x))
            r isa Jet && (H .+= 2 .* (r.g .* r.g' .+ r.v .* r.H))
        end
    end
    return ResidualObjective(length(p.x0), p.m; residuals! = residuals!, jacobian! = jacobian!, hessian! = hessian ? hessian! : nothing)
end

gradient_of(r::Jet, n) = r.g
gradient_of(r::Real, n) = zeros(n)      # a residual that is a constant

"Loss and gradient in BigFloat."
function exact_gradient(p::Problem, x)
    r = p.residuals(variables(big.(x); second = false))
    value(r) = r isa Jet ? r.v : big(r)
    return sum(abs2, value.(r)), sum(2 .* value(ri) .* gradient_of(ri, length(x)) for ri in r)
end

# 1 to 10

rosenbrock(x) = [10 * (x[2] - x[1]^2), 1 - x[1]]

freudenstein_roth(x) = [-13 + x[1] + ((5 - x[2]) * x[2] - 2) * x[2], -29 + x[1] + ((x[2] + 1) * x[2] - 14) * x[2]]

powell_badly_scaled(x) = [1e4 * x[1] * x[2] - 1, exp(-x[1]) + exp(-x[2]) - 1.0001]

brown_badly_scaled(x) = [x[1] - 1e6, x[2] - 2e-6, x[1] * x[2] - 2]

beale(x) = [1.5 - x[1] * (1 - x[2]), 2.25 - x[1] * (1 - x[2]^2), 2.625 - x[1] * (1 - x[2]^3)]

jennrich_sampson(x) = [2 + 2i - (exp(i * x[1]) + exp(i * x[2])) for i in 1:10]

function helical_valley(x)
    theta = atan(x[2] / x[1]) / 2pi + (x[1] < 0 ? 0.5 : 0.0)
    return [10 * (x[3] - 10 * theta), 10 * (sqrt(x[1]^2 + x[2]^2) - 1), x[3]]
end

const BARD = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
bard(x) = [BARD[i] - (x[1] + i / ((16 - i) * x[2] + min(i, 16 - i) * x[3])) for i in 1:15]

const GAUSSIAN = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989]
gaussian(x) = [x[1] * exp(-x[2] * ((8 - i) / 2 - x[3])^2 / 2) - GAUSSIAN[min(i, 16 - i)] for i in 1:15]

const MEYER = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
meyer(x) = [x[1] * exp(x[2] / (45 + 5i + x[3])) - MEYER[i] for i in 1:16]

# 11 to 20

gulf(x) = [exp(-exp(x[3] * log(abs(25 + (-50 * log(i / 100))^(2 / 3) - x[2]))) / x[1]) - i / 100 for i in 1:99]

box(x) = [exp(-0.1i * x[1]) - exp(-0.1i * x[2]) - x[3] * (exp(-0.1i) - exp(-1.0i)) for i in 1:10]

powell_singular(x) = [x[1] + 10 * x[2], sqrt(5) * (x[3] - x[4]), (x[2] - 2 * x[3])^2, sqrt(10) * (x[1] - x[4])^2]

wood(x) = [10 * (x[2] - x[1]^2), 1 - x[1], sqrt(90) * (x[4] - x[3]^2), 1 - x[3], sqrt(10) * (x[2] + x[4] - 2), (x[2] - x[4]) / sqrt(10)]

const KOWALIK = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
const KOWALIK_U = [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]
kowalik_osborne(x) = [y - x[1] * (u^2 + u * x[2]) / (u^2 + u * x[3] + x[4]) for (y, u) in zip(KOWALIK, KOWALIK_U)]

brown_dennis(x) = [(x[1] + t * x[2] - exp(t))^2 + (x[3] + x[4] * sin(t) - cos(t))^2 for t in (1:20) ./ 5]

const OSBORNE1 = [0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603, 0.580,
                  0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406]
osborne1(x) = [OSBORNE1[i] - (x[1] + x[2] * exp(-10.0 * (i - 1) * x[4]) + x[3] * exp(-10.0 * (i - 1) * x[5])) for i in 1:33]

biggs(x) = [x[3] * exp(-t * x[1]) - x[4] * exp(-t * x[2]) + x[6] * exp(-t * x[5]) - (exp(-t) - 5 * exp(-10t) + 3 * exp(-4t)) for t in 0.1 .* (1:13)]

const OSBORNE2 = [1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655, 0.616, 0.606, 0.602,
                  0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375,
                  0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591,
                  0.559, 0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054]
osborne2(x) = [OSBORNE2[i] - (x[1] * exp(-t * x[5]) + x[2] * exp(-(t - x[9])^2 * x[6]) + x[3] * exp(-(t - x[10])^2 * x[7]) +
                              x[4] * exp(-(t - x[11])^2 * x[8])) for (i, t) in enumerate((0:64) ./ 10)]

function watson(x)
    n = length(x)
    r = [sum((j - 1) * x[j] * t^(j - 2) for j in 2:n) - sum(x[j] * t^(j - 1) for j in 1:n)^2 - 1 for t in (1:29) ./ 29]
    return [r; x[1]; x[2] - x[1]^2 - 1]
end

# 21 to 35: of any number of parameters

extended_rosenbrock(x) = vcat(([10 * (x[i+1] - x[i]^2), 1 - x[i]] for i in 1:2:length(x))...)

extended_powell(x) = vcat((powell_singular(x[i:i+3]) for i in 1:4:length(x))...)

penalty1(x) = [sqrt(1e-5) .* [xi - 1 for xi in x]; sum(xi^2 for xi in x) - 0.25]

function penalty2(x)
    n, a = length(x), sqrt(1e-5)
    return [x[1] - 0.2; [a * (exp(x[i] / 10) + exp(x[i-1] / 10) - (exp(i / 10) + exp((i - 1) / 10))) for i in 2:n];
            [a * (exp(x[i] / 10) - exp(-0.1)) for i in 2:n]; sum((n - j + 1) * x[j]^2 for j in 1:n) - 1]
end

function variably_dimensioned(x)
    total = sum(j * (x[j] - 1) for j in eachindex(x))
    return [[xi - 1 for xi in x]; total; total^2]
end

function trigonometric(x)
    n = length(x)
    total = sum(cos(xj) for xj in x)
    return [n - total + i * (1 - cos(x[i])) - sin(x[i]) for i in 1:n]
end

function brown_almost_linear(x)
    n = length(x)
    total = sum(x)
    return [[x[i] + total - (n + 1) for i in 1:n-1]; prod(x) - 1]
end

neighbour(x, i) = 1 <= i <= length(x) ? x[i] : zero(x[1])
bump(x, j) = (x[j] + (j / (length(x) + 1) + 1))^3

function boundary_value(x)
    h = 1 / (length(x) + 1)
    return [2 * x[i] - neighbour(x, i - 1) - neighbour(x, i + 1) + h^2 / 2 * bump(x, i) for i in eachindex(x)]
end

function integral_equation(x)
    n = length(x)
    h = 1 / (n + 1)
    lower(i) = sum(j * h * bump(x, j) for j in 1:i)
    upper(i) = i == n ? zero(x[1]) : sum((1 - j * h) * bump(x, j) for j in i+1:n)
    return [x[i] + h / 2 * ((1 - i * h) * lower(i) + i * h * upper(i)) for i in 1:n]
end

broyden_tridiagonal(x) = [(3 - 2 * x[i]) * x[i] - neighbour(x, i - 1) - 2 * neighbour(x, i + 1) + 1 for i in eachindex(x)]

function broyden_banded(x)
    band(i) = [j for j in max(1, i - 5):min(length(x), i + 1) if j != i]
    return [x[i] * (2 + 5 * x[i]^2) + 1 - sum(x[j] * (1 + x[j]) for j in band(i)) for i in eachindex(x)]
end

function linear_full_rank(x, m)
    n, total = length(x), sum(x)
    return [(i <= n ? x[i] : zero(x[1])) - (2 / m) * total - 1 for i in 1:m]
end

linear_rank1(x, m) = (total = sum(j * x[j] for j in eachindex(x)); [i * total - 1 for i in 1:m])

function linear_rank1_zeros(x, m)
    total = sum(j * x[j] for j in 2:length(x)-1)
    return [-1 + 0 * x[1]; [(i - 1) * total - 1 for i in 2:m-1]; -1 + 0 * x[1]]
end

function chebyquad(x)
    n = length(x)
    sums = [zero(x[1]) for _ in 1:n]
    for xj in x
        z = 2 * xj - 1
        before, now = 1 + 0 * z, z
        for i in 1:n
            sums[i] += now
            before, now = now, 2 * z * now - before
        end
    end
    return [sums[i] / n + (iseven(i) ? 1 / (i^2 - 1) : 0.0) for i in 1:n]
end

"""
    minimum_reached(problem, loss) -> Symbol

`:published` when the exact `loss` agrees with a published minimum to 10 digits (a vanishing one: to 1e-20), `:other` when it agrees with
another value in `OTHER_MINIMA` to 6 (at infinity the last digits come slowly), else `:none`.
"""
function minimum_reached(p::Problem, loss::Real)
    close(m, digits) = iszero(m) ? loss <= 1e-20 : abs(loss - m) <= 10.0^-digits * m
    any(m -> close(m, 10), p.minima) && return :published
    return any(m -> close(m, 6), get(OTHER_MINIMA, p.name, Float64[])) ? :other : :none
end

grid(n) = [j / (n + 1) for j in 1:n]

const PROBLEMS = [
    Problem("rosenbrock", rosenbrock, [-1.2, 1], 2, [0]),
    Problem("freudenstein_roth", freudenstein_roth, [0.5, -2], 2, [0, 48.9842536792]),
    Problem("powell_badly_scaled", powell_badly_scaled, [0, 1], 2, [0]),
    Problem("brown_badly_scaled", brown_badly_scaled, [1, 1], 3, [0]),
    Problem("beale", beale, [1, 1], 3, [0]),
    Problem("jennrich_sampson", jennrich_sampson, [0.3, 0.4], 10, [124.362182355]),
    Problem("helical_valley", helical_valley, [-1, 0, 0], 3, [0]),
    Problem("bard", bard, [1, 1, 1], 15, [8.21487730658e-3, 17.4286933333]),
    Problem("gaussian", gaussian, [0.4, 1, 0], 15, [1.12793276961e-8]),
    Problem("meyer", meyer, [0.02, 4000, 250], 16, [87.9458551709]),
    Problem("gulf", gulf, [5, 2.5, 0.15], 99, [0]),
    Problem("box", box, [0, 10, 20], 10, [0]),
    Problem("powell_singular", powell_singular, [3, -1, 0, 1], 4, [0]),
    Problem("wood", wood, [-3, -1, -3, -1], 6, [0]),
    Problem("kowalik_osborne", kowalik_osborne, [0.25, 0.39, 0.415, 0.39], 11, [3.07505603849e-4, 1.02734304869e-3]),
    Problem("brown_dennis", brown_dennis, [25, 5, -5, -1], 20, [85822.2016264]),
    Problem("osborne1", osborne1, [0.5, 1.5, -1, 0.01, 0.02], 33, [5.46489469748e-5]),
    Problem("biggs", biggs, [1, 2, 1, 1, 1, 1], 13, [0, 0.0056556499254999245]),
    Problem("osborne2", osborne2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], 65, [4.01377362935e-2]),
    Problem("watson", watson, zeros(6), 31, [2.28767005355e-3]),
    Problem("extended_rosenbrock", extended_rosenbrock, repeat([-1.2, 1], 5), 10, [0]),
    Problem("extended_powell", extended_powell, repeat([3.0, -1, 0, 1], 2), 8, [0]),
    Problem("penalty1", penalty1, collect(1.0:4), 5, [2.24997750079e-5]),
    Problem("penalty2", penalty2, fill(0.5, 4), 8, [9.37629300735544e-6]),
    Problem("variably_dimensioned", variably_dimensioned, [1 - j / 8 for j in 1:8], 10, [0]),
    Problem("trigonometric", trigonometric, fill(0.1, 10), 10, [0, 2.79505612187947e-5]),
    Problem("brown_almost_linear", brown_almost_linear, fill(0.5, 10), 10, [0, 1]),
    Problem("boundary_value", boundary_value, [t * (t - 1) for t in grid(10)], 10, [0]),
    Problem("integral_equation", integral_equation, [t * (t - 1) for t in grid(10)], 10, [0]),
    Problem("broyden_tridiagonal", broyden_tridiagonal, fill(-1.0, 10), 10, [0]),
    Problem("broyden_banded", broyden_banded, fill(-1.0, 10), 10, [0]),
    Problem("linear_full_rank", x -> linear_full_rank(x, 20), ones(5), 20, [15]),
    Problem("linear_rank1", x -> linear_rank1(x, 20), ones(5), 20, [20 * 19 / (2 * 41)]),
    Problem("linear_rank1_zeros", x -> linear_rank1_zeros(x, 20), ones(5), 20, [(400 + 60 - 6) / (2 * 37)]),
    Problem("chebyquad", chebyquad, grid(8), 8, [3.51687372568e-3]),
]

# What the paper does not list: further local minima, those at infinity (i), and points without a gradient in Float64 (f).
const OTHER_MINIMA = Dict(
    "powell_badly_scaled" => [1e-8],                                    # i: x1 to 0, x2 to infinity
    "beale" => [0.4520089285714],                                       # i: x1 to -infinity, x2 to 1
    "jennrich_sampson" => [259.580190134],                              # i: both to -infinity
    "gulf" => [32.835],                                                 # f: all exponentials are 0 or 1
    "box" => [0.075588740755],                                          # i: x1 and x2 to infinity
    "osborne1" => [1.10603621875],                                      # i: x4 to infinity, the others constants
    "biggs" => [0.30636677],
    "osborne2" => [1.78981358688],
    "trigonometric" => [4.21863388792e-5, 4.47356581281e-7, 8.78822521822e-4],
    "brown_almost_linear" => [0.917900099786],
    "broyden_tridiagonal" => [0.712606017313, 1.70648012876],
    "broyden_banded" => [3.05727843243])

end
