# The accuracy promised: at t = 1, 10, 100 at most ten times the tolerance, for every method.

isdefined(Main, :TestProblems) || include("problems.jl")
using LinearAlgebra, Random

const ACCURACY_TIMES = [0.3, 1.0, 3.3, 10.0, 33.0, 100.0]

# Largest error over all parameters and times, in units of max(tol, tol |x|).
function worst_error(result, reference, tol)
    result.status === :maxT || return Inf
    return maximum(abs.(result.trajectory.x .- reference) ./ max.(tol, tol .* abs.(reference)))
end

# A trajectory to about 1e-11 on which two unrelated methods agree.
function reference_flow(objective, x0)
    a, b = (integrate(objective, x0; alg = alg, maxT = 100.0, abstol = 1e-12, reltol = 1e-12, saveat = ACCURACY_TIMES)
            for alg in (:Rodas5P, :DP5))
    @test worst_error(b, a.trajectory.x, 1e-11) < 1
    return a.trajectory.x
end

accuracy_problem(name, seed) = name === :by_hand ? TestProblems.teacher_student(MersenneTwister(seed)) :
                               network_problem(name, seed)

const ACCURACY_NETWORKS = Dict(
    :wide => (2, ((8, softplus, true), (1, identity, true)), 100), :deep => (3, ((6, tanh, true), (4, tanh, true), (1, identity, true)), 60),
    :two_outputs => (2, ((5, gelu, true), (2, identity, true)), 50), :tiny => (1, ((1, sigmoid, false), (1, identity, false)), 7))

function network_problem(name, seed)
    Din, layers, N = ACCURACY_NETWORKS[name]
    rng = MersenneTwister(seed)
    input = randn(rng, Din, N)
    target = iseven(seed) ? TeacherNet(; layers = layers, Din = Din, rng = rng)(input) : randn(rng, layers[end][1], N)
    net = Net(; layers = layers, input = input, target = target)
    return NetObjective(net), collect(random_params(rng, net))
end

@testset "flow of $name, seed $seed" for name in (:by_hand, :wide, :deep, :two_outputs, :tiny), seed in 1:2
    objective, x0 = accuracy_problem(name, seed)
    reference = reference_flow(objective, x0)
    for alg in (:DP5, :DOP853, :Rodas5P, :ESDIRK547L2SA2, :NewtonKrylov, :RKC3, :auto), tol in (1e-4, 1e-6, 1e-8)
        result = integrate(objective, x0; alg = alg, maxT = 100.0, abstol = tol, reltol = tol, saveat = ACCURACY_TIMES)
        err = worst_error(result, reference, tol)
        err < 10 || @error "error in units of the tolerance" name seed alg tol err
        @test err < 10
        # The end is the end of the trajectory, and the loss falls along it.
        @test result.trajectory.x[:, end] == result.x
        @test maximum(diff(result.trajectory.loss)) <= tol
    end
end

@testset "closed forms, $alg, tolerance $tol" for alg in (:DP5, :DOP853, :Rodas5P, :ESDIRK547L2SA2, :NewtonKrylov, :RKC3, :auto), tol in (1e-5, 1e-9)
    x0 = [0.1, 0.4, 1.8, -0.7, 0.0]
    result = integrate(TestProblems.separable(5), x0; alg = alg, maxT = 100.0, abstol = tol, reltol = tol)
    solution = hcat((TestProblems.separable_solution(t, x0) for t in result.trajectory.t)...)
    @test worst_error(result, solution, tol) < 10
    # Linear, symmetric, stiffness 10^6: the slow modes are still on their way at t = 100.
    A = TestProblems.symmetric(MersenneTwister(1), 10.0 .^ (-3:0.5:3))
    x0 = randn(MersenneTwister(2), 13)
    result = integrate(TestProblems.quadratic(A), x0; alg = alg, maxT = 100.0, abstol = tol, reltol = tol,
                       saveat = ACCURACY_TIMES)
    values, Q = eigen(Symmetric(A))
    solution = hcat((Q * (exp.(-values .* t) .* (Q' * x0)) for t in [0; ACCURACY_TIMES])...)
    @test worst_error(result, solution, tol) < 10
end

@testset "time scales" begin
    # Slower and faster parameters are the same curve in other times; a scalar is one for all.
    x0, tauinv = [0.1, 0.4, 1.8], [2.0, 0.5, 1e-3]
    for alg in (:DP5, :DOP853, :Rodas5P, :ESDIRK547L2SA2, :NewtonKrylov, :RKC3)
        result = integrate(TestProblems.separable(3), x0; alg = alg, maxT = 7.0, abstol = 1e-9, reltol = 1e-9, tauinv = tauinv)
        solution = hcat((TestProblems.separable_solution.(t .* tauinv, x0) for t in result.trajectory.t)...)
        @test worst_error(result, solution, 1e-9) < 10
        scalar = integrate(TestProblems.separable(3), x0; alg = alg, maxT = 7.0, tauinv = 0.5)
        vector = integrate(TestProblems.separable(3), x0; alg = alg, maxT = 7.0, tauinv = fill(0.5, 3))
        @test scalar.x == vector.x
    end
end
