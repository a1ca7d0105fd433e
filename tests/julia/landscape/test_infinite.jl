# Kinds of points on infinite data and on rules with negative weights; what has no proof.
using LinearAlgebra, Random

hidden(k, f) = ((k, f, false), (1, identity, false))

@testset "infinite data" begin
    teacher = TeacherNet(; layers = hidden(2, softplus), Din = 2, p = params(([1.0 0.3; -0.4 1.2], nothing), ([1.0 -0.8], nothing)))
    net = NetI(teacher, hidden(2, softplus))
    same = MLPFlow.flat_params(net, teacher.p)
    c = classify(net, same)
    @test c.kind === :minimum && c.index == 0 && c.gnorm <= c.gnorm_rounding
    @test minimum(eigvals(Symmetric(hessian(net, same)))) ≈ c.eigenvalues[1]
    # A neuron more that is silent: its direction is free.
    wide = NetI(teacher, hidden(3, softplus))
    x = MLPFlow.flat_params(wide, params(([1.0 0.3; -0.4 1.2; 0.5 0.5], nothing), ([1.0 -0.8 0.0], nothing)))
    c = classify(wide, x)
    @test c.kind === :degenerate && c.flat_dimension == 2 && c.flat_loss === :level
    @test classify(net, same .+ 0.1).kind === :not_critical
    certificate = certify(net, same)
    @test !certificate.proved && occursin("Gaussian", certificate.reason)
    @test_throws ArgumentError polish(net, same)
end

@testset "negative weights" begin
    rng = MersenneTwister(3)
    x, y = randn(rng, 2, 40), randn(rng, 1, 40)
    weights = [n % 5 == 0 ? -0.3 : 1.3 for n in 1:40]
    net = Net(layers = ((2, tanh, true), (1, identity, true)), input = x, target = y, weights = weights, signed_weights = true)
    o = MLPFlow.objective(net)
    @test !MLPFlow.isleastsquares(o)
    @test_throws ArgumentError MLPFlow.weighted_residuals!(zeros(40), o, zeros(9))
    run = train(net, random_params(MersenneTwister(1), net); maxT = 100.0, maxiterations_optim = 500, verbosity = 0, result = :raw)
    c = classify(net, run)
    @test isfinite(c.gnorm_rounding) && all(isfinite, c.levels)
    # The same terms, all counted as positive, are not smaller.
    terms = Net(layers = ((2, tanh, true), (1, identity, true)), input = x, target = y, weights = abs.(weights))
    H = hessian(net, run.x)
    errors = MLPFlow.evaluation_errors(o, run.x, run.loss, H, eps())
    bound = MLPFlow.evaluation_errors(MLPFlow.objective(terms), run.x, loss(terms, run.x), H, eps())
    @test errors.value ≈ bound.value && errors.gradient ≈ bound.gradient
end
