# The engine without Python: obeys lines on standard input, one reply a line. Started by peer_julia.py.
#
#     load FILE QUANTITY LOSSTYPE LAYERS
#                               arrays of one problem and room for the result, layers as "width,activation,bias;..."
#     result QUANTITY FILE        evaluate once, write the numbers in the order of PyTorch's parameters
#     time QUANTITY CALLS         seconds of so many evaluations, one after the other
#     exp REPEATS                 vector exponentials a second, of an array in the first-level cache
#     syrk P ROWS REPEATS         multiplications and additions a second of P x P rank-ROWS updates
#     gemm M N K REPEATS          the same of matrix products
#
# A problem is held in concrete fields of one object and every evaluation is a call in place, as in a solver's loop.

using LinearAlgebra, MLPFlow
using MLPFlow: NetObjective, python_order, from_python, to_python, symmetric_to_python, value_gradient!, hessian!, hvp!, jacobian!,
    gauss_newton!, vexp

BLAS.set_num_threads(1)

struct Problem{O}
    objective::O
    order::Vector{Int}
    x::Vector{Float64}
    v::Vector{Float64}
    g::Vector{Float64}
    H::Matrix{Float64}
    J::Array{Float64,3}
end

function read_problem(file, quantity, losstype, layers)
    specification = [(parse(Int, k), MLPFlow.activation(String(f)), b == "1") for (k, f, b) in split.(split(layers, ";"), ",")]
    return open(file) do io
        Din, N, rows, P = (read(io, Int64) for _ in 1:4)
        matrix(d, n) = read!(io, Matrix{Float64}(undef, d, n))
        input, target, p, v = matrix(Din, N), matrix(rows, N), vec(matrix(P, 1)), vec(matrix(P, 1))
        losstype == "mse" && return make_problem(specification, input, target, MSE(), p, v, quantity)
        return make_problem(specification, input, Int.(vec(target)) .+ 1, CrossEntropy(), p, v, quantity)
    end
end

function make_problem(layers, input, target, losstype, p, v, quantity)
    net = Net(; layers = layers, input = input, target = target, losstype = losstype)
    order = python_order(net.layers)
    P = length(p)
    matrix = zeros(quantity in ("hessian", "gauss_newton") ? (P, P) : (0, 0))
    jacobian = zeros(quantity == "jacobian" ? (P, size(target, 1), size(input, 2)) : (0, 0, 0))
    return Problem(NetObjective(net), order, from_python(p, order), from_python(v, order), zeros(P), matrix, jacobian)
end

evaluate!(::Val{:gradient}, q::Problem) = value_gradient!(q.g, q.objective, q.x)
evaluate!(::Val{:hessian}, q::Problem) = hessian!(q.H, q.objective, q.x)
evaluate!(::Val{:hvp}, q::Problem) = hvp!(q.g, q.objective, q.x, q.v)
evaluate!(::Val{:jacobian}, q::Problem) = jacobian!(q.J, q.objective, q.x)
evaluate!(::Val{:gauss_newton}, q::Problem) = gauss_newton!(q.H, q.objective, q.x)

numbers(::Val{:gradient}, q::Problem, value) = [value; to_python(q.g, q.order)]
numbers(::Union{Val{:hessian},Val{:gauss_newton}}, q::Problem, H) = symmetric_to_python(H, q.order)
numbers(::Val{:hvp}, q::Problem, product) = to_python(product, q.order)
numbers(::Val{:jacobian}, q::Problem, J) = J[q.order, :, :]

function seconds(quantity::Val, q::Problem, calls::Int)
    start = time_ns()
    for _ in 1:calls
        evaluate!(quantity, q)
    end
    return (time_ns() - start) / 1e9
end

function fill_exp!(y, x)
    @inbounds @simd ivdep for i in eachindex(y, x)
        y[i] = vexp(x[i])
    end
end

# 1,024 numbers in and out are 16 kB.
function exp_rate(repeats)
    x = collect(range(-20.0, 20.0; length = 1024))
    y = similar(x)
    fill_exp!(y, x)
    return maximum(1:9) do _
        length(x) * repeats / @elapsed for _ in 1:repeats
            fill_exp!(y, x)
        end
    end
end

function syrk_rate(P, rows, repeats)
    A, C = randn(rows, P), zeros(P, P)
    BLAS.syrk!('U', 'T', 1.0, A, 1.0, C)
    return maximum(1:5) do _
        rows * P * (P + 1) * repeats / @elapsed for _ in 1:repeats
            BLAS.syrk!('U', 'T', 1.0, A, 1.0, C)
        end
    end
end

function gemm_rate(m, n, k, repeats)
    A, B, C = randn(m, k), randn(k, n), zeros(m, n)
    mul!(C, A, B)
    return maximum(1:5) do _
        2 * m * n * k * repeats / @elapsed for _ in 1:repeats
            mul!(C, A, B)
        end
    end
end

integers(words) = parse.(Int, words)

function obey(state, line)
    verb, words = Iterators.peel(split(line))
    words = collect(words)
    verb == "load" && return read_problem(String.(words)...), "loaded"
    verb == "exp" && return state, exp_rate(integers(words)...)
    verb == "syrk" && return state, syrk_rate(integers(words)...)
    verb == "gemm" && return state, gemm_rate(integers(words)...)
    quantity = Val(Symbol(words[1]))
    verb == "time" && return state, seconds(quantity, state, parse(Int, words[2]))
    verb == "result" || error("expected one of the verbs above, got $line")
    write(words[2], numbers(quantity, state, evaluate!(quantity, state)))
    return state, "written"
end

function main()
    state = nothing
    for line in eachline(stdin)
        state, reply = obey(state, line)
        println(reply)
        flush(stdout)
    end
end

main()
