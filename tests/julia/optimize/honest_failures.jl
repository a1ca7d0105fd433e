# Where each optimizer ends on the problems of More, Garbow and Hillstrom when that is no published minimum, from 1, 10 and 100 times
# the standard start. test_more_garbow_hillstrom.jl holds what happens against it, and docs/optimizers.md shows it.

module HonestFailures

using MLPFlow
isdefined(Main, :MoreGarbowHillstrom) || Base.include(Main, joinpath(@__DIR__, "more_garbow_hillstrom.jl"))
using Main.MoreGarbowHillstrom

export CASES, FACTORS, FAILURES, Failures, outcome, as_markdown

const FACTORS = (1, 10, 100)

const CASES = [
    "newton" => :newton, "newton_cg" => :newton_cg, "levenberg_marquardt" => :levenberg_marquardt,
    "levenberg_marquardt, radius" => LevenbergMarquardt(damping = :radius),
    "levenberg_marquardt, not geodesic" => LevenbergMarquardt(geodesic = false),
    "gauss_newton" => :gauss_newton, "bfgs" => :bfgs, "lbfgs" => :lbfgs]

"""
    Failures

Names of problems: `other`, the run ends at a minimum that the paper does not list, or at infinity, or where the gradient underflows;
`none`, it ends short of any; `varies`, what of the three happens depends on the rounding of the BLAS kernel or of the machine.
"""
struct Failures
    other::Vector{String}
    none::Vector{String}
    varies::Vector{String}
end

"Run to the rounding level: where it ends, by the exact loss there, and the result."
function outcome(p::Problem, solver, factor; x0 = start(p, factor))
    r = optimize(objective(p), x0; solver = solver, min_gnorm = 0.0, minloss = 0.0, maxtime = Inf, maxiterations = 3000)
    return minimum_reached(p, exact_gradient(p, r.x)[1]), r
end

# BEGIN TABLE
const FAILURES = Dict{Tuple{String,Int},Failures}(
    ("newton", 1) => Failures(String[], String[], String[]),
    ("newton", 10) => Failures(["osborne2", "trigonometric"], ["meyer", "osborne1"], String[]),
    ("newton", 100) => Failures(["gulf", "box", "osborne2"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer", "biggs"], ["brown_almost_linear"]),
    ("newton_cg", 1) => Failures(String[], String[], String[]),
    ("newton_cg", 10) => Failures(["osborne2", "trigonometric"], ["meyer", "osborne1"], String[]),
    ("newton_cg", 100) => Failures(["gulf", "box", "osborne2"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer"], ["brown_almost_linear"]),
    ("levenberg_marquardt", 1) => Failures(String[], String[], String[]),
    ("levenberg_marquardt", 10) => Failures(["osborne2", "trigonometric"], String[], ["meyer"]),
    ("levenberg_marquardt", 100) => Failures(["gulf", "box", "osborne2"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer", "biggs"], String[]),
    ("levenberg_marquardt, radius", 1) => Failures(String[], String[], String[]),
    ("levenberg_marquardt, radius", 10) => Failures(["beale", "jennrich_sampson", "osborne2"], String[], String[]),
    ("levenberg_marquardt, radius", 100) => Failures(["beale", "gulf", "box", "osborne2"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer", "kowalik_osborne", "biggs"], String[]),
    ("levenberg_marquardt, not geodesic", 1) => Failures(String[], String[], String[]),
    ("levenberg_marquardt, not geodesic", 10) => Failures(["osborne2", "trigonometric"], String[], ["meyer"]),
    ("levenberg_marquardt, not geodesic", 100) => Failures(["gulf", "box", "osborne2"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer", "biggs"], String[]),
    ("gauss_newton", 1) => Failures(String[], String[], String[]),
    ("gauss_newton", 10) => Failures(["beale", "jennrich_sampson", "box", "osborne2", "trigonometric"], String[], ["biggs"]),
    ("gauss_newton", 100) => Failures(["beale", "gulf", "osborne1", "osborne2"],
        ["powell_badly_scaled", "jennrich_sampson", "box"], ["meyer", "kowalik_osborne", "biggs"]),
    ("bfgs", 1) => Failures(["broyden_banded"], String[], String[]),
    ("bfgs", 10) => Failures(["osborne2", "broyden_tridiagonal", "broyden_banded"],
        ["meyer", "kowalik_osborne"], ["powell_badly_scaled", "osborne1"]),
    ("bfgs", 100) => Failures(["gulf", "box", "osborne2", "broyden_tridiagonal", "broyden_banded"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer", "kowalik_osborne"], String[]),
    ("lbfgs", 1) => Failures(["broyden_banded"], String[], String[]),
    ("lbfgs", 10) => Failures(["osborne2", "trigonometric", "broyden_tridiagonal", "broyden_banded"],
        ["meyer", "kowalik_osborne", "osborne1"], ["powell_badly_scaled"]),
    ("lbfgs", 100) => Failures(["gulf", "box", "osborne2", "trigonometric", "broyden_tridiagonal", "broyden_banded"],
        ["powell_badly_scaled", "jennrich_sampson", "meyer", "kowalik_osborne"], String[]))
# END TABLE

function as_markdown()
    lines = ["| optimizer | from 1 × the start | from 10 × | from 100 × |", "|---|---|---|---|"]
    for (name, _) in CASES
        push!(lines, "| " * join([name; [cell(FAILURES[(name, factor)]) for factor in FACTORS]], " | ") * " |")
    end
    return join(lines, '\n')
end

function cell(f::Failures)
    reached = length(PROBLEMS) - length(f.other) - length(f.none) - length(f.varies)
    parts = ["$reached of $(length(PROBLEMS))"]
    for (label, names) in ("elsewhere" => f.other, "short" => f.none, "by rounding" => f.varies)
        isempty(names) || push!(parts, label * ": " * join(map(n -> replace(n, "_" => " "), names), ", "))
    end
    return join(parts, "; ")
end

end
