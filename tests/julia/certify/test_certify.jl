# Certificates against BigFloat: the critical point, the eigenvalues and the index are where they are claimed to be.
using LinearAlgebra
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

"""
A net whose targets are those of a teacher of the same layers, with noise, so that there is a strict minimum near; the teacher, and
the same loss in BigFloat.
"""
function certified_problem(case, rng)
    X, outputs = randn(rng, case.Din, case.N), case.layers[end][1]
    layers = Tuple((k, MLPFlow.activation(f), b) for (k, f, b) in case.layers)
    blank = Net(layers = layers, input = X, target = zeros(outputs, case.N))
    teacher = randn(rng, nparams(blank))
    weights = case.weighted ? 0.5 .+ rand(rng, case.N) : ones(case.N)
    Y = case.kind == "mse" ? blank(teacher) .+ case.noise .* randn(rng, outputs, case.N) : noisy_probabilities(blank(teacher), rng)
    net = Net(layers = layers, input = X, target = Y, weights = case.weighted ? weights : nothing,
              losstype = case.kind == "mse" ? MSE() : CrossEntropy())
    listed = [(k, fill(f, k), b) for (k, f, b) in case.layers]
    return net, teacher, x -> Reference.loss(case.kind, listed, x, X, Y, weights, big(min(case.maxnorm, 1e9)), nothing)
end

function noisy_probabilities(Z, rng)
    p = exp.(Z) .* (0.5 .+ rand(rng, size(Z)...))
    return p ./ sum(p; dims = 1)
end

"""Newton's method in BigFloat, from near the end."""
function big_newton(f, x)
    for _ in 1:4
        x = x .- Reference.hessian(f, copy(x)) \ Reference.gradient(f, copy(x))
    end
    return x
end

# Sylvester's law of inertia: as many pivots are negative as eigenvalues. No pivot may be 0, so that shifts should not be.
function negative_pivots(A::Matrix{BigFloat})
    A, count = copy(A), 0
    for k in axes(A, 1)
        count += A[k, k] < 0
        for j in k+1:size(A, 2), i in k+1:size(A, 1)
            A[i, j] -= A[i, k] * A[k, j] / A[k, k]
        end
    end
    return count
end

function check_against_bigfloat(c, f, x)
    setprecision(BigFloat, 400) do
        centre = big.(c.x) .+ big.(c.low)
        critical = big_newton(f, centre)
        @test maximum(abs, critical .- centre) <= c.error + 1e-45
        @test maximum(abs, critical .- x) <= c.distance + 1e-45
        @test maximum(abs, Reference.gradient(f, copy(centre))) <= c.gnorm + 1e-45
        H = Reference.hessian(f, copy(critical))
        P = length(x)
        below(v) = negative_pivots(H - v * Matrix{BigFloat}(I, P, P))
        @test c.index == below(big(1e-15)) && c.kind === (c.index == 0 ? :minimum : c.index == P ? :maximum : :saddle)
        @test all(k -> below(big(c.eigenvalues_lower[k])) < k <= below(big(c.eigenvalues_upper[k])), 1:P)
        @test 0 < c.smallest <= minimum(abs, eigvals(Symmetric(Float64.(H)))) * (1 + 1e-6)
    end
    @test 0 <= c.error <= c.radius / 2 && 0 < c.contraction < 1
    @test all(c.eigenvalues_upper .- c.eigenvalues_lower .<= 1e-10 * maximum(abs, c.eigenvalues_upper))
end

const CERTIFIED = (
    (layers = ((2, "tanh", true), (1, "identity", true)), Din = 2, kind = "mse", N = 60, noise = 0.02, weighted = false, maxnorm = Inf, seed = 41),
    (layers = ((2, "softplus", false), (1, "identity", true)), Din = 2, kind = "mse", N = 60, noise = 0.02, weighted = true, maxnorm = Inf, seed = 60),
    (layers = ((2, "gelu", false), (2, "identity", false)), Din = 2, kind = "mse", N = 60, noise = 0.1, weighted = false, maxnorm = 0.02, seed = 43),
    (layers = ((2, "sigmoid", true), (1, "tanh", true), (1, "identity", false)), Din = 1, kind = "mse", N = 40, noise = 0.2, weighted = false,
     maxnorm = 0.5, seed = 44),
    (layers = ((1, "silu", true), (2, "identity", true)), Din = 2, kind = "cross_entropy", N = 40, noise = 0.0, weighted = true, maxnorm = 0.1, seed = 45))

@testset "minimum of case $k" for (k, case) in enumerate(CERTIFIED)
    rng = MersenneTwister(case.seed)
    net, teacher, f = certified_problem(case, rng)
    run = train(net, teacher; maxnorm = case.maxnorm, maxtime_ode = 0, verbosity = 0, result = :raw)
    c = certify(net, run.x; maxnorm = case.maxnorm)
    c.proved || @error "case $k: $(c.reason), after training: $(run.status), |grad| = $(run.gnorm)"
    @test c.proved && c.kind === :minimum
    c.proved && check_against_bigfloat(c, f, run.x)
    o = MLPFlow.objective(net; maxnorm = case.maxnorm)
    @test case.weighted || certify(o, run.x).radius == c.radius
end

@testset "saddles and a maximum" begin
    # With w = a = 0 the loss mean (a tanh(w x) - y)^2 has the Hessian [0 -2 mean(x y); -2 mean(x y) 0].
    net = Net(layers = ((1, tanh, false), (1, identity, false)), input = [1.0 2.0 -0.5], target = [1.0 0.5 0.25])
    c = certify(net, [0.0, 0.0])
    slope = 2 * (1.0 + 1.0 - 0.125) / 3
    @test c.proved && c.kind === :saddle && c.index == 1 && c.error < 1e-200
    @test all(c.eigenvalues_lower .<= [-slope, slope] .<= c.eigenvalues_upper)
    # (w^2/2 - 1)^2 has a maximum at 0 with curvature -2, and minima at +-sqrt(2), so that no radius may reach those.
    square_net = Net(layers = ((1, square, false),), input = reshape([1.0], 1, 1), target = reshape([1.0], 1, 1))
    top, bottom = certify(square_net, [0.0]), certify(square_net, [sqrt(2.0)])
    @test top.proved && top.kind === :maximum && top.index == 1 && 0.1 < top.radius < sqrt(2.0)
    @test bottom.proved && bottom.kind === :minimum && bottom.error < 1e-25 && 1e-17 < bottom.distance < 2e-16
    setprecision(() -> (@test abs(big(bottom.x[1]) + big(bottom.low[1]) - sqrt(big(2))) <= bottom.error), BigFloat, 400)
end

# A minimum of a student with one neuron, and a second neuron with all weights 0: the gradient stays 0, and the new weights w and a
# are coupled by 2 mean(r x), with the residuals r.
@testset "a saddle made of a minimum of a smaller network" begin
    rng = MersenneTwister(51)
    X, N = randn(rng, 1, 40), 40
    Y = tanh.(2 .* X) .- 0.5 .* tanh.(X .- 1) .+ 0.1 .* randn(rng, 1, N)
    small = Net(layers = ((1, tanh, false), (1, identity, true)), input = X, target = Y)
    w, a, c = train(small, [1.0, 1.0, 0.1]; maxtime_ode = 0, verbosity = 0, result = :raw).x
    net = Net(layers = ((2, tanh, false), (1, identity, true)), input = X, target = Y)
    x, listed = [w, 0.0, a, 0.0, c], [(2, ["tanh", "tanh"], false), (1, ["identity"], true)]
    saddle = certify(net, x)
    @test certify(small, [w, a, c]).kind === :minimum
    @test saddle.proved && saddle.kind === :saddle && saddle.index == 1
    saddle.proved && check_against_bigfloat(saddle, v -> Reference.loss("mse", listed, v, X, Y, ones(N), big(1e9), nothing), x)
end
