# What explicit Runge-Kutta methods share: sums over stages, and the detection of stiffness.

# sum_j a_j k_j at index i over a tuple of stages, unrolled by the compiler.
@inline combine(a::Tuple{Float64}, k::Tuple{Vector{Float64}}, i::Int) = @inbounds a[1] * k[1][i]
@inline function combine(a::NTuple{M,Float64}, k::NTuple{M,Vector{Float64}}, i::Int) where {M}
    @inbounds return muladd(a[1], k[1][i], combine(Base.tail(a), Base.tail(k), i))
end

# y = x + dt sum_j a_j k_j, one pass over memory.
function stage_point!(y::Vector{Float64}, x::Vector{Float64}, dt::Float64, a::NTuple{M,Float64},
                      k::NTuple{M,Vector{Float64}}) where {M}
    @inbounds @simd ivdep for i in eachindex(y)
        y[i] = muladd(dt, combine(a, k, i), x[i])
    end
    return y
end

# The velocities of two stages that belong to the same time: their difference measures the stiffest direction excited in
# this step.
function lipschitz(ka::Vector{Float64}, kb::Vector{Float64}, xa::Vector{Float64}, xb::Vector{Float64})
    df, dx = 0.0, 0.0
    @inbounds @simd for i in eachindex(ka)
        df += abs2(ka[i] - kb[i])
        dx += abs2(xa[i] - xb[i])
    end
    return dx > 0 ? sqrt(df / dx) : 0.0
end

# Counts the accepted steps with `s.rate` (dt times the local Lipschitz constant) above `bound`. A stiff stretch ends with 6
# ordinary steps in a row (Hairer, Wanner, Solving Ordinary Differential Equations II, IV.2).
function count_stiffness!(s::AbstractStepper, bound::Float64)
    if s.rate > bound
        s.stiff_steps += 1
        s.other_steps = 0
    elseif s.stiff_steps > 0
        s.other_steps += 1
        s.other_steps >= 6 && (s.stiff_steps = 0)
    end
    return nothing
end

function forget_stiffness!(s::AbstractStepper)
    s.stiff_steps = 0
    s.other_steps = 0
    return nothing
end
