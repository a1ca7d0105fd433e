# How fast the stiffest direction of the flow decays: an upper estimate of the largest eigenvalue of diag(tauinv) H, which
# decides how many stages a stabilized explicit method needs.
#
# diag(tauinv) H has the eigenvalues of the symmetric S = D^(1/2) H D^(1/2), D = diag(tauinv) on the parameters that move.
# A few Lanczos steps on S (B. N. Parlett, The Symmetric Eigenvalue Problem, ch. 13), with all vectors kept orthogonal,
# give the largest Ritz value and the norm of its residual; their sum is used. Negative eigenvalues, however large, cost
# accuracy and not stability: they are not looked for.

const LANCZOS_STEPS = 8             # vectors of the basis; then a new basis starts from the Ritz vector
const LANCZOS_CYCLES = 4
const LANCZOS_FIRST_CHECK = 3       # steps before the residual is believed
const RITZ_RESIDUAL = 0.05          # relative to the Ritz value; the estimate is that much too large at most
const RITZ_RESIDUAL_NEGATIVE = 0.005    # relative to negative ones, whose growth keeps the steps short anyway
const RADIUS_SAFETY = 1.1           # for growth until the next estimate and along a step, and for Ritz values of the second largest
const ESTIMATE_SHARE = 20           # gradients spent between estimates, in units of what the last one cost
const PRODUCT_COST = 2              # a product of the Hessian with a vector, in gradients
const ESTIMATE_STEPS = 25           # accepted steps between estimates, at most; the number of Sommeijer, Shampine, Verwer
const START_VELOCITY = 0.1          # parts of the velocity and of a fixed disorder in the starting direction
const START_DISORDER = 0.05

"""
    SpectralRadius(P)

The estimate and what it takes to renew it, for `P` parameters: `value` (NaN: not known), the last Ritz vector, a basis of
$LANCZOS_STEPS vectors.
"""
mutable struct SpectralRadius
    value::Float64
    basis::Matrix{Float64}          # Lanczos vectors, in the scaled coordinates v = D^(-1/2) dx
    alpha::Vector{Float64}
    beta::Vector{Float64}
    ritz::Vector{Float64}
    weights::Vector{Float64}        # of the Lanczos vectors in the Ritz vector
    direction::Vector{Float64}
    image::Vector{Float64}
    estimates::Int
    products::Int                   # of the last estimate
    steps::Int                      # accepted since then
    gradients::Int                  # spent since then
    attempted::Bool                 # a step from this point was tried and has not been accepted
end

function SpectralRadius(P::Integer)
    m = min(LANCZOS_STEPS, P)
    return SpectralRadius(NaN, zeros(P, m), zeros(m), zeros(m), zeros(P), zeros(m), zeros(P), zeros(P), 0, 0, 0, 0, false)
end

function reset!(r::SpectralRadius)
    r.value = NaN
    r.attempted = false
    return r
end

function note_accepted!(r::SpectralRadius, gradients::Int)
    r.steps += 1
    r.gradients += gradients
    r.attempted = false
    return nothing
end

# Not known, old, or of an earlier point when a step has just failed.
function is_due(r::SpectralRadius)
    isnan(r.value) && return true
    r.steps == 0 && return false
    return r.attempted || r.steps >= ESTIMATE_STEPS || r.gradients >= ESTIMATE_SHARE * PRODUCT_COST * r.products
end

"""
    refresh!(r, problem, state) -> Float64

An upper estimate of the largest eigenvalue of diag(tauinv) H near `state.x`, renewed when it is due; at least 0. NaN when
no product is left in the budget or the Hessian is not finite.
"""
function refresh!(r::SpectralRadius, problem::FlowProblem, state::FlowState)
    is_due(r) || return r.value
    before = problem.product_evaluations
    bound = largest_eigenvalue!(r, problem, state.x, state.f)
    # A budget that ends here leaves an earlier estimate in place.
    isnan(bound) && exhausted(problem) && return r.value
    r.value = RADIUS_SAFETY * max(bound, 0.0)
    r.products = problem.product_evaluations - before
    r.steps = r.gradients = 0
    return r.value
end

# Largest Ritz value plus its residual norm. Stops early when the budget does.
function largest_eigenvalue!(r::SpectralRadius, problem::FlowProblem, x::Vector{Float64}, f::Vector{Float64})
    start_direction!(r, problem, f)
    bound = isempty(problem.moving) ? 0.0 : NaN
    for _ in 1:LANCZOS_CYCLES
        normalize_column!(r.basis, 1) || return bound
        for j in 1:size(r.basis, 2)
            exhausted(problem) && return bound
            isfinite(lanczos_step!(r, problem, x, j)) || return NaN
            theta, residual = ritz_pair!(r, j)
            bound = theta + residual
            enough = max(RITZ_RESIDUAL * abs(theta), -RITZ_RESIDUAL_NEGATIVE * minimum(view(r.alpha, 1:j)))
            small = residual <= enough && j >= LANCZOS_FIRST_CHECK || r.beta[j] == 0
            if small || j == size(r.basis, 2)
                ritz_vector!(r, j)
                small && return bound
                break
            end
        end
        copyto!(r.basis, 1, r.ritz, 1, length(r.ritz))
    end
    return bound
end

# The last Ritz vector, the velocity (which shows what is unstable) and some disorder, the same in every run, so that no
# direction is missed.
function start_direction!(r::SpectralRadius, problem::FlowProblem, f::Vector{Float64})
    r.estimates += 1
    v, P = r.basis, length(f)
    ritz, velocity, disorder = 0.0, 0.0, 0.0
    @inbounds for i in problem.moving
        ritz += r.ritz[i]^2
        velocity += f[i]^2 / problem.tauinv[i]
        disorder += scrambled(i, r.estimates)^2
    end
    a = ritz > 0 ? 1 / sqrt(ritz) : 0.0
    b = velocity > 0 && isfinite(velocity) ? START_VELOCITY / sqrt(velocity) : 0.0
    c = START_DISORDER / sqrt(disorder)
    @inbounds for i in 1:P
        v[i, 1] = 0.0
    end
    @inbounds for i in problem.moving
        v[i, 1] = a * r.ritz[i] + b * f[i] / sqrt(problem.tauinv[i]) + c * scrambled(i, r.estimates)
    end
    return r
end

# A number in [-1, 1) from two integers: the finalizer of splitmix64 (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014).
function scrambled(i::Int, k::Int)
    z = (i % UInt64 + (k % UInt64) << 40) * 0x9e3779b97f4a7c15
    z = (z ⊻ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ⊻ (z >> 27)) * 0x94d049bb133111eb
    return (z ⊻ (z >> 31)) / 2.0^63 - 1.0
end

function column_dot(A::Matrix{Float64}, j::Int, w::Vector{Float64})
    total = 0.0
    @inbounds @simd for i in eachindex(w)
        total += A[i, j] * w[i]
    end
    return total
end

function normalize_column!(A::Matrix{Float64}, j::Int)
    total = 0.0
    @inbounds @simd for i in axes(A, 1)
        total += A[i, j]^2
    end
    total > 0 && isfinite(total) || return false
    factor = 1 / sqrt(total)
    @inbounds @simd for i in axes(A, 1)
        A[i, j] *= factor
    end
    return true
end

# The image of Lanczos vector j, made orthogonal to all vectors; it becomes vector j+1 where there is room for it.
# Returns alpha_j + beta_j.
function lanczos_step!(r::SpectralRadius, problem::FlowProblem, x::Vector{Float64}, j::Int)
    V, w, dx, tauinv = r.basis, r.image, r.direction, problem.tauinv
    @inbounds for i in eachindex(w)
        dx[i] = sqrt(tauinv[i]) * V[i, j]
    end
    product!(w, problem, x, dx)
    @inbounds for i in eachindex(w)
        w[i] *= sqrt(tauinv[i])
    end
    @inbounds for i in problem.frozen
        w[i] = 0.0
    end
    size_before = sqrt(sum(abs2, w))
    r.alpha[j] = column_dot(V, j, w)
    for pass in 1:2, k in j:-1:1
        overlap = column_dot(V, k, w)
        @inbounds @simd for i in eachindex(w)
            w[i] -= overlap * V[i, k]
        end
    end
    beta = sqrt(sum(abs2, w))
    # What rounding leaves of a vector in the span of the basis is no direction.
    r.beta[j] = beta > 1e-12 * size_before ? beta : 0.0
    if j < size(V, 2) && r.beta[j] > 0
        @inbounds @simd for i in eachindex(w)
            V[i, j+1] = w[i] / beta
        end
    end
    return r.alpha[j] + beta
end

# The largest eigenvalue of the tridiagonal matrix of the first j steps by bisection (Sturm sequences), and the residual
# norm of its Ritz pair, beta_j times the last component of the eigenvector.
function ritz_pair!(r::SpectralRadius, j::Int)
    alpha, beta, s = r.alpha, r.beta, r.weights
    low, high = -Inf, -Inf
    for k in 1:j
        radius = (k > 1 ? beta[k-1] : 0.0) + (k < j ? beta[k] : 0.0)
        low, high = max(low, alpha[k]), max(high, alpha[k] + radius)
    end
    while high - low > 1e-10 * max(abs(low), abs(high))
        middle = (low + high) / 2
        low < middle < high || break
        any_above(alpha, beta, j, middle) ? (low = middle) : (high = middle)
    end
    s[1], total = 1.0, 1.0
    for k in 1:j-1
        s[k+1] = ((high - alpha[k]) * s[k] - (k > 1 ? beta[k-1] * s[k-1] : 0.0)) / beta[k]
        total += s[k+1]^2
    end
    for k in 1:j
        s[k] /= sqrt(total)
    end
    return high, beta[j] * abs(s[j])
end

# Whether the tridiagonal matrix has an eigenvalue above `value`: a pivot of its difference with it is positive.
function any_above(alpha::Vector{Float64}, beta::Vector{Float64}, j::Int, value::Float64)
    pivot = alpha[1] - value
    for k in 2:j
        pivot >= 0 && return true
        pivot = alpha[k] - value - beta[k-1]^2 / pivot
    end
    return pivot >= 0
end

function ritz_vector!(r::SpectralRadius, j::Int)
    @inbounds for i in eachindex(r.ritz)
        total = 0.0
        for k in 1:j
            total += r.weights[k] * r.basis[i, k]
        end
        r.ritz[i] = total
    end
    return r
end
