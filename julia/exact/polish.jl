# Newton's method beyond Float64: parameters and gradient in double-double arithmetic, the Hessian and its eigenvectors in
# Float64. As in iterative refinement each step gains the digits that the Hessian has right, whatever those of the gradient.
#
# Source of the idea: N. J. Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 12.

"""
    Polished

What [`polish`](@ref) found.

- `x`, `low`: the parameters x + low, each a vector of length P; `x` is what Float64 can hold of them
- `loss`, `loss_low`: the exact loss there, likewise; `loss_error`: a proved bound of its error (`NaN` with user-made activations);
  `loss_digits`: the loss as text, with all digits that this leaves, at most 30
- `gnorm`: infinity norm of the gradient; `distance`: how far the parameters were moved, in the same norm
- `status`: `:gradient_tolerance`, `:stalled`, `:degenerate`, `:maxiterations` or `:nonfinite_start`; `message`: that in words
- `iterations`; `rank`: how many eigenvalues of the Hessian are not zero to rounding
"""
struct Polished
    x::Vector{Float64}
    low::Vector{Float64}
    loss::Float64
    loss_low::Float64
    loss_error::Float64
    loss_digits::String
    gnorm::Float64
    distance::Float64
    status::Symbol
    message::String
    iterations::Int
    rank::Int
end

Base.show(io::IO, r::Polished) =
    print(io, "Polished(:", r.status, ", loss = ", r.loss_digits, ", gnorm = ", r.gnorm, ", ", r.iterations, " iterations)")

const POLISH_DEFAULTS = (min_gnorm = 1e-20, maxiterations = 30)

"""
    polish(net, p; losstype = net.losstype, maxnorm = Inf, merge = nothing, min_gnorm = 1e-20, maxiterations = 30) -> Polished
    polish(o::Union{NetObjective,FunctionObjective,InfiniteObjective}, x; min_gnorm = 1e-20, maxiterations = 30) -> Polished

Take a point near a critical point (a minimum, a saddle) to where the infinity norm of the gradient of the exact loss is at
most `min_gnorm`, with parameters of twice the digits of Float64. The loss is taken as the mathematical function of the data, the
numbers that they are in Float64; `min_gnorm = 0` goes on to the rounding level of double-double arithmetic, 1e-30 or so.

A step is taken only when the gradient norm falls, and is never longer than a tenth of the largest parameter (or 0.1). Where the
Hessian is singular to rounding the steps stay in its range, and `rank` and `message` say so.

The functions of a `FunctionObjective` must take vectors of `DoubleDouble`, as generic Julia code does; those of a user-made
activation likewise. Throws an `ArgumentError` when a function is needed that has no method for them.
"""
function polish(net::Net, p; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing, kwargs...)
    exact = ExactLoss(net; losstype = losstype, maxnorm = maxnorm, merge = merge)
    return polish(exact, double_objective(net; losstype = losstype, maxnorm = maxnorm, merge = merge), flat_params(net, p); kwargs...)
end

polish(o::NetObjective, x::AbstractVector; kwargs...) = polish(ExactLoss(o), o, x; kwargs...)
polish(o::FunctionObjective, x::AbstractVector; kwargs...) = polish(o, o, x; kwargs...)

# A network in single precision is polished with the Hessian of the same network in double precision.
double_objective(net::Net{Float64}; kwargs...) = objective(net; kwargs...)
double_objective(net::Net; kwargs...) =
    objective(Net(layers = layer_specification(net.layers), input = inputs(net), target = targets(net), weights = net.weights,
                  losstype = net.losstype); kwargs...)

function exact_value_gradient!(g::Vector{DoubleDouble}, o::FunctionObjective, x::Vector{DoubleDouble})
    o.gradient!(g, x)
    return DoubleDouble(o.value(x))
end

function polish(exact, o::AbstractObjective, x0::AbstractVector; min_gnorm::Real = POLISH_DEFAULTS.min_gnorm,
                maxiterations::Integer = POLISH_DEFAULTS.maxiterations)
    min_gnorm >= 0 || throw(ArgumentError("expected min_gnorm >= 0, got $min_gnorm"))
    maxiterations >= 0 || throw(ArgumentError("expected maxiterations >= 0, got $maxiterations"))
    length(x0) == nparams(o) || throw(DimensionMismatch("expected $(nparams(o)) parameters, got $(length(x0))"))
    start = map(DoubleDouble, collect(Float64, x0))
    run = PolishRun(exact, start)
    status = refine!(run, o, Float64(min_gnorm), Int(maxiterations))
    return polished(run, start, status)
end

"""
    PolishRun(exact, x)

The state of a polish: the current point, its gradient, and those of the trial.
"""
mutable struct PolishRun{O}
    exact::O
    x::Vector{DoubleDouble}
    g::Vector{DoubleDouble}
    loss::DoubleDouble
    gnorm::Float64
    iterations::Int
    rank::Int
end

function PolishRun(exact, x::Vector{DoubleDouble})
    g = similar(x)
    loss = exact_value_gradient!(g, exact, x)
    return PolishRun(exact, x, g, loss, leading_norm(g), 0, length(x))
end

leading_norm(v::Vector) = mapreduce(vi -> abs(leading(vi)), nan_max, v; init = 0.0)
nan_max(a, b) = ifelse(isnan(a) | (a > b), a, b)

const HOPELESS_STEPS = 3        # steps that do not halve the gradient norm before no further progress is expected

function refine!(run::PolishRun, o::AbstractObjective, min_gnorm::Float64, maxiterations::Int)
    isfinite(run.loss) && isfinite(run.gnorm) || return :nonfinite_start
    H, slow = zeros(length(run.x), length(run.x)), 0
    while true
        run.gnorm <= min_gnorm && run.iterations > 0 && return :gradient_tolerance
        factors = spectral_factors!(H, o, run)
        factors === nothing && return :stalled
        run.gnorm <= min_gnorm && return :gradient_tolerance
        run.iterations >= maxiterations && return :maxiterations
        before = run.gnorm
        newton_step!(run, factors) || return run.rank < length(run.x) ? :degenerate : :stalled
        slow = run.gnorm > 0.5 * before ? slow + 1 : 0
        slow >= HOPELESS_STEPS && return run.rank < length(run.x) ? :degenerate : :stalled
    end
end

# Eigenvalues of at most P eps max |eigenvalue| cannot be told from 0, nor those of a few units in the smallest matrices, whose
# entries and eigenvalues have errors of that size.
const FEWEST_UNITS = 10
rounding_level(values::Vector{Float64}) = max(length(values), FEWEST_UNITS) * eps() * maximum(abs, values)

function spectral_factors!(H::Matrix{Float64}, o::AbstractObjective, run::PolishRun)
    hessian!(H, o, map(leading, run.x))
    all(isfinite, H) || return nothing
    factors = eigen!(Symmetric(H))
    run.rank = count(>(rounding_level(factors.values)), abs.(factors.values))
    return factors
end

# Eigenvalues up to these multiples of the rounding level are left out, the first multiple first, until the gradient falls.
const CUTS = (1.0, 1e3, 1e6)
const LONGEST_STEP = 0.1

# A long step along a flat and curved valley raises the gradient across it. Up to so many steps across (those of the largest
# cut), with the same Hessian, take the trial back to the floor before it is judged.
const POLISH_RELAXATIONS = 3

function newton_step!(run::PolishRun, factors)
    level = rounding_level(factors.values)
    for cut in CUTS
        step = shortened(spectral_step(factors, map(leading, run.g), cut * level), run.x)
        trial = PolishRun(run.exact, run.x .+ step)
        for _ in 1:(cut == CUTS[end] ? 0 : POLISH_RELAXATIONS)
            isbetter(trial, run) && break
            isfinite(trial.gnorm) || break
            across = shortened(spectral_step(factors, map(leading, trial.g), CUTS[end] * level), run.x)
            trial = PolishRun(run.exact, trial.x .+ across)
        end
        isbetter(trial, run) && return move_to!(run, trial)
    end
    return false
end

isbetter(trial::PolishRun, run::PolishRun) = isfinite(trial.loss) && trial.gnorm < run.gnorm

function move_to!(run::PolishRun, trial::PolishRun)
    run.x, run.g, run.loss, run.gnorm = trial.x, trial.g, trial.loss, trial.gnorm
    run.iterations += 1
    return true
end

function shortened(step::Vector{Float64}, x::Vector{DoubleDouble})
    longest, size = LONGEST_STEP * max(1.0, leading_norm(x)), maximum(abs, step)
    return size > longest ? step .* (longest / size) : step
end

function spectral_step(factors, g::Vector{Float64}, cut::Float64)
    inverse = [abs(v) > cut ? 1 / v : 0.0 for v in factors.values]
    return factors.vectors * (-inverse .* (factors.vectors' * g))
end

function polished(run::PolishRun, start::Vector{DoubleDouble}, status::Symbol)
    loss, error = loss_bound(run.exact, run.x, run.loss)
    return Polished(map(leading, run.x), [x.lo for x in run.x], loss.hi, loss.lo, error, true_digits(loss, error), run.gnorm,
                    leading_norm(run.x .- start), status, polish_message(run, status), run.iterations, run.rank)
end

function polish_message(run::PolishRun, status::Symbol)
    sentence = status === :stalled ? "No step lowers the gradient norm any more in double-double arithmetic: this is the rounding " *
        "level, or the point is too far from a critical point; train first, or loosen min_gnorm." : status_message(status)
    P = length(run.x)
    (run.rank == P || status === :nonfinite_start) && return sentence
    return sentence * " The Hessian has rank $(run.rank) of $P to rounding: along the other directions the parameters are not determined."
end

# The loss with a proved bound of its error, where its activations allow one.
function loss_bound(exact::ExactLoss, x::Vector{DoubleDouble}, loss::DoubleDouble)
    all(l -> all(hasenclosure, l.activations), exact.layers) || return loss, NaN
    value = exact_value_gradient!(zeros(Ball, length(x)), exact, map(Ball, x))
    return isfinite(value.rad) && isfinite(value.mid) ? (value.mid, value.rad) : (loss, NaN)
end

loss_bound(exact, x, loss) = (loss, NaN)

const MOST_DIGITS = 30
const DIGITS_WITHOUT_BOUND = 28

"""
    true_digits(x::DoubleDouble, error::Float64) -> String

`x` with as many digits as its error leaves, so that the last one is off by one at most; 0 to the power of ten of the error when
it leaves none.
"""
function true_digits(x::DoubleDouble, error::Float64)
    isfinite(x) || return string(x.hi)
    isnan(error) && return decimal(x, DIGITS_WITHOUT_BOUND)
    error == 0 && return decimal(x, MOST_DIGITS)
    digits = x.hi == 0 ? 0 : floor(Int, log10(abs(x.hi))) - ceil(Int, log10(2 * error)) + 1
    digits >= 1 && return decimal(x, min(digits, MOST_DIGITS))
    return "0e$(ceil(Int, log10(abs(x.hi) + error)))"
end
