# Newton's method in a trust region for many parameters: products with the Hessian, no matrix.

"""
    NewtonCG(P, matrix)

The truncated Newton method of Steihaug and Toint: conjugate gradients as far as the gradient's size asks for, so that it
converges superlinearly. Products come from `hvp!`, or, with `matrix`, from a Hessian made once a step.
"""
mutable struct NewtonCG <: AbstractMethod
    cg::Steihaug
    region::TrustRegion
    H::Matrix{Float64}              # empty without `matrix`
    H_current::Bool
    first_slope::Float64            # norm of the first gradient
    last_length::Float64
end

NewtonCG(P::Int, matrix::Bool) =
    NewtonCG(Steihaug(P), TrustRegion(1.0), matrix ? zeros(P, P) : zeros(0, 0), false, 1.0, 0.0)

filled(m::NewtonCG) = (H = m.H_current ? size(m.H, 2) : 0,)

SOLVERS[:newton_cg] = PlainSolver{:newton_cg}
requirements(::PlainSolver{:newton_cg}) = (:curvature,)
make_method(::PlainSolver{:newton_cg}, o::AbstractObjective) = NewtonCG(nparams(o), !has_products(o))

name(::NewtonCG) = :newton_cg
iteration_cost(m::NewtonCG) = m.H_current ? 1 : 2
stepsize(m::NewtonCG) = m.last_length

function prepare!(m::NewtonCG, run::OptimRun)
    m.region.radius = max(1.0, 0.1 * norm(run.x))
    m.H_current = false
    m.cg.curvature = 0.0
    m.first_slope = norm(run.g)
    return nothing
end

# Conjugate gradients lose their orthogonality, and may then need more steps than there are parameters.
most_products(m::NewtonCG, run::OptimRun) =
    isempty(m.H) ? min(10 * length(run.x) + 20, run.options.maxevaluations - evaluations(run) - 1) : 10 * length(run.x) + 20

# The part of the gradient that may be left; it vanishes with the gradient, so that convergence is superlinear.
forcing(m::NewtonCG, run::OptimRun) = min(0.1, sqrt(norm(run.g) / m.first_slope))

function iterate!(m::NewtonCG, run::OptimRun)
    m.region.radius < TR_HORIZON || return :diverged
    isempty(m.H) || m.H_current || evaluate_hessian!(m.H, run)
    m.H_current = true
    product!(out, v) = isempty(m.H) ? evaluate_product!(out, run, v) : mul!(out, m.H, v)
    m.last_length = steihaug!(m.cg, product!, run.g, m.region.radius, forcing(m, run) * norm(run.g), most_products(m, run))
    isfinite(m.last_length) || return :diverged
    m.last_length > 0 || return :stalled
    @. run.xnew = run.x + m.cg.s
    lossnew = evaluate_trial!(run)
    ratio = reduction_ratio(run, lossnew, m.cg.s, m.cg.predicted, loss_noise(run, m.cg.curvature))
    update!(m.region, ratio, m.last_length)
    run.nonfinite_trial = isnan(ratio)
    if ratio >= TR_ACCEPT
        m.H_current = false
        return move_on!(run, lossnew)
    end
    lossnew == -Inf && return :diverged
    return m.region.radius <= eps() * norm(run.x) ? rounding_reason(run) : :rejected
end
