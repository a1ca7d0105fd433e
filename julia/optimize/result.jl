# What an optimization returns.

"""
    OptimResult

- `status`: why it ended, see `status_message`
- `x`, `loss`, `gnorm`: the best point; `gnorm` is the infinity norm of the gradient. Best means lowest loss, and among
  losses that rounding cannot tell apart, lowest gradient norm
- `iterations`: trial steps, accepted or not (BFGS: line searches)
- `gradient_evaluations`, `hessian_evaluations` (Gauss-Newton matrices and Jacobians too), `product_evaluations` (Hessian times a
  vector, accelerations along a step), `factorizations` (eigendecompositions)
- `loss_curve`, `gnorm_curve`, `iteration_curve`: along accepted iterations, at most 10^4 entries, start and end included
- `algorithm`: the name of the method, also where `:auto` chose it
- `handovers`: (iteration, method) of every stretch: methods for least squares hand over to Newton's
- `time`: seconds
- `converged`: the gradient or the loss tolerance was met
"""
struct OptimResult
    status::Symbol
    x::Vector{Float64}
    loss::Float64
    gnorm::Float64
    iterations::Int
    gradient_evaluations::Int
    hessian_evaluations::Int
    product_evaluations::Int
    factorizations::Int
    loss_curve::Vector{Float64}
    gnorm_curve::Vector{Float64}
    iteration_curve::Vector{Int}
    algorithm::Symbol
    handovers::Vector{Tuple{Int,Symbol}}
    time::Float64
    converged::Bool
end

function Base.show(io::IO, r::OptimResult)
    print(io, "OptimResult(:", r.status, ", loss = ", r.loss, ", gnorm = ", r.gnorm, ", ", r.iterations,
          " iterations of ", r.algorithm, ")")
end
