# The keywords of `optimize`, checked.

"""
    OptimOptions

The checked keywords of `optimize`; see there.
"""
struct OptimOptions
    solver::AbstractSolver
    min_gnorm::Float64
    minloss::Float64
    maxtime::Float64
    maxiterations::Int
    maxevaluations::Int
    patience::Int
end

function OptimOptions(; solver, min_gnorm, minloss, maxtime, maxiterations, maxevaluations, patience)
    chosen = as_solver(solver)
    require(min_gnorm >= 0, "expected min_gnorm >= 0, got $min_gnorm")
    require(!isnan(minloss), "expected a number for minloss, got NaN")
    require(maxtime >= 0, "expected maxtime >= 0 seconds, got $maxtime")
    require(maxiterations >= 0, "expected maxiterations >= 0, got $maxiterations")
    require(maxevaluations >= 0, "expected maxevaluations >= 0, got $maxevaluations")
    require(patience >= 1, "expected patience >= 1, got $patience")
    return OptimOptions(chosen, min_gnorm, minloss, maxtime, maxiterations, maxevaluations, patience)
end
