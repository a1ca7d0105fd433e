# What a flow returns.

"""
    FlowResult

The end of a gradient flow and what it cost.

- `status`: why it ended, see `status_message`
- `t`, `x`, `loss`, `gnorm`: the flow's end; `gnorm` is the infinity norm of grad L (without `tauinv`) over the
  parameters that are not frozen
- `best_x`, `best_loss`: the point of lowest loss among the start and all accepted steps
- `growth`: the direction (unit length) in which the parameters run away: where they left the finite numbers, or drifted steadily
  outwards over the last three decades of time (an endless flow that ends so without meeting a tolerance is `:diverged`);
  otherwise empty
- `trajectory`: a `Trajectory`, from the start to the flow's end
- `iterations = accepted + rejected` steps
- `gradient_evaluations`, `hessian_evaluations`, `product_evaluations` (Hessian times a vector), `factorizations`
- `algorithm`: the integrator that made the last step, or the rule of a discrete dynamics, whose `t` is the sum of its
  learning rates; `handovers`: `(time, integrator)` of every stretch, in order
- `time`: seconds
"""
struct FlowResult
    status::Symbol
    t::Float64
    x::Vector{Float64}
    loss::Float64
    gnorm::Float64
    best_x::Vector{Float64}
    best_loss::Float64
    growth::Vector{Float64}
    trajectory::Trajectory
    iterations::Int
    accepted::Int
    rejected::Int
    gradient_evaluations::Int
    hessian_evaluations::Int
    product_evaluations::Int
    factorizations::Int
    algorithm::Symbol
    handovers::Vector{Tuple{Float64,Symbol}}
    time::Float64
end

function Base.show(io::IO, r::FlowResult)
    print(io, "FlowResult(:", r.status, ", t = ", r.t, ", loss = ", r.loss, ", gnorm = ", r.gnorm, ", ",
          r.accepted, " + ", r.rejected, " steps of ", r.algorithm, ")")
end
