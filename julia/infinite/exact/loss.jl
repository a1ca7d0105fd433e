# The loss on infinite data as a mathematical function of the parameters.

"""
    ExactInfiniteLoss(net::NetI; maxnorm = Inf, merge = nothing)
    ExactInfiniteLoss(o::InfiniteObjective)

The function L(p) = E|f(x; p) - f*(x)|^2 + penalties over Gaussian inputs x, for evaluation in double-double arithmetic or with all
errors bounded. The teacher's parameters, mean and covariance of the inputs (its symmetric part, trusted to be positive
semidefinite), `maxnorm`, the strength of `merge` and the coefficients of polynomials are the numbers that they are in Float64.
Throws an `ArgumentError` for an activation without closed form: relu, sigmoid2, normal_cdf, exp, identity, square, cube and `Poly` (up to
degree $HIGHEST_DEGREE) have one.
"""
struct ExactInfiniteLoss <: AbstractExactLoss
    layers::Vector{Layer}
    K::Int                                      # neurons of the student; those of the teacher follow
    forms::Vector{ClosedForm}                   # one a neuron
    standard::Bool                              # the covariance is the unit matrix
    mean::Vector{Float64}
    covariance::Matrix{DoubleDouble}
    teacher_weights::Matrix{Float64}            # Din x neurons
    teacher_biases::Vector{Float64}
    teacher_outputs::Matrix{Float64}            # outputs x neurons, negative
    teacher_shift::Vector{Float64}
    teacher_singles::Vector{Ball}               # E[f_k]
    teacher_energy::Vector{Ball}                # E|f*|^2 without its output biases
    maxnorm::MaxNorm
    merge::Merge
end

ExactInfiniteLoss(net::NetI; kwargs...) = ExactInfiniteLoss(objective(net; kwargs...))

function ExactInfiniteLoss(o::InfiniteObjective)
    odd = without_closed_form(o)
    odd === nothing || throw(ArgumentError("expected activations whose expectations have closed forms, got $(activation_name(odd)): " *
                                           no_closed_form(odd)))
    hidden, output = o.teacher.layers
    w1, w2, n = layer_matrix(o.teacher.p, 1), layer_matrix(o.teacher.p, 2), hidden.nin
    S = o.inputs.covariance
    covariance = [scaled(DoubleDouble(two_sum(S[i, j], S[j, i])...), 0.5) for i in axes(S, 1), j in axes(S, 2)]
    exact = ExactInfiniteLoss(o.layers, o.K, ClosedForm[closed_form(f) for f in hidden_activations(o)], o.inputs.standard, o.inputs.mean,
                              covariance, permutedims(w1[:, 1:n]), hidden.bias ? w1[:, end] : zeros(hidden.nout),
                              -w2[:, 1:hidden.nout], output.bias ? w2[:, end] : zeros(output.nout), Ball[], Ball[],
                              o.maxnorm, o.merge)
    return with_teacher_constants!(exact)
end

hidden_activations(o::InfiniteObjective) = vcat(o.layers[1].activations, o.teacher.layers[1].activations)

# The first activation without closed form, or `nothing`.
function without_closed_form(o::InfiniteObjective)
    for f in hidden_activations(o)
        closed_form(f) === nothing && return f
    end
    return nothing
end

no_closed_form(f) = "The expectations of $(activation_name(f)) under Gaussian inputs have no closed form here: they are integrals " *
    "whose errors are estimated, not bounded; a gauss_hermite_net has samples."

nparams(o::ExactInfiniteLoss) = nparams(o.layers)

@inline first_index(o::ExactInfiniteLoss, k::Int, j::Int) = (j - 1) * o.K + k
@inline second_index(o::ExactInfiniteLoss, i::Int, k::Int) = nparams(o.layers[1]) + (k - 1) * o.layers[2].nout + i

has_constant(o::ExactInfiniteLoss) = o.layers[2].bias || !all(iszero, o.teacher_shift)

"""
    ExactNeurons{T}

Where the neurons of student and teacher are: weights `W` and covariance times weights `SW` (Din x neurons), means `m` and covariances `C`
of their arguments, output weights `A` (outputs x neurons), and the difference `c` of the output biases. `C` is filled in the
rows that `place` was asked for.
"""
struct ExactNeurons{T}
    W::Matrix{T}
    SW::Matrix{T}
    m::Vector{T}
    C::Matrix{T}
    A::Matrix{T}
    c::Vector{T}
end

# Student neurons at `x`; `rows`: the neurons whose covariances with the later ones are wanted.
function place(o::ExactInfiniteLoss, x::Vector{T}, rows) where {T<:Wide}
    n, N, Dout, (hidden, output) = size(o.teacher_weights, 1), length(o.forms), size(o.teacher_outputs, 1), o.layers
    student(k) = k <= o.K
    W = [student(k) ? x[first_index(o, k, i)] : T(o.teacher_weights[i, k-o.K]) for i in 1:n, k in 1:N]
    bias(k) = student(k) ? (hidden.bias ? x[first_index(o, k, n + 1)] : zero(T)) : T(o.teacher_biases[k-o.K])
    A = [student(k) ? x[second_index(o, i, k)] : T(o.teacher_outputs[i, k-o.K]) for i in 1:Dout, k in 1:N]
    c = [(output.bias ? x[second_index(o, i, o.K + 1)] : zero(T)) - o.teacher_shift[i] for i in 1:Dout]
    SW = o.standard ? W : covariance_times(o, W)
    m = T[bias(k) for k in 1:N]
    for k in 1:N, i in 1:n
        o.mean[i] == 0 || (m[k] += W[i, k] * o.mean[i])
    end
    C = zeros(T, N, N)
    for k in 1:N, l in (k in rows ? (k:N) : (k:k)), i in 1:n
        C[k, l] += W[i, k] * SW[i, l]
    end
    return ExactNeurons{T}(W, SW, m, C, A, c)
end

function covariance_times(o::ExactInfiniteLoss, W::Matrix{T}) where {T}
    S, SW = map(T, o.covariance), zero(W)
    for k in axes(W, 2), j in axes(S, 2), i in axes(S, 1)
        SW[i, k] += S[i, j] * W[j, k]
    end
    return SW
end

place(o::ExactInfiniteLoss, x::Vector) = place(o, x, 1:o.K)

function pair_table!(t::PairTable, o::ExactInfiniteLoss, s::ExactNeurons, k::Int, l::Int, order::Int)
    fill!(t.slack, 0)
    return exact_pair!(t, o.forms[k], o.forms[l], s.m[k], s.m[l], s.C[k, k], s.C[k, l], s.C[l, l], order)
end

PairTable{T}(o::ExactInfiniteLoss) where {T} = PairTable{T}(!o.layers[1].bias && all(iszero, o.mean))

function output_product(s::ExactNeurons{T}, k::Int, l::Int) where {T}
    total = zero(T)
    for i in axes(s.A, 1)
        total += s.A[i, k] * s.A[i, l]
    end
    return total
end

# sum_i c_i a_ik
function shift_product(s::ExactNeurons{T}, k::Int) where {T}
    total = zero(T)
    for i in axes(s.A, 1)
        total += s.c[i] * s.A[i, k]
    end
    return total
end

# What does not depend on the student, once and for all, with its error.
function with_teacher_constants!(o::ExactInfiniteLoss)
    teacher, t, S, energy = o.K+1:length(o.forms), PairTable{Ball}(o), zeros(Ball, 5), zero(Ball)
    s = place(o, zeros(Ball, nparams(o)), teacher)
    for k in teacher
        has_constant(o) && push!(o.teacher_singles, exact_single!(S, o.forms[k], s.m[k], s.C[k, k])[1])
        energy += output_product(s, k, k) * exact_square!(S, t, o.forms[k], s.m[k], s.C[k, k], 2)[1]
        for l in k+1:last(teacher)
            energy += scaled(output_product(s, k, l) * pair_table!(t, o, s, k, l, 2)[1, 1], 2.0)
        end
    end
    push!(o.teacher_energy, energy)
    return o
end

known(::Type{Ball}, b::Ball) = b
known(::Type{DoubleDouble}, b::Ball) = b.mid
