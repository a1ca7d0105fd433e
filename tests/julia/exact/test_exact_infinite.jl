# The loss on infinite data beyond Float64 against integrals in BigFloat: value, gradient and Hessian, and that balls hold them.
using LinearAlgebra
using Random
using MLPFlow: Ball, ExactInfiniteLoss, exact_value_gradient!, exact_hessian!, isinside, leading
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))
isdefined(Main, :GaussianReference) || include(joinpath(@__DIR__, "..", "gaussian_reference.jl"))

const CUBIC = Poly(0.5, -0.25, 0.125, 0.0625)
engine_activation(name) = name == "poly" ? CUBIC : MLPFlow.activation(name)

"""A student and a teacher of these activations: the case for the reference, the net, and parameters."""
function infinite_case(rng, student, teacher; hidden, output, general)
    n, K, k = 2, length(student), length(teacher)
    root = [1.1 0.0; 0.4 0.8]
    covariance, mean = general ? (root * root', [0.3, -0.2]) : (Matrix{Float64}(I, n, n), zeros(n))
    w1, w2 = 0.7 .* randn(rng, k, n + hidden), randn(rng, 1, k + output)
    split(w, bias) = bias ? (w[:, 1:end-1], w[:, end]) : (w, nothing)
    p = params(split(w1, hidden), split(w2, output))
    specification(names) = ((length(names), Any[engine_activation(f) for f in names], hidden), (1, identity, output))
    teacher_net = TeacherNet(; layers = specification(teacher), Din = n, p = p)
    net = NetI(teacher_net, specification(student); mean = mean, covariance = covariance)
    case = (student = student, teacher = teacher, hidden = hidden, output = output, w1 = w1, w2 = w2, mean = mean, covariance = covariance)
    return case, net, 0.7 .* randn(rng, nparams(net))
end

const INFINITE_CASES = [
    (student = ["sigmoid2", "sigmoid2"], teacher = ["sigmoid2"], hidden = false, output = false, general = false),
    (student = ["relu", "relu"], teacher = ["relu"], hidden = false, output = false, general = false),
    (student = ["relu", "relu"], teacher = ["relu"], hidden = true, output = true, general = true),
    (student = ["normal_cdf", "sigmoid2"], teacher = ["normal_cdf"], hidden = true, output = true, general = true),
    (student = ["relu", "sigmoid2"], teacher = ["normal_cdf"], hidden = true, output = false, general = true),
    (student = ["cube", "relu"], teacher = ["poly"], hidden = false, output = true, general = true),
    (student = ["poly", "normal_cdf"], teacher = ["square"], hidden = true, output = false, general = false),
    (student = ["exp", "relu"], teacher = ["sigmoid2"], hidden = true, output = false, general = true),
    (student = ["exp", "identity"], teacher = ["exp"], hidden = false, output = true, general = true)]

@testset "$(c.student) against $(c.teacher), biases $(c.hidden) $(c.output)" for (number, c) in enumerate(INFINITE_CASES)
    rng = MersenneTwister(200 + number)
    case, net, x = infinite_case(rng, c.student, c.teacher; hidden = c.hidden, output = c.output, general = c.general)
    exact, P = ExactInfiniteLoss(net), length(x)
    g, H = zeros(Ball, P), zeros(Ball, P, P)
    value = exact_value_gradient!(g, exact, map(Ball, x))
    exact_hessian!(H, exact, map(Ball, x))
    full = [i <= j ? H[i, j] : H[j, i] for i in 1:P, j in 1:P]
    wide = zeros(DoubleDouble, P)
    wide_value = exact_value_gradient!(wide, exact, map(DoubleDouble, x))
    @test value.rad < 1e-27 && all(b -> b.rad < 1e-26, g) && all(b -> b.rad < 1e-24, H)
    @test isinside(BigFloat(wide_value), value) && all(i -> isinside(BigFloat(wide[i]), g[i]), 1:P)
    # Differences of the reference along random directions.
    setprecision(BigFloat, 320) do
        truth(t, v) = GaussianReference.loss(case, big.(x) .+ t .* v)
        v, h, at_x = randn(rng, P), big(1e-16), truth(big(0), zeros(P))
        up, down, far_up, far_down = truth(h, v), truth(-h, v), truth(2h, v), truth(-2h, v)
        along = sum(big(v[i]) * BigFloat(g[i].mid) for i in 1:P)
        curved = sum(big(v[i]) * big(v[j]) * BigFloat(full[i, j].mid) for i in 1:P, j in 1:P)
        @test isinside(at_x, value)
        @test abs((8 * (up - down) - (far_up - far_down)) / 12h - along) < 1e-26 * (1 + sum(abs, v))
        @test abs((16 * (up + down) - far_up - far_down - 30 * at_x) / (12 * h^2) - curved) < 1e-24 * (1 + sum(abs2, v))
    end
    # Float64
    o = MLPFlow.objective(net; maxnorm = 0.1, merge = (1, (1, 2), 0.3))
    penalized = ExactInfiniteLoss(o)
    value = exact_value_gradient!(g, penalized, map(Ball, x))
    exact_hessian!(H, penalized, map(Ball, x))
    @test leading(value) ≈ MLPFlow.value(o, x) rtol = 1e-13
    @test map(leading, g) ≈ MLPFlow.gradient!(zeros(P), o, x) rtol = 1e-13
    @test UpperTriangular(map(leading, H)) ≈ UpperTriangular(MLPFlow.hessian!(zeros(P, P), o, x)) rtol = 1e-12
end

# Owen's T of the tables, and the orthant probability 1/4 + asin(rho)/(2 pi) and its limits: independent, equal and opposite variables.
@testset "orthants" begin
    setprecision(BigFloat, 320) do
        h, a = Ball(0.0625), Ball(0.025)
        @test leading(MLPFlow.owen_wide(h, a)) ≈ 0.003970281304296922 rtol = 1e-14
        @test isinside(atan(big(0.7)) / (2 * big(pi)), MLPFlow.owen_wide(Ball(0.0), Ball(0.7)))
        cdf(x) = Reference.cdf(big(x))
        at(m1, m2, C) = MLPFlow.orthant_at_point(Ball(m1), Ball(m2), Ball(1.0), Ball(C), Ball(1.0), false)
        for C in (-0.75, 0.0, 0.5, 0.984375)
            @test isinside(1 / big(4) + asin(big(C)) / (2 * big(pi)), at(0.0, 0.0, C))
            @test at(0.0, 0.0, C).rad < 1e-29
        end
        for (m1, m2) in ((0.3, -1.2), (0.0, 0.8), (-0.5, 0.0), (2.0, 2.0), (-9.0, 3.0), (40.0, -0.1), (1e-30, 0.5), (1e-20, 1e-25))
            @test isinside(cdf(m1) * cdf(m2), at(m1, m2, 0.0))
            # P(z1 > 0, z2 > 0) + P(z1 > 0, -z2 > 0) = P(z1 > 0)
            for C in (0.3, -0.9, 0.999)
                sum = at(m1, m2, C) + at(m1, -m2, -C)
                @test isinside(cdf(m1), sum) && sum.rad < 1e-28
            end
        end
    end
    # Double-double numbers have limits where variables are equal or opposite, where balls have no bounds.
    wide(numbers...) = leading(MLPFlow.orthant_at_point(map(DoubleDouble, numbers)..., false))
    @test wide(0.4, 0.4, 1.0, 1.0, 1.0) ≈ MLPFlow.normal_cdf(0.4) && wide(0.4, 0.9, 1.0, 1.0, 1.0) ≈ MLPFlow.normal_cdf(0.4)
    @test wide(0.4, -0.4, 1.0, -1.0, 1.0) ≈ 0 atol = 1e-16
    @test !isfinite(MLPFlow.orthant_at_point(Ball(0.4), Ball(0.4), Ball(1.0), Ball(1.0), Ball(1.0), false).rad)
end

# Bounds over a box hold what the function is at its points, which has its own bounds: 32 digits narrower than the box.
@testset "boxes" begin
    for (number, c) in enumerate(INFINITE_CASES), radius in (1e-12, 1e-5, 1e-3)
        rng = MersenneTwister(230 + number)
        _, net, x = infinite_case(rng, c.student, c.teacher; hidden = c.hidden, output = c.output, general = c.general)
        exact, P = ExactInfiniteLoss(net), length(x)
        bounds(points) = (g = zeros(Ball, P); H = zeros(Ball, P, P);
                          vcat(exact_value_gradient!(g, exact, points), g, vec(exact_hessian!(H, exact, points))))
        box = bounds([Ball(DoubleDouble(xi), radius) for xi in x])
        largest = maximum(MLPFlow.magnitude, box)
        @test radius > 1e-4 || all(b -> b.rad < 100 * radius * (1 + largest), box)
        outside = 0
        for corner in 1:4
            point = bounds([DoubleDouble(xi) + radius * (corner == 1 ? rand(rng, (-1.0, 1.0)) : 2 * rand(rng) - 1) for xi in x] .|> Ball)
            outside += count(k -> abs(leading(point[k].mid - box[k].mid)) > box[k].rad + point[k].rad, eachindex(box))
        end
        @test outside == 0
    end
end

# A box of weights around those of a parallel relu, where covariances have no bounds.
@testset "parallel relu, covariance $general, a = $a" for general in (false, true), a in (1.0, -0.6)
    rng = MersenneTwister(260)
    _, net, x = infinite_case(rng, ["relu"], ["relu", "relu"]; hidden = false, output = false, general = false)
    general && (net = NetI(net.teacher, net; covariance = [1.3 0.4; 0.4 0.8]))
    exact, w, P = ExactInfiniteLoss(net), vec(MLPFlow.layer_matrix(net.teacher.p, 1)[1, :]), length(x)
    bounds(points) = (g = zeros(Ball, P); H = zeros(Ball, P, P);
                      vcat(exact_value_gradient!(g, exact, points), g, vec(exact_hessian!(H, exact, points))))
    centre = vcat(a .* w, 0.8)
    for radius in (0.0, 1e-20, 1e-12, 1e-6, 1e-3)
        box = bounds([Ball(DoubleDouble(c), radius) for c in centre])
        @test maximum(b -> b.rad, box) < 12 * sqrt(radius) + 1e-13
        @test maximum(b -> b.rad, box[1:P+1]) < 40 * radius + 1e-28
        outside = 0
        for _ in 1:10
            point = bounds([Ball(DoubleDouble(c) + max(radius, 1e-9) * (2 * rand(rng) - 1)) for c in centre])
            radius >= 1e-9 && (outside += count(k -> abs(leading(point[k].mid - box[k].mid)) > box[k].rad + point[k].rad, eachindex(box)))
        end
        @test outside == 0
    end
end

@testset "no closed form" begin
    layers(f) = ((2, f, false), (1, identity, false))
    net = NetI(TeacherNet(; layers = layers(relu), Din = 2, rng = MersenneTwister(1)), layers(tanh))
    x = randn(MersenneTwister(2), nparams(net))
    @test_throws ArgumentError ExactInfiniteLoss(net)
    message = try polish(net, x) catch e; e.msg end
    @test occursin("tanh", message) && occursin("closed form", message)
    @test !certify(net, x).proved && occursin("tanh", certify(net, x).reason)
    high = Poly(ntuple(i -> 0.1, 22)...)
    @test_throws ArgumentError ExactInfiniteLoss(NetI(TeacherNet(; layers = layers(high), Din = 2, rng = MersenneTwister(1)), layers(relu)))
end
