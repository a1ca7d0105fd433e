# Networks on quadrature nodes against closed forms, and the honesty of their error estimates.
using LinearAlgebra, Random
using Statistics: mean
using MLPFlow: rule_nodes, SmolyakHermite, TensorHermite, ScrambledSobol, candidate_rules, rule_name, rule_estimate, inputs, targets

linear(k) = (k, identity, false)
unit_teacher(k) = TeacherNet(layers = ((k, sigmoid2, false), linear(1)), Din = k,
                             p = params((Matrix{Float64}(I, k, k), nothing), (ones(1, k), nothing)))
one_neuron = ((1, sigmoid2, false), linear(1))

# E f(w1'x + b1) f(w2'x + b2) for x ~ N(m, S) and f = erf(./sqrt 2) without offsets, and the loss that follows from it.
erf_pair(w1, w2, S) = 2 / pi * asin(dot(w1, S * w2) / sqrt((1 + dot(w1, S * w1)) * (1 + dot(w2, S * w2))))

function erf_loss(p, teacher, S)
    W, a = vcat(p.w1, teacher.w1), vcat(vec(p.w2), -vec(teacher.w2))
    return sum(a[i] * a[j] * erf_pair(W[i, :], W[j, :], S) for i in eachindex(a), j in eachindex(a))
end

@testset "NormalIntegral: golden values" begin
    one, two = NormalIntegral(), NormalIntegral(d = 2)
    @test one(x -> 1.0) ≈ 1 rtol = 1e-15
    @test one(identity) == 0
    @test one(x -> x^8) ≈ 105 rtol = 1e-14
    @test two(x -> cos(x[1] + x[2])) ≈ exp(-1) rtol = 1e-14
    @test two(x -> cos(x[1] + x[2]), 0.5) ≈ exp(-1.5) rtol = 1e-14
    # The nodes left out have 1e-15 of the weight, and where they are x is 9.
    @test two(((a, b),) -> a * b, -1) ≈ -1 rtol = 1e-13
    @test two(x -> [x[1], x[1] * x[2]], 0.3) ≈ [0, 0.3] atol = 1e-13
    estimate = two(x -> cos(x[1] + x[2]), 0.5; error = true)
    @test estimate isa IntegralEstimate && abs(estimate.value - exp(-1.5)) <= estimate.error < 1e-14
    @test occursin("±", sprint(show, estimate)) && occursin("tensor", sprint(show, two))
    moved = NormalIntegral(d = 2, mean = [1, -2], covariance = [2 1; 1 2])
    @test moved(x -> x[1] * x[2]) ≈ 1 - 2 rtol = 1e-13
    @test NormalIntegral(d = 3, N = 12)(x -> (x[1] + x[2] + x[3])^6) ≈ 15 * 27 rtol = 1e-9
    # relu and x^3 of two neurons with correlation u: reference formulas; a kink leaves GH with an error of order 1/N
    u, relu_exact = 0.4, (sqrt(1 - 0.4^2) + (pi - acos(0.4)) * 0.4) / 2pi
    e = two(x -> relu(x[1]) * relu(x[2]), u; error = true)
    @test abs(e.value - relu_exact) <= e.error < 1e-3
    @test two(x -> (x[1] * x[2])^3, u) ≈ 6u^3 + 9u rtol = 1e-10
    @test_throws ArgumentError one(x -> x, 0.5)
    @test_throws ArgumentError moved(x -> x[1], 0.5)
    @test_throws ArgumentError two(x -> x[1], 1.5)
end

covariances = (nothing, [1.5 0.6; 0.6 0.8], [1.0 2.0; 2.0 4.0], [0.7, 0.0], 0.5)
matrix(::Nothing) = [1.0 0.0; 0.0 1.0]
matrix(S::Real) = [S 0.0; 0.0 S]
matrix(S::Vector) = diagm(S)
matrix(S::Matrix) = S

@testset "two inputs, covariance $S" for S in covariances
    rng = MersenneTwister(4)
    teacher = TeacherNet(layers = ((3, sigmoid2, false), linear(1)), Din = 2, rng = rng)
    net = gauss_hermite_net(teacher, ((4, sigmoid2, false), linear(1)); covariance = S)
    p = random_params(rng, net)
    @test loss(net, p) ≈ erf_loss(p, teacher.p, matrix(S)) rtol = 1e-12
    @test integration_error(net, p) <= 1e-13
    x, w = inputs(net), net.weights ./ size(inputs(net), 2)
    @test x * w ≈ zeros(2) atol = 1e-13
    @test x * (w .* x') ≈ matrix(S) atol = 1e-12
end

@testset "mean: neurons with a bias are neurons around another mean" begin
    rng = MersenneTwister(5)
    W, b, a = randn(rng, 3, 2), randn(rng, 3), randn(rng, 1, 3)
    teacher = TeacherNet(layers = ((3, tanh, true), linear(1)), Din = 2, p = params((W, b), (a, nothing)))
    shift = [0.3, -1.2]
    moved = TeacherNet(layers = ((3, tanh, true), linear(1)), Din = 2, p = params((W, b + W * shift), (a, nothing)))
    layers = ((2, tanh, true), linear(1))
    around, centred = gauss_hermite_net(teacher, layers; mean = shift), gauss_hermite_net(moved, layers)
    V, c, o = randn(rng, 2, 2), randn(rng, 2), randn(rng, 1, 2)
    @test loss(around, params((V, c), (o, nothing))) ≈ loss(centred, params((V, c + V * shift), (o, nothing))) rtol = 1e-12
end

@testset "no spread at all: one node" begin
    net = gauss_hermite_net(x -> x[1, :], ((1, identity, true),); mean = [2, 1], covariance = zeros(2, 2))
    @test inputs(net) == reshape([2.0, 1.0], 2, 1)
    @test loss(net, [0.0, 0.0, 5.0]) == 9.0
end

minimum_of(k) = 2 / pi * (k * asin(1 / 2) - k^2 * asin(1 / 2k))
one_neuron_start(k) = params((fill(1.1 / sqrt(k * (2k - 1)), 1, k), nothing), (fill(0.9k, 1, 1), nothing))

# k, keywords, tolerance of the loss (by the accuracy of the rule) and the rule expected
one_neuron_cases = ((2, (), 1e-14, "tensor"), (3, (), 5e-12, "tensor"), (5, (rule = :smolyak, level = 11), 5e-4, "smolyak"),
                    (10, (), 1e-3, "qmc"))

@testset "orthonormal teacher of $k neurons: the minimum with one neuron, $name" for (k, keywords, tolerance, name) in one_neuron_cases
    net = gauss_hermite_net(unit_teacher(k), one_neuron; keywords...)
    @test rule_name(net.source.rule) == name
    result = train(net, one_neuron_start(k); maxtime_ode = 0, maxiterations_optim = 100, verbosity = 0)
    # Rounding in sums with weights of both signs may stop a run before the tolerance of 1e-15 is met.
    @test result["gnorm"] < 1e-12
    @test abs(result["loss"] - minimum_of(k)) <= result["integration_error"] <= tolerance
    w = result["x"]["w1"]
    @test abs(norm(w) - 1 / sqrt(2k - 1)) <= 10 * sqrt(tolerance)
end

@testset "deep teacher and student, two outputs: gradient and Hessian within their errors, rule $rule" for (rule, keywords) in
        ((:qmc, (points = 2^12,)), (:smolyak, (level = 8,)), (:tensor, (N = 12,)))
    rng = MersenneTwister(11)
    teacher = TeacherNet(layers = ((3, tanh, true), (3, sigmoid, true), linear(2)), Din = 3, rng = rng)
    layers = ((3, softplus, true), (2, tanh, true), (2, identity, true))
    net = gauss_hermite_net(teacher, layers; rule = rule, keywords...)
    exact = gauss_hermite_net(teacher, layers; rule = :tensor, N = 45, threshold = 1e-16)
    p = random_params(rng, net)
    @test integration_error(exact, p) < 1e-9
    for of in (loss, gradient, hessian)
        estimate = integration_estimate(net, p; of = of)
        truth = of === gradient ? of(exact, p).flat : of(exact, p)
        off, bound = abs.(estimate.value .- truth), estimate.error
        # An entry's error may be underestimated where estimate and finer rule agree by chance; as a whole it is not.
        @test norm(off) <= norm(bound)
        @test mean(off .<= bound .+ 1e-9) >= 0.75
        @test norm(estimate.refined .- truth) <= norm(bound)
    end
end

@testset "the error of quasi-Monte Carlo: an upper bound nearly always, and no exaggeration" begin
    f(x) = tanh(x[1] + x[2] / 2) * cos(x[3]) + exp(x[4] / 2)
    exact = exp(1 / 8)
    trials = [NormalIntegral(d = 4, rule = :qmc, points = 2^9, seed = s)(f; error = true) for s in 1:40]
    off = [abs(t.value - exact) for t in trials]
    @test count(off .<= [t.error for t in trials]) >= 37
    @test mean(t.error for t in trials) <= 4 * mean(off)
    @test mean(abs(t.refined - exact) for t in trials) < mean(off)
end

@testset "the error of Gauss-Hermite at kinks and near steps" begin
    for (f, exact) in ((x -> relu(x - 0.3), exp(-0.045) / sqrt(2pi) - 0.3 * (1 - normal_cdf(0.3))), (abs, sqrt(2 / pi)),
                       (x -> normal_cdf(30 * (x - 0.2)), normal_cdf(-6 / sqrt(1 / 900 + 1) / 30)))
        for N in (5, 20, 60)
            e = NormalIntegral(N = N)(f; error = true)
            @test e.error < 1 / sqrt(N)
            @test abs(e.value - exact) <= 2 * e.error + 1e-15
        end
    end
end

# The loss of nodes with weights of both signs is a difference of two losses with positive ones.
@testset "negative weights: all derivatives, $(typeof(losstype))" for losstype in (MSE(), CrossEntropy())
    rng = MersenneTwister(8)
    layers = ((3, tanh, true), (3, identity, true))
    target(x) = losstype isa MSE ? x .^ 2 : (e = exp.(x); e ./ sum(e; dims = 1))
    net = gauss_hermite_net(target, layers; Din = 3, losstype = losstype, rule = :smolyak, level = 3)
    x, y, w, N = inputs(net), targets(net), net.weights, length(net.weights)
    @test any(w .< 0)
    part(sign, chosen) = Net(layers = layers, input = x[:, chosen], target = y[:, chosen], losstype = losstype,
                             weights = sign .* w[chosen] .* (count(chosen) / N))
    plus, minus = part(1, w .> 0), part(-1, w .< 0)
    p, v = random_params(rng, net), randn(rng, MLPFlow.nparams(net))
    @test loss(net, p) ≈ loss(plus, p) - loss(minus, p) rtol = 1e-12
    @test gradient(net, p).flat ≈ gradient(plus, p).flat - gradient(minus, p).flat rtol = 1e-11
    @test hessian(net, p) ≈ hessian(plus, p) - hessian(minus, p) rtol = 1e-11
    @test hvp(net, p, v) ≈ hessian(net, p) * v rtol = 1e-10
    @test gauss_newton(net, p) ≈ gauss_newton(plus, p) - gauss_newton(minus, p) rtol = 1e-11
    @test loss(net, p; maxnorm = 0.1) > loss(net, p)
    @test_throws ArgumentError Net(layers = layers, input = x, target = y, weights = w, losstype = losstype)
end

@testset "the choice of the rule" begin
    names(d; kw...) = map(rule_name, candidate_rules(d; kw...))
    @test names(1) == names(2) == ["tensor"] && names(7) == ["qmc"] && names(3) == names(6) == ["qmc", "tensor", "smolyak"]
    @test names(9; N = 2) == ["tensor"] && names(9; level = 1) == ["smolyak"] && names(1; rule = :qmc) == ["qmc"]
    for d in 3:6, rule in candidate_rules(d; points = 1000)
        N = length(rule_nodes(rule, d)[2])
        @test 200 <= N <= 1000
    end
    # A polynomial is exact on the sparse grid and nowhere else; a rough function asks for quasi-Monte Carlo.
    smooth = gauss_hermite_net(x -> x[1, :] .* x[5, :] .+ x[3, :] .^ 2, one_neuron; Din = 5)
    rough = gauss_hermite_net(x -> sign.(vec(sum(x; dims = 1)) .- 0.1), one_neuron; Din = 6)
    @test rule_name(smooth.source.rule) == "smolyak" && rule_name(rough.source.rule) == "qmc"
end

@testset "a student, keywords of other packages, and what is refused" begin
    student = Net(layers = ((2, softplus, false), (1, identity, true)), input = zeros(2, 1), target = zeros(1, 1), losstype = MSE())
    net = gauss_hermite_net(x -> reshape(x[1, :] .^ 2, 1, :), student; N = 40, prune = true, threshold = 1e-12)
    @test net isa Net && size(inputs(net), 1) == 2 && minimum(net.weights) > 0
    @test random_params(MersenneTwister(1), net) isa Params
    @test train(net, ones(7); maxiterations_ode = 5, maxiterations_optim = 5, verbosity = 0, result = :raw).loss < loss(net, ones(7))
    @test_throws ArgumentError gauss_hermite_net(x -> x, one_neuron)
    @test_throws ArgumentError gauss_hermite_net(x -> x, one_neuron; Din = 2, rule = :trapezoidal)
    @test_throws ArgumentError gauss_hermite_net(x -> x, one_neuron; covariance = [1.0 2.0; 2.0 1.0])
    @test_throws ArgumentError gauss_hermite_net(x -> x, one_neuron; covariance = [1.0 0.2; 0.3 1.0])
    @test_throws DimensionMismatch gauss_hermite_net(x -> x, one_neuron; mean = [1.0], covariance = [1.0 0.0; 0.0 1.0])
    @test_throws ArgumentError integration_error(student, ones(7))
end
