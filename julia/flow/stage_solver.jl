# What a diagonally implicit method asks of its linear algebra: solve M d = r, where
#
#     M = diag(1/(gamma dt tauinv)) + H
#
# is symmetric, and positive definite unless the step is longer than 1/gamma times the growth time of an unstable
# direction. Frozen parameters have r_i = 0 and get d_i = 0.

"""
    StageSolver

Linear algebra of the stages of `ESDIRK`. A subtype `L` has a constructor `L(P::Int)` and methods of

    method_name(L)::Symbol                        the stepper's name
    usual_cost(L)::Int                            evaluations of a usual step
    forget!(l)                                    forget everything about the last point
    prepare!(l, problem, state, ahead, curvature) before the stages of a step: :ready, or why not (:exhausted, :nonfinite,
                                                  :indefinite). `ahead` is where the step is likely to lead
    renew!(l, problem, state, place)              Newton's iteration was too slow: do something about it near `place`.
                                                  :ready, or why not (:slow when there is nothing to do)
    solve!(d, l, problem, dt, point, weight)      d = M \\ d with H at `point` or near it: :solved or why not. d .* weight is
                                                  in units of the tolerance
    guess!(d, l, problem, dt)                     roughly the same, without an evaluation
    extent(l, point, d)::Float64                  a length to which Newton's rate of convergence is proportional (the factor is
                                                  `curvature`): how far H was from where it should have been
    slack(l, dt)::Float64                         the part of the rate that has other reasons
    step_done!(l, iterations)                     the step was taken, with so many Newton iterations
    largest_eigenvalue(l, problem)::Float64       of diag(tauinv) H, roughly, without an evaluation; 0: not known
"""
abstract type StageSolver end

# Part of the step's tolerance that the error of a stage may have.
const NEWTON_TOLERANCE = 0.01

"""
    Renewal(cost)

When to replace something that grows old: as soon as the last step's work is more than the average of all steps since the last
replacement, which cost `cost`. For work that grows with age this makes the total least.
"""
mutable struct Renewal
    cost::Float64
    work::Float64
    steps::Int
    due::Bool
end

Renewal(cost::Real) = Renewal(cost, cost, 0, false)

function renewed!(r::Renewal)
    r.work = r.cost
    r.steps = 0
    r.due = false
    return r
end

function note!(r::Renewal, work::Real)
    r.work += work
    r.steps += 1
    r.due = work > r.work / r.steps
    return r
end
