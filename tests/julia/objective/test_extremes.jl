# The smallest networks and the largest numbers: nothing may become NaN that has a value.
using Random

@testset "inputs of 1e6, weights of 1e3: $(MLPFlow.activation_name(f)), $(typeof(kind))" for kind in (MSE(), CrossEntropy()),
        f in (identity, sigmoid, tanh, relu, softplus, gelu, silu, selu, square, cube, g, sigmoid2, normal_cdf, Poly(1, 2, 3))
    X = 1e6 .* [1.0 -1.0 0.5 0.0; -1.0 1.0 0.25 0.0]
    Y = kind isa MSE ? [1.0 2.0 3.0 4.0; 0.0 1.0 0.0 1.0] : [1, 2, 1, 2]
    net = Net(layers = ((3, f, true), (2, identity, true)), input = X, target = Y, losstype = kind)
    rng = MersenneTwister(1)
    p = 1e3 .* randn(rng, nparams(net))
    @test isfinite(loss(net, p))
    @test all(isfinite, gradient(net, p))
    @test all(isfinite, hessian(net, p))
end

@testset "cross-entropy of large logits" begin
    net = Net(layers = ((2, identity, false),), input = [1.0 1.0], target = [1, 2], losstype = CrossEntropy())
    p = [1e5, -1e5]        # logits 1e5, -1e5: right for the first sample, wrong by 2e5 for the second
    @test loss(net, p) == 1e5
    @test gradient(net, p) ≈ [0.5, -0.5]
    shifted = Net(layers = ((2, identity, false),), input = ones(1, 1), target = [1], losstype = CrossEntropy())
    @test loss(shifted, [1e8 + 1, 1e8]) ≈ log1p(exp(-1)) rtol = 1e-12
end

@testset "N = 1, Din = 1, width 1" begin
    net = Net(layers = ((1, tanh, true), (1, identity, true)), input = fill(0.5, 1, 1), target = fill(2.0, 1, 1))
    w, b, a, c = 0.3, -0.2, 1.5, 0.1
    t = tanh(0.5w + b)
    r, d = a * t + c - 2, 1 - t^2
    @test loss(net, [w, b, a, c]) ≈ r^2
    @test gradient(net, [w, b, a, c]) ≈ 2r .* [0.5a * d, a * d, t, 1]
    J, dd = [0.5a * d, a * d, t, 1], -2t * d
    H = 2 .* (J * J' .+ r .* [0.25a*dd 0.5a*dd 0.5d 0; 0.5a*dd a*dd d 0; 0.5d d 0 0; 0 0 0 0])
    @test hessian(net, [w, b, a, c]) ≈ H
    single = Net(layers = ((1, identity, false),), input = fill(2.0, 1, 1), target = fill(3.0, 1, 1))
    @test loss(single, [1.0]) == 1.0 && gradient(single, [1.0]) == [-4.0] && hessian(single, [1.0]) ≈ fill(8.0, 1, 1)
    one_class = Net(layers = ((1, identity, false),), input = fill(2.0, 1, 1), target = [1], losstype = CrossEntropy())
    @test loss(one_class, [7.0]) == 0 && gradient(one_class, [7.0]) == [0.0] && hessian(one_class, [7.0]) == fill(0.0, 1, 1)
end

@testset "overflow is Inf or NaN, not an error" begin
    net = Net(layers = ((1, exp, false), (1, identity, false)), input = fill(1e3, 1, 1), target = fill(0.0, 1, 1))
    @test !isfinite(loss(net, [1.0, 1.0]))
end
