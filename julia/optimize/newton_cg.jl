# Newton's method in a trust region for many parameters: products with the Hessian, no matrix.

"""
    NewtonCG(P, matrix; scaling = :none)

The truncated Newton method: conjugate gradients as far as the gradient's size asks for, so that it converges superlinearly. They run
as a Lanczos process whose basis is kept, in which Newton's method takes its exact trust-region steps; where a basis would be too
large, as the recurrences of Steihaug and Toint. Products come from `hvp!`, or, with `matrix`, from a Hessian made once a step, whose
diagonal then gives the `scaling`. Negative curvature in a direction that the gradient does not reach stays unseen.
"""
mutable struct NewtonCG <: AbstractMethod
    newton::Newton
    lanczos::Lanczos
    cg::Steihaug
    H::Matrix{Float64}              # empty without `matrix`
    H_current::Bool
    first_slope::Float64            # norm of the first gradient
    recurrences::Bool               # a basis would be too large
end

NewtonCG(P::Int, matrix::Bool; scaling::Symbol=:none) =
    NewtonCG(Newton(P, scaling; matrix=false), Lanczos(P), Steihaug(P), matrix ? zeros(P, P) : zeros(0, 0), false, 1.0, false)

filled(m::NewtonCG) = (H = m.H_current ? size(m.H, 2) : 0,)

SOLVERS[:newton_cg] = PlainSolver{:newton_cg}
requirements(::PlainSolver{:newton_cg}) = (:curvature,)
make_method(::PlainSolver{:newton_cg}, o::AbstractObjective) =
    NewtonCG(nparams(o), !has_products(o); scaling=has_products(o) ? :none : chosen_scaling(:auto, o))

name(::NewtonCG) = :newton_cg
iteration_cost(m::NewtonCG) = m.newton.model_current || m.H_current ? 1 : 2
stepsize(m::NewtonCG) = m.newton.last_length

function prepare!(m::NewtonCG, run::OptimRun)
    prepare!(m.newton, run)
    m.H_current = m.recurrences = false
    m.cg.curvature = 0.0
    m.first_slope = norm(run.g)
    return nothing
end

# The part of the gradient that may be left; it vanishes with the gradient, so that convergence is superlinear.
forcing(m::NewtonCG, run::OptimRun) = min(0.1, sqrt(norm(run.g) / m.first_slope))

# One gradient must be left for the trial.
most_products(m::NewtonCG, run::OptimRun, wanted::Int) =
    isempty(m.H) ? min(wanted, run.options.maxevaluations - evaluations(run) - 1) : wanted

product!(m::NewtonCG, run::OptimRun, out, v) = isempty(m.H) ? evaluate_product!(out, run, v) : mul!(out, m.H, v)

function iterate!(m::NewtonCG, run::OptimRun)
    m.newton.region.radius < TR_HORIZON || return :diverged
    refresh_matrix!(m, run) || return :diverged
    m.recurrences && return iterate_by_recurrences!(m, run)
    refresh_model!(m, run) || return :diverged
    # The model is current: this only solves, tries and judges.
    status = iterate!(m.newton, run)
    m.newton.model_current || (m.H_current = false)
    return status
end

function refresh_matrix!(m::NewtonCG, run::OptimRun)
    (isempty(m.H) || m.H_current) && return true
    evaluate_hessian!(m.H, run)
    m.H_current = true
    return all(isfinite, m.H)
end

function refresh_model!(m::NewtonCG, run::OptimRun)
    newton = m.newton
    newton.model_current && return true
    model, radius = newton.model, newton.region.radius
    set_scales!(m)
    @. m.cg.r = run.g / model.D
    tolerance = forcing(m, run) * norm(m.cg.r)
    space = krylov_model!(model, m.lanczos, (out, v) -> product!(m, run, out, v), run.g, run.loss, radius, tolerance,
                          most_products(m, run, length(run.x)))
    space === :nonfinite && return false
    # The basis is full, and the next one would be too: from the next step on without.
    m.recurrences = space === :exhausted && size(model.Q, 2) < length(run.x)
    newton.model_current, newton.try_absolute = true, false
    return true
end

function set_scales!(m::NewtonCG)
    model = m.newton.model
    isempty(m.H) && return fill!(model.D, 1.0)
    for j in eachindex(model.diagonal)
        model.diagonal[j] = m.H[j, j]
    end
    return scale!(model.D, model.diagonal, m.newton.scaling)
end

# Conjugate gradients lose their orthogonality, and may then need more steps than there are parameters.
function iterate_by_recurrences!(m::NewtonCG, run::OptimRun)
    newton = m.newton
    most = most_products(m, run, 10 * length(run.x) + 20)
    length_ = steihaug!(m.cg, (out, v) -> product!(m, run, out, v), run.g, newton.region.radius, forcing(m, run) * norm(run.g), most)
    newton.last_length = length_
    isfinite(length_) || return :diverged
    length_ > 0 || return :stalled
    @. run.xnew = run.x + m.cg.s
    lossnew = evaluate_trial!(run)
    ratio = reduction_ratio(run, lossnew, m.cg.s, m.cg.predicted, loss_noise(run, m.cg.curvature))
    update!(newton.region, ratio, length_)
    run.nonfinite_trial = isnan(ratio)
    if ratio >= TR_ACCEPT
        m.H_current = newton.model_current = false
        return move_on!(run, lossnew)
    end
    lossnew == -Inf && return :diverged
    return newton.region.radius <= eps() * norm(run.x) ? rounding_reason(run) : :rejected
end
