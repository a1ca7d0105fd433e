# Value and gradient. With all neurons k of student and teacher (output weights a_k, those of the teacher negative) and the difference
# c of the output biases, the loss is |c|^2 + 2 sum_k c'a_k E[f_k] + sum_kl a_k'a_l E[f_k f_l]: linear in the moments of pairs.

"""
    InfiniteObjective(net::NetI; maxnorm = Inf, merge = nothing) <: AbstractObjective

The loss of `net` plus penalties (as for a `NetObjective`) as a function of the flat parameters. It owns its scratch memory, so one objective
serves one caller at a time; value and gradient allocate nothing once every evaluator that is needed has been used.
The loss is a difference of numbers of the size of E|f*|^2 and is known to about 1e-16 of that, `loss_resolution`: one that
comes out smaller, or below 0, is reported as that number. Gradients have no such difference near a minimum.
"""
mutable struct InfiniteObjective <: AbstractObjective
    layers::Vector{Layer}
    teacher::TeacherNet
    inputs::GaussianInputs
    maxnorm::MaxNorm
    merge::Merge
    K::Int                              # neurons of the student; those of the teacher follow
    neurons::Vector{GaussianNeuron}
    U::Matrix{Float64}                  # rank x neurons: unit vectors of the directions of standard normal inputs
    A::Matrix{Float64}                  # outputs x neurons
    c::Vector{Float64}
    teacher_bias::Vector{Float64}
    teacher_mean::Vector{Float64}       # sum over the teacher's a_k E[f_k]
    teacher_energy::Float64             # sum over its pairs
    magnitude::Float64                  # sum of the sizes of the terms of the last loss
    gU::Matrix{Float64}                 # gradients with respect to directions and means of the student's neurons
    gm::Vector{Float64}
    gA::Matrix{Float64}
    gc::Vector{Float64}
    row::Vector{Float64}
    across::Vector{Float64}             # unit vector of what is orthogonal to the first neuron in the second one's direction
    single::Matrix{Float64}
    moments::PairMoments
    swapped::PairMoments
    scratch::GaussianScratch
    blocks::Vector{Matrix{Float64}}     # scratch of the Hessian
    H::Matrix{Float64}                  # of products
end

function InfiniteObjective(net::NetI; maxnorm::Real = Inf, merge = nothing)
    isnan(maxnorm) && throw(ArgumentError("expected maxnorm to be a number, got NaN"))
    layers, inputs = net.layers, net.distribution
    student, teacher = layers[1], net.teacher.layers[1]
    K, n, Dout, rank = student.nout, student.nout + teacher.nout, layers[2].nout, rank_of(inputs)
    profiles = IdDict{Any,Profile}()
    neurons = [GaussianNeuron(get!(() -> Profile(f), profiles, f)) for f in vcat(student.activations, teacher.activations)]
    o = InfiniteObjective(layers, net.teacher, inputs, MaxNorm(maxnorm), Merge(layers, merge), K, neurons, zeros(rank, n),
                          zeros(Dout, n), zeros(Dout), zeros(Dout), zeros(Dout), 0.0, 0.0, zeros(rank, K), zeros(K), zeros(Dout, K),
                          zeros(Dout), zeros(student.nin), zeros(rank), zeros(3, 3), PairMoments(), PairMoments(),
                          GaussianScratch(), Matrix{Float64}[], zeros(0, 0))
    place_teacher!(o)
    return o
end

nparams(o::InfiniteObjective) = nparams(o.layers)

# Positions in the flat vector: row k, column j of [W b] of the first and second layer.
@inline first_index(o::InfiniteObjective, k::Int, j::Int) = (j - 1) * o.K + k
@inline second_index(o::InfiniteObjective, i::Int, k::Int) = nparams(o.layers[1]) + (k - 1) * o.layers[2].nout + i

function place_neuron!(o::InfiniteObjective, k::Int, bias::Float64)
    m = project_row!(o.U, k, o.inputs, o.row) + bias
    place!(o.neurons[k], m, unit_column!(o.U, k))
    return nothing
end

# The length of a column, which is divided by it. Squares may overflow or vanish: then once more, scaled by the largest entry.
function unit_column!(U::Matrix{Float64}, k::Int)
    square, largest = 0.0, 0.0
    @inbounds for i in axes(U, 1)
        square = muladd(U[i, k], U[i, k], square)
        largest = max(largest, abs(U[i, k]))
    end
    largest == 0 && return 0.0
    if 1e-280 < square < 1e280
        r = sqrt(square)
        inverse = 1 / r
        @inbounds for i in axes(U, 1)
            U[i, k] *= inverse
        end
        return r
    end
    isfinite(largest) || return largest
    @inbounds for i in axes(U, 1)
        U[i, k] /= largest
    end
    return largest * unit_column!(U, k)
end

function place_teacher!(o::InfiniteObjective)
    p, (hidden, output) = o.teacher.p, o.teacher.layers
    w1, w2, K = layer_matrix(p, 1), layer_matrix(p, 2), o.K
    for k in 1:hidden.nout
        o.row .= view(w1, k, 1:hidden.nin)
        place_neuron!(o, K + k, hidden.bias ? w1[k, end] : 0.0)
        o.A[:, K+k] .= .-view(w2, :, k)
    end
    output.bias && (o.teacher_bias .= view(w2, :, output.nin + 1))
    for k in K+1:length(o.neurons)
        single!(o.single, o.scratch.singles, o.neurons[k].profile, o.neurons[k].m, deviation(o.neurons[k]))
        o.teacher_mean .+= view(o.A, :, k) .* o.single[1, 1]
        for l in K+1:k
            o.teacher_energy += (k == l ? 1 : 2) * weight_product(o, k, l) * pair!(o.moments, o, k, l, 0).h00
        end
    end
    return o
end

function place_student!(o::InfiniteObjective, x::AbstractVector)
    hidden, output = o.layers
    for k in 1:o.K
        for j in 1:hidden.nin
            o.row[j] = x[first_index(o, k, j)]
        end
        place_neuron!(o, k, hidden.bias ? Float64(x[first_index(o, k, hidden.nin + 1)]) : 0.0)
        for i in 1:output.nout
            o.A[i, k] = x[second_index(o, i, k)]
        end
    end
    for i in 1:output.nout
        o.c[i] = (output.bias ? x[second_index(o, i, o.K + 1)] : 0.0) - o.teacher_bias[i]
    end
    return nothing
end

function weight_product(o::InfiniteObjective, k::Int, l::Int)
    total = 0.0
    for i in axes(o.A, 1)
        total = muladd(o.A[i, k], o.A[i, l], total)
    end
    return total
end

"""
    pair!(M, o, k, l, order) -> M

The moments of neurons k and l; `o.across` is the direction of eta. Its length s comes from the difference of unit vectors,
which is exact where 1 - rho^2 would cancel.
"""
function pair!(M::PairMoments, o::InfiniteObjective, k::Int, l::Int, order::Int)
    U, across, rho, s = o.U, o.across, 0.0, 0.0
    @inbounds for i in axes(U, 1)
        rho = muladd(U[i, k], U[i, l], rho)
    end
    if k == l
        rho = 1.0
        fill!(across, 0)
    else
        rho = clamp(rho, -1.0, 1.0)
        @inbounds for i in axes(U, 1)
            across[i] = U[i, l] - rho * U[i, k]
            s = muladd(across[i], across[i], s)
        end
        s = sqrt(s)
        inverse = s == 0 ? 0.0 : 1 / s
        @inbounds for i in axes(U, 1)
            across[i] *= inverse
        end
    end
    return pair_moments!(M, o.scratch, o.neurons[k], o.neurons[l], rho, s, order)
end

has_constant(o::InfiniteObjective) = o.layers[2].bias || !all(iszero, o.c)

function value(o::InfiniteObjective, x::AbstractVector)
    place_student!(o, x)
    return infinite_loss!(o, 0) + penalty(o.maxnorm, x) + penalty(o.merge, x)
end

function value_gradient!(g::AbstractVector, o::InfiniteObjective, x::AbstractVector)
    place_student!(o, x)
    foreach(v -> fill!(v, 0), (o.gU, o.gm, o.gA, o.gc))
    total = infinite_loss!(o, 1)
    store_infinite_gradient!(g, o)
    add_penalty_gradient!(g, o.maxnorm, x)
    add_penalty_gradient!(g, o.merge, x)
    return total + penalty(o.maxnorm, x) + penalty(o.merge, x)
end

# The loss without penalties; with `order` 1 also the gradients.
function infinite_loss!(o::InfiniteObjective, order::Int)
    total = o.magnitude = o.teacher_energy
    for i in eachindex(o.c)
        total += counted!(o, o.c[i] * (o.c[i] + 2 * o.teacher_mean[i]))
        o.gc[i] = 2 * (o.c[i] + o.teacher_mean[i])
    end
    for k in 1:o.K
        has_constant(o) && (total += counted!(o, constant_term!(o, k, order)))
        for l in k:length(o.neurons)
            total += counted!(o, pair_term!(o, k, l, order))
        end
    end
    return total >= loss_resolution(o) || isnan(total) ? total : loss_resolution(o)
end

@inline function counted!(o::InfiniteObjective, term::Float64)
    o.magnitude += abs(term)
    return term
end

loss_resolution(o::InfiniteObjective) = 2 * eps() * o.magnitude

function constant_term!(o::InfiniteObjective, k::Int, order::Int)
    e, neuron = o.single, o.neurons[k]
    single!(e, o.scratch.singles, neuron.profile, neuron.m, deviation(neuron))
    product = 0.0
    for i in eachindex(o.c)
        product += o.c[i] * o.A[i, k]
        o.gA[i, k] += 2 * o.c[i] * e[1, 1]
        o.gc[i] += 2 * o.A[i, k] * e[1, 1]
    end
    if order >= 1
        o.gm[k] += 2 * product * e[2, 1]
        for i in axes(o.U, 1)
            o.gU[i, k] += 2 * product * e[2, 2] * o.U[i, k]
        end
    end
    return 2 * product * e[1, 1]
end

function pair_term!(o::InfiniteObjective, k::Int, l::Int, order::Int)
    M, G = pair!(o.moments, o, k, l, order), weight_product(o, k, l)
    term = (k == l ? 1 : 2) * G * M.h00
    order >= 1 || return term
    add_direction!(o, k, 2G, M)
    for i in axes(o.A, 1)
        o.gA[i, k] += 2 * o.A[i, l] * M.h00
    end
    (k == l || l > o.K) && return term
    for i in axes(o.A, 1)
        o.gA[i, l] += 2 * o.A[i, k] * M.h00
    end
    add_direction!(o, l, 2G, pair!(o.swapped, o, l, k, order))
    return term
end

@inline function add_direction!(o::InfiniteObjective, k::Int, factor::Float64, M::PairMoments)
    h = M.h10
    o.gm[k] += factor * h[1]
    along, across = factor * h[2], factor * h[3]
    @inbounds for i in axes(o.U, 1)
        o.gU[i, k] += along * o.U[i, k] + across * o.across[i]
    end
end

# From directions and means to weights and biases.
function store_infinite_gradient!(g::AbstractVector, o::InfiniteObjective)
    hidden, output = o.layers
    inputs = o.inputs
    @inbounds for k in 1:o.K
        for j in 1:hidden.nin
            total = inputs.centred ? 0.0 : inputs.mean[j] * o.gm[k]
            if inputs.standard
                total += o.gU[j, k]
            else
                for i in axes(o.gU, 1)
                    total = muladd(inputs.root[j, i], o.gU[i, k], total)
                end
            end
            g[first_index(o, k, j)] = total
        end
        hidden.bias && (g[first_index(o, k, hidden.nin + 1)] = o.gm[k])
        for i in 1:output.nout
            g[second_index(o, i, k)] = o.gA[i, k]
        end
    end
    if output.bias
        for i in 1:output.nout
            g[second_index(o, i, o.K + 1)] = o.gc[i]
        end
    end
    return g
end
