# The quadratic model of the loss in the eigenbasis of its Hessian, where every trust-region subproblem is one equation
# in one unknown.
#
# J. J. More, D. C. Sorensen, "Computing a trust region step", SIAM J. Sci. Stat. Comput. 4 (1983) 553-572.
# A. R. Conn, N. I. M. Gould, Ph. L. Toint, Trust-Region Methods (2000), chapter 7.

# Eigenvalues below this, relative to the largest, cannot be told from zero.
const EIGENVALUE_ROUNDING = 16 * eps()
# And slopes below this, relative to the terms that they are sums of.
const SLOPE_ROUNDING = 4 * eps()

"""
    SpectralModel(P, matrix = true)

The model m(s) = g's + s'Hs/2 in scaled variables, D^-1 H D^-1 = Q diag(lambda) Q' and ghat = Q'D^-1 g. `shat` is the last step
asked for, in the eigenbasis (s = D^-1 Q shat), and `shift` the mu of (H + mu D^2) s = -g that made it; lengths are those of Ds.
Eigenvalues at rounding level count as zero, and along those directions so does a gradient at rounding level: dividing one rounding error by another would send the step anywhere
on a manifold of minima. Q may have fewer columns than P: the model then knows the subspace that they span (`matrix = false`).
"""
mutable struct SpectralModel
    H::Matrix{Float64}
    diagonal::Vector{Float64}       # of H
    D::Vector{Float64}
    scaled_g::Vector{Float64}
    lambda::Vector{Float64}
    Q::Matrix{Float64}
    ghat::Vector{Float64}
    shat::Vector{Float64}
    shift::Float64
end

SpectralModel(P::Int, matrix::Bool=true) =
    SpectralModel(matrix ? zeros(P, P) : zeros(0, 0), zeros(P), ones(P), zeros(P), zeros(P), matrix ? zeros(P, P) : zeros(P, 0),
                  zeros(P), zeros(P), 0.0)

filled(::SpectralModel) = (H = 0,)      # the decomposition has overwritten it

"""
    decompose!(model, g, loss, scaling = :none) -> Bool

Replace `model.H` by its eigendecomposition and take the gradient `g` over to the eigenbasis. False, and nothing done, when
the Hessian is not finite.
"""
function decompose!(model::SpectralModel, g::Vector{Float64}, loss::Float64, scaling::Symbol=:none)
    all(isfinite, model.H) || return false
    for j in eachindex(model.diagonal)
        model.diagonal[j] = model.H[j, j]
    end
    scale!(model.D, model.diagonal, scaling)
    for j in axes(model.H, 2), i in axes(model.H, 1)
        model.H[i, j] /= model.D[i] * model.D[j]
    end
    model.lambda, model.Q = eigen!(Symmetric(model.H))
    take_gradient!(model, g, loss)
    return true
end

# The gradient in the eigenbasis, and what is rounding there set to zero.
function take_gradient!(model::SpectralModel, g::Vector{Float64}, loss::Float64)
    to_eigenbasis!(model.ghat, model, g)
    largest = largest_curvature(model)
    zero_lambda = EIGENVALUE_ROUNDING * largest
    # The terms of a gradient are as large as sqrt(loss * curvature) when the loss is a mean of squares.
    zero_slope = SLOPE_ROUNDING * (norm(model.ghat) + sqrt(abs(loss) * largest))
    @inbounds for i in eachindex(model.lambda)
        if abs(model.lambda[i]) <= zero_lambda
            model.lambda[i] = 0.0
            abs(model.ghat[i]) <= zero_slope && (model.ghat[i] = 0.0)
        end
    end
    return nothing
end

# A gradient in the eigenbasis, and a step back from it.

function to_eigenbasis!(vhat::Vector{Float64}, model::SpectralModel, v::Vector{Float64})
    @. model.scaled_g = v / model.D
    return mul!(vhat, model.Q', model.scaled_g)
end

function from_eigenbasis!(s::Vector{Float64}, model::SpectralModel, shat::Vector{Float64})
    mul!(s, model.Q, shat)
    @. s /= model.D
    return s
end

largest_curvature(model::SpectralModel) = max(abs(model.lambda[1]), abs(model.lambda[end]))

indefinite(model::SpectralModel) = model.lambda[1] < 0

# Norm of s(nu) = -ghat / (lambda - lambda_1 + nu). Writing the shift as nu = mu + lambda_1 >= 0 keeps it accurate when
# it is tiny: the nearly hard case.
function shifted_norm(model::SpectralModel, nu::Float64)
    total, first = 0.0, model.lambda[1]
    @inbounds for i in eachindex(model.lambda)
        iszero(model.ghat[i]) && continue
        total += abs2(model.ghat[i] / ((model.lambda[i] - first) + nu))
    end
    return sqrt(total)
end

function shifted_step!(model::SpectralModel, nu::Float64)
    first = model.lambda[1]
    model.shift = max(nu - first, 0.0)
    @inbounds for i in eachindex(model.lambda)
        model.shat[i] = iszero(model.ghat[i]) ? 0.0 : -model.ghat[i] / ((model.lambda[i] - first) + nu)
    end
    return norm(model.shat)
end

# What the model says the step shat gains.
function predicted_reduction(model::SpectralModel)
    gain = 0.0
    @inbounds for i in eachindex(model.shat)
        gain -= model.shat[i] * (model.ghat[i] + 0.5 * model.lambda[i] * model.shat[i])
    end
    return gain
end

"""
    trust_region_step!(model, radius) -> Float64

Write the global minimiser of the model in the ball of `radius` into `model.shat` and return its length.
"""
function trust_region_step!(model::SpectralModel, radius::Float64)
    smallest = max(model.lambda[1], 0.0)
    shifted_norm(model, smallest) <= radius || return shifted_step!(model, boundary_shift(model, radius))
    length = shifted_step!(model, smallest)
    model.lambda[1] < 0 || return length
    # Hard case: the gradient does not reach the boundary; the direction of most negative curvature does.
    model.shat[1] = copysign(sqrt(max(abs2(radius) - abs2(length), 0.0)), model.shat[1])
    return radius
end

# The nu at which |s(nu)| = radius: Newton's method on 1/|s| - 1/radius, which is concave in nu, from a point left of
# the root, so that the iterates rise to it.
function boundary_shift(model::SpectralModel, radius::Float64)
    first = model.lambda[1]
    nu = max(first, 0.0)
    @inbounds for i in eachindex(model.lambda)
        nu = max(nu, abs(model.ghat[i]) / radius - (model.lambda[i] - first))
    end
    for _ in 1:50
        square, slope = 0.0, 0.0
        @inbounds for i in eachindex(model.lambda)
            iszero(model.ghat[i]) && continue
            d = (model.lambda[i] - first) + nu
            square += abs2(model.ghat[i] / d)
            slope += abs2(model.ghat[i] / d) / d
        end
        length = sqrt(square)
        length <= radius * (1 + 1e-10) && break
        nu += (square / slope) * ((length - radius) / radius)
    end
    return nu
end

# Least part of an absolute step that goes along the direction of most negative curvature.
const ESCAPE = 0.1

"""
    absolute_step!(model) -> Float64

Write the step with all eigenvalues replaced by their absolute values into `model.shat` and return its length. Close to
a manifold of minima the flat directions have curvatures of either sign that vanish with the gradient; a negative one
promises a gain at the boundary of the ball that does not exist, while this step stays of the size of the gradient and
converges quadratically. A tenth of it at least goes along the direction of most negative curvature: where the gradient is
orthogonal to that, the step would lead into a saddle.
"""
function absolute_step!(model::SpectralModel)
    model.shift = 0.0
    @inbounds for i in eachindex(model.lambda)
        model.shat[i] = iszero(model.ghat[i]) ? 0.0 : -model.ghat[i] / abs(model.lambda[i])
    end
    length = norm(model.shat)
    abs(model.shat[1]) < ESCAPE * length && (model.shat[1] = copysign(ESCAPE * length, model.shat[1]))
    return norm(model.shat)
end
