# NetI against finite data on quadrature nodes, whose gradient and Hessian are tested elsewhere, and against closed forms.
using LinearAlgebra, Random, Test

# A Net on the nodes of a tensor trapezoidal rule (exact to rounding for analytic activations that are not steep), Din = 2.
function quadrature_net(teacher, layers; mean = zeros(2), root = Matrix(1.0I, 2, 2), step = 1 / 6)
    line = collect(-9.0:step:9.0)
    density = step .* exp.(-line .^ 2 ./ 2) ./ sqrt(2 * pi)
    y = hcat(([a, b] for a in line for b in line)...)
    weights = [p * q for p in density for q in density]
    x = mean .+ root * y
    return Net(layers = layers, input = x, target = teacher(x), weights = weights .* length(weights))
end

function perturbed(rng, net)
    p = collect(random_params(rng, net))
    return p .+ 0.3 .* randn(rng, length(p))
end

@testset "quadrature: value, gradient, Hessian, products" begin
    rng = MersenneTwister(11)
    for (k, (f, h)) in enumerate(((softplus, tanh), (sigmoid2, [gelu, silu]), (cube, [sigmoid, Poly(0.1, 0.5, 0.2)]), (g, normal_cdf)))
        for (hidden_bias, output_bias, Dout, gaussian) in ((false, false, 1, false), (true, true, 2, false), (true, false, 1, true))
            teacher = TeacherNet(layers = ((2, f, hidden_bias), (Dout, identity, true)), Din = 2, rng = rng)
            teacher.p.flat .+= 0.3 .* randn(rng, nparams(teacher))
            layers = ((2, h, hidden_bias), (Dout, identity, output_bias))
            B, mean = gaussian ? ([0.8 0.0; 0.5 0.6], [0.3, -0.4]) : (Matrix(1.0I, 2, 2), zeros(2))
            net = gaussian ? NetI(teacher, layers; mean = mean, covariance = B * B') : NetI(teacher, layers)
            reference = quadrature_net(teacher, layers; mean = mean, root = B)
            p = perturbed(rng, net)
            options = (maxnorm = 0.05, merge = (1, (1, 2), 0.3))
            @test loss(net, p; options...) ≈ loss(reference, p; options...) rtol = 1e-11
            @test isapprox(gradient(net, p; options...), gradient(reference, p; options...); rtol = 1e-11)
            H = hessian(net, p; options...)
            @test isapprox(H, hessian(reference, p; options...); rtol = 1e-11)
            @test H == H'
            v = randn(rng, length(p), 2)
            @test hvp(net, p, v; options...) ≈ H * v
            @test hessian_spectrum(net, p; options...).values ≈ eigvals(Symmetric(H))
        end
    end
end

@testset "one-neuron minima of the orthonormal erf teacher" begin
    for k in (2, 3, 5, 10, 50)
        teacher = TeacherNet(layers = ((k, sigmoid2, false), (1, identity, false)), Din = k,
                             p = params((Matrix(1.0I, k, k), nothing), (ones(1, k), nothing)))
        net = NetI(teacher, ((1, sigmoid2, false), (1, identity, false)))
        start = params((fill(0.8 / sqrt(k * (2k - 1)), 1, k), nothing), (fill(0.8k, 1, 1), nothing))
        result = train(net, start; verbosity = 0, maxtime_ode = Inf, maxtime_optim = Inf, maxiterations_ode = 30)
        @test result["loss"] ≈ 2 / pi * (k * asin(1 / 2) - k^2 * asin(1 / (2k))) rtol = 1e-12
        @test result["x"]["w2"][1] ≈ k rtol = 1e-9
        @test norm(result["x"]["w1"]) ≈ 1 / sqrt(2k - 1) rtol = 1e-9
    end
end

@testset "exact recovery, split neurons, zero weights" begin
    rng = MersenneTwister(3)
    for f in (relu, softplus, sigmoid2, selu)
        teacher = TeacherNet(layers = ((2, f, true), (2, identity, true)), Din = 3, rng = rng)
        teacher.p.flat .+= 0.2 .* randn(rng, nparams(teacher))
        same = NetI(teacher, teacher)
        o = InfiniteObjective(same)
        @test 0 <= loss(same, teacher.p) <= 1e-14
        @test maximum(abs, gradient(same, teacher.p)) <= 1e-14
        @test minimum(hessian_spectrum(same, teacher.p).values) >= -1e-13
        wide = NetI(teacher, ((3, f, true), (2, identity, true)))
        w1, w2 = teacher.p.w1, teacher.p.w2
        split = Params(w1 = [w1; w1[2:2, :]], w2 = [w2[:, 1] 0.3 .* w2[:, 2] 0.7 .* w2[:, 2] w2[:, 3]])
        @test loss(wide, split) <= 1e-14 && maximum(abs, gradient(wide, split)) <= 1e-14
        @test all(isfinite, hessian(wide, split))
        zero_weights = copy(split)
        zero_weights.w1[1, 1:3] .= 0
        @test isfinite(loss(wide, zero_weights)) && all(isfinite, hessian(wide, zero_weights))
    end
end

# The reference gets both wrong: a difference of output biases without hidden biases, and one that is exactly 0.
@testset "output biases" begin
    rng = MersenneTwister(4)
    teacher = TeacherNet(layers = ((3, softplus, false), (1, identity, true)), Din = 2, rng = rng)
    layers = ((2, softplus, false), (1, identity, true))
    for difference in (0.0, 2.0)
        teacher.p.w2[1, 4] = difference
        net, reference = NetI(teacher, layers), quadrature_net(teacher, layers)
        p = random_params(rng, net)                                  # biases 0
        @test loss(net, p) ≈ loss(reference, p) rtol = 1e-12
        @test isapprox(gradient(net, p), gradient(reference, p); rtol = 1e-12)
    end
end

@testset "singular covariance is fewer inputs" begin
    rng = MersenneTwister(5)
    direction, shift = [0.6, -0.8, 1.0], [0.1, 0.2, -0.3]
    teacher = TeacherNet(layers = ((2, relu, true), (1, identity, false)), Din = 3, rng = rng)
    net = NetI(teacher, ((2, tanh, true), (1, identity, true)); mean = shift, covariance = direction * direction')
    line = TeacherNet(layers = ((2, relu, true), (1, identity, false)), Din = 1,
                      p = Params(w1 = [teacher.p.w1[:, 1:3] * direction teacher.p.w1[:, 4] .+ teacher.p.w1[:, 1:3] * shift], w2 = teacher.p.w2))
    small = NetI(line, ((2, tanh, true), (1, identity, true)))
    p = perturbed(rng, net)
    w1, w2 = params(params2dict(Params(net, p))).w1, Params(net, p).w2
    q = Params(w1 = [w1[:, 1:3] * direction w1[:, 4] .+ w1[:, 1:3] * shift], w2 = w2)
    @test loss(net, p) ≈ loss(small, q) rtol = 1e-13
    @test gradient(net, p).w1[:, 1:3] ≈ gradient(small, q).w1[:, 1] * direction' .+ gradient(small, q).w1[:, 2] * shift'
    @test all(isfinite, hessian(net, p))
end

@testset "the older spelling" begin
    rng = MersenneTwister(6)
    w_teach, a_teach = Matrix(1.0I, 4, 5), ones(4)'
    xt = (w1 = w_teach, w2 = a_teach)
    p = random_params(rng, Net(layers = ((2, relu, false), (1, identity, false)), input = randn(rng, 5, 3), target = randn(rng, 1, 3)))
    teacher = TeacherNet(layers = ((4, softplus, false), (1, identity, false)), Din = 5, p = Params(w1 = w_teach, w2 = a_teach))
    expected = loss(NetI(teacher, ((2, softplus, false), (1, identity, false))), p)
    for f in (softplus, Val(softplus), load_potential_approximator(softplus))
        @test loss(NetI(p, xt, f), p) == expected
    end
    ni = NetI(p, xt, Val(relu))
    res = train(ni, p; maxiterations_ode = 50, maxiterations_optim = 0, verbosity = 0)
    @test loss(ni, params(res["x"])) == res["loss"] < loss(ni, params(res["init"]))
    biased = NetI(Params(w1 = randn(rng, 2, 6), w2 = randn(rng, 1, 3)), xt, tanh)
    @test biased.layers[1].bias && biased.layers[2].bias && !biased.teacher.layers[1].bias
end

@testset "checkpoints, frozen parameters, budgets" begin
    rng = MersenneTwister(7)
    teacher = TeacherNet(layers = ((2, tanh, true), (1, identity, false)), Din = 2, rng = rng)
    net = NetI(teacher, ((3, tanh, true), (1, identity, false)))
    p = random_params(rng, net)
    mktempdir() do folder
        file = joinpath(folder, "run")
        options = (verbosity = 0, maxtime_ode = Inf, maxtime_optim = Inf)
        whole = train(net, p; maxiterations_ode = 12, maxiterations_optim = 3, options...)
        train(net, p; maxiterations_ode = 5, maxiterations_optim = 0, checkpoint = file, options...)
        resumed = train(net; resume = file, maxiterations_ode = 12, maxiterations_optim = 3, options...)
        @test resumed["x"] == whole["x"]
        other = NetI(teacher, ((3, tanh, true), (1, identity, false)); covariance = [2.0 0.0; 0.0 1.0])
        @test_throws ArgumentError train(other; resume = file, options...)
    end
    tauinv = ones(nparams(net))
    tauinv[1] = 0
    frozen = train(net, p; tauinv = tauinv, maxiterations_ode = 5, maxiterations_optim = 3, verbosity = 0)
    @test frozen["x"]["w1"][1] == p[1]
    @test train(net, p; alg = Adam(learning_rate = 0.1), maxiterations_ode = 5, maxiterations_optim = 0, verbosity = 0)["loss"] < loss(net, p)
    @test_throws ArgumentError train(net, p; alg = Adam(), batchsize = 10, verbosity = 0)
end

allocated_by(call, arguments...) = @allocated call(arguments...)

@testset "no allocation" begin
    rng = MersenneTwister(8)
    for f in (relu, sigmoid2, softplus, exp, square)
        teacher = TeacherNet(layers = ((3, f, true), (2, identity, true)), Din = 4, rng = rng)
        net = NetI(teacher, ((2, f, true), (2, identity, true)))
        o, p = InfiniteObjective(net), 0.3 .* perturbed(rng, net)
        g, H = zeros(nparams(net)), zeros(nparams(net), nparams(net))
        hessian!(H, o, p)
        value_gradient!(g, o, p)
        q = p .+ 1e-3
        @test allocated_by(value_gradient!, g, o, q) <= 16
    end
end

@testset "bad input" begin
    teacher = TeacherNet(layers = ((2, tanh, true), (1, identity, false)), Din = 2, rng = MersenneTwister(9))
    @test_throws ArgumentError NetI(teacher, ((2, tanh, true), (2, tanh, true), (1, identity, false)))
    @test_throws ArgumentError NetI(teacher, ((2, tanh, true), (1, tanh, false)))
    @test_throws DimensionMismatch NetI(teacher, ((2, tanh, true), (2, identity, false)))
    @test_throws DimensionMismatch NetI(teacher, ((2, tanh, true), (1, identity, false)); mean = [1.0])
    @test_throws DimensionMismatch NetI(teacher, ((2, tanh, true), (1, identity, false)); covariance = ones(3, 3))
    @test_throws ArgumentError NetI(teacher, ((2, tanh, true), (1, identity, false)); covariance = [1.0 2.0; 2.0 1.0])
    @test_throws ArgumentError NetI(teacher, ((2, tanh, true), (1, identity, false)); covariance = [1.0 0.5; 0.0 1.0])
    @test_throws DimensionMismatch loss(NetI(teacher, ((2, tanh, true), (1, identity, false))), [1.0])
    @test_throws ArgumentError train(NetI(teacher, teacher), teacher.p; losstype = CrossEntropy(), verbosity = 0)
end
