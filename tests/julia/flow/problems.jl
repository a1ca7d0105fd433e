# Objectives for the tests of flows and optimizers, written plainly and without the engine: each brings its own loss,
# gradient and Hessian.

module TestProblems

using LinearAlgebra
using MLPFlow
using Random

export separable, quadratic, rosenbrock, powell, saddle, runaway, linear, bounded_domain, teacher_student

"Sum of x_i^4/4 - x_i^2/2. The flow is x_i(t) = x_i e^t / sqrt(1 + x_i^2 (e^2t - 1)), see `separable_solution`."
separable(n) = FunctionObjective(n; value = x -> sum(x .^ 4 ./ 4 .- x .^ 2 ./ 2),
                                 gradient! = (g, x) -> (g .= x .^ 3 .- x),
                                 hessian! = (H, x) -> (H .= Diagonal(3 .* x .^ 2 .- 1)))

separable_solution(t, x0) = @. x0 / sqrt(exp(-2t) + x0^2 * (1 - exp(-2t)))

"x'Ax/2. The flow is exp(-At) x."
quadratic(A) = FunctionObjective(size(A, 1); value = x -> dot(x, A * x) / 2, gradient! = (g, x) -> mul!(g, A, x),
                                 hessian! = (H, x) -> (H .= A))

function symmetric(rng, spectrum)
    Q = Matrix(qr(randn(rng, length(spectrum), length(spectrum))).Q)
    A = Q * Diagonal(spectrum) * Q'
    return (A + A') / 2
end

rosenbrock() = FunctionObjective(2; value = x -> 100 * (x[2] - x[1]^2)^2 + (1 - x[1])^2,
    gradient! = (g, x) -> (g[1] = -400 * x[1] * (x[2] - x[1]^2) - 2 * (1 - x[1]); g[2] = 200 * (x[2] - x[1]^2)),
    hessian! = (H, x) -> (H .= [1200*x[1]^2-400*x[2]+2 -400*x[1]; -400*x[1] 200.0]))

"Powell's singular function (More, Garbow, Hillstrom 1981, number 13): Hessian of rank 2 at its minimum 0."
function powell()
    parts(x) = (x[1] + 10x[2], x[3] - x[4], x[2] - 2x[3], x[1] - x[4])
    value(x) = ((a, b, c, d) = parts(x); a^2 + 5b^2 + c^4 + 10d^4)
    function gradient!(g, x)
        a, b, c, d = parts(x)
        g .= (2a + 40d^3, 20a + 4c^3, 10b - 8c^3, -10b - 40d^3)
    end
    function hessian!(H, x)
        _, _, c, d = parts(x)
        H .= [2+120d^2 20 0 -120d^2; 20 200+12c^2 -24c^2 0; 0 -24c^2 10+48c^2 -10; -120d^2 0 -10 10+120d^2]
    end
    return FunctionObjective(4; value = value, gradient! = gradient!, hessian! = hessian!)
end

"x^2 + (y^2 - 1)^2 in n dimensions (x repeated): saddle at 0, minima at y = 1 and y = -1."
saddle(n) = FunctionObjective(n; value = x -> sum(abs2, x[1:n-1]) + (x[n]^2 - 1)^2,
    gradient! = (g, x) -> (g .= 2 .* x; g[n] = 4 * x[n] * (x[n]^2 - 1)),
    hessian! = (H, x) -> (H .= 2 * Matrix(I, n, n); H[n, n] = 12 * x[n]^2 - 4))

"offset + 1/(1 + x^2): the infimum is at infinity."
runaway(offset) = FunctionObjective(1; value = x -> offset + 1 / (1 + x[1]^2),
    gradient! = (g, x) -> (g[1] = -2 * x[1] / (1 + x[1]^2)^2),
    hessian! = (H, x) -> (H[1, 1] = (6 * x[1]^2 - 2) / (1 + x[1]^2)^3))

"Falls without end."
linear() = FunctionObjective(1; value = x -> x[1], gradient! = (g, x) -> (g[1] = 1.0), hessian! = (H, x) -> (H[1, 1] = 0.0))

"x - log(x), not defined (NaN) for x <= 0; minimum at 1."
function bounded_domain()
    inside(f) = x -> x[1] > 0 ? f(x[1]) : NaN
    return FunctionObjective(1; value = inside(x -> x - log(x)),
                             gradient! = (g, x) -> (g[1] = inside(x -> 1 - 1 / x)(x)),
                             hessian! = (H, x) -> (H[1, 1] = inside(x -> 1 / x^2)(x)))
end

sigmoid(z) = 1 / (1 + exp(-z))

"""
    teacher_student(rng; teacher = 4, student = 5, N = 50) -> objective, random start

Mean squared error of sum_k a_k sigmoid(w_k . x), x in 2 dimensions, against a teacher of the same form. Parameters:
(w_k1, w_k2, a_k) neuron by neuron. Sample by sample, neuron by neuron, from the formulas.
"""
function teacher_student(rng; teacher = 4, student = 5, N = 50)
    X = randn(rng, 2, N)
    T = randn(rng, 3, teacher)
    y = [sum(T[3, k] * sigmoid(T[1, k] * X[1, n] + T[2, k] * X[2, n]) for k in 1:teacher) for n in 1:N]
    P = 3 * student
    activity(x, k, n) = sigmoid(x[3k-2] * X[1, n] + x[3k-1] * X[2, n])
    residual(x, n) = sum(x[3k] * activity(x, k, n) for k in 1:student) - y[n]
    value(x) = sum(residual(x, n)^2 for n in 1:N) / N
    function jacobian!(j, x, n)
        for k in 1:student
            s = activity(x, k, n)
            j[3k-2] = x[3k] * s * (1 - s) * X[1, n]
            j[3k-1] = x[3k] * s * (1 - s) * X[2, n]
            j[3k] = s
        end
    end
    function gradient!(g, x)
        j = zeros(P)
        fill!(g, 0)
        for n in 1:N
            jacobian!(j, x, n)
            g .+= 2 / N * residual(x, n) .* j
        end
    end
    function hessian!(H, x)
        j = zeros(P)
        fill!(H, 0)
        for n in 1:N
            jacobian!(j, x, n)
            H .+= 2 / N .* j .* j'
            r = 2 / N * residual(x, n)
            for k in 1:student
                s, w = activity(x, k, n), 3k-2:3k-1
                H[w, w] .+= r * x[3k] * s * (1 - s) * (1 - 2s) .* X[:, n] .* X[:, n]'
                H[w, 3k] .+= r * s * (1 - s) .* X[:, n]
                H[3k, w] .+= r * s * (1 - s) .* X[:, n]
            end
        end
    end
    return FunctionObjective(P; value = value, gradient! = gradient!, hessian! = hessian!), randn(rng, P)
end

"Monitor that answers `answer` from call number `at` on, and notes what it sees."
mutable struct Watcher <: MLPFlow.AbstractMonitor
    answer::Symbol
    at::Int
    calls::Int
    losses::Vector{Float64}
    phases::Set{Symbol}
end

Watcher(answer = :continue, at = typemax(Int)) = Watcher(answer, at, 0, Float64[], Set{Symbol}())

function MLPFlow.signal(m::Watcher, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64,
                        stepsize::Float64, x::Vector{Float64})
    m.calls += 1
    push!(m.losses, loss)
    push!(m.phases, phase)
    return m.calls >= m.at ? m.answer : :continue
end

end
