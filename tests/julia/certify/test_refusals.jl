# Nothing is proved where there is nothing to prove: every reason for it, and a thousand hostile points.
using LinearAlgebra
using Random
using MLPFlow: Ball

trained_point(net, x; kwargs...) = train(net, x; maxtime_ode = 0, verbosity = 0, result = :raw, kwargs...).x

function teacher_problem(f, rng; N = 40, noise = 0.02)
    X, layers = randn(rng, 2, N), ((2, f, true), (1, identity, true))
    teacher = randn(rng, 9)
    Y = Net(layers = layers, input = X, target = zeros(1, N))(teacher) .+ noise .* randn(rng, 1, N)
    return Net(layers = layers, input = X, target = Y), teacher
end

refused(net, x, words...; kwargs...) =
    (c = certify(net, x; kwargs...); !c.proved && all(w -> occursin(w, c.reason), words) && isnan(c.radius) && c.kind === :none || (@error c; false))

scalar_net(f; x = 1.0, y = 0.0) = Net(layers = ((1, f, false),), input = reshape([x], 1, 1), target = reshape([y], 1, 1))

# (w - 1)^3, so that the loss is (w - 1)^6: Newton's steps are a fifth of the way.
const FLAT = scalar_net(Poly(-1.0, 3.0, -3.0, 1.0))

@testset "reasons" begin
    net, teacher = teacher_problem(tanh, MersenneTwister(60))
    x = trained_point(net, teacher)
    @test certify(net, x).proved
    @test refused(net, teacher, "not a critical point", "|grad|", "train or polish first")
    @test refused(net, fill(NaN, 9), "not finite")
    for f in (relu, selu, UserActivation("sine", sin, cos, x -> -sin(x)))
        rough = Net(layers = ((2, f, true), (1, identity, true)), input = randn(2, 5), target = randn(1, 5))
        @test refused(rough, x, "not analytic", f isa UserActivation ? "sine" : string(f))
    end
    @test refused(FLAT, [1 + 1e-3], "not a critical point", "the nearest one found")
    @test refused(FLAT, [1 + 1e-4], "No contraction", "degenerate")
    @test refused(FLAT, [1.0], "singular")
    # x^2 overflows, the loss and its gradient do not.
    @test refused(scalar_net(identity; x = 1e160), [0.0], "Hessian is not finite")
    @test_throws DimensionMismatch certify(net, x[1:8])
end

@testset "parts that refuse" begin
    exact = MLPFlow.ExactLoss(scalar_net(tanh; y = 0.5))
    centre, H = [DoubleDouble(atanh(0.5))], fill(Ball(2.0), 1, 1)
    inverse = MLPFlow.ApproximateInverse(H)
    small = MLPFlow.smallest_box(exact, centre, inverse, [1e-10])
    @test !small.proved || small.q < 1
    @test !MLPFlow.contract(exact, centre, inverse, [1e-10], [10.0]).proved           # the Hessian varies too much
    @test !MLPFlow.contract(exact, centre, inverse, [1e-3], [1e-3]).proved            # the step leaves the box
    @test occursin("not finite", MLPFlow.no_contraction(MLPFlow.Contraction([1.0], false, NaN, [Inf], H)))
    # Eigenvalue bounds of a matrix with wide entries hold those of all its members, and none of what is not a number.
    wide = [Ball(DoubleDouble(i == j ? i : 0.1), 0.05) for i in 1:3, j in 1:3]
    lower, upper = MLPFlow.eigenvalue_bounds(wide)
    for signs in Iterators.product(fill((-1, 1), 6)...)
        S = zeros(3, 3)
        for (sign, (i, j)) in zip(signs, ((1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)))
            S[i, j] = S[j, i] = wide[i, j].mid.hi + 0.05 * sign
        end
        @test all(lower .<= eigvals(Symmetric(S)) .<= upper)
    end
    @test MLPFlow.eigenvalue_bounds(fill(Ball(NaN), 2, 2)) == ([-Inf, -Inf], [Inf, Inf])
    @test MLPFlow.smallest_eigenvalue([-2.0, -0.1], [-1.0, 0.2]) == 0
end

@testset "degenerate minima: duplicates, dead neurons, more neurons than the teacher" begin
    rng = MersenneTwister(61)
    for f in (tanh, softplus, gelu)
        X = randn(rng, 2, 40)
        layers(k) = ((k, f, true), (1, identity, true))
        teacher = [0.8, -0.3, 0.2, 1.2, 0.1]
        Y = Net(layers = layers(1), input = X, target = zeros(1, 40))(teacher)
        for noise in (0.0, 0.02)
            single = Net(layers = layers(1), input = X, target = Y .+ noise .* randn(rng, 1, 40))
            w1, w2, b, a, c = trained_point(single, teacher)
            @test certify(single, [w1, w2, b, a, c]).kind === :minimum
            double = Net(layers = layers(2), input = X, target = MLPFlow.targets(single))
            @test refused(double, [w1, w1, w2, w2, b, b, 0.3a, 0.7a, c], "")            # duplicates
            noise == 0 && @test refused(double, [w1, 0.4, w2, 0.7, b, -0.2, a, 0.0, c], "singular")
            @test refused(double, [w1, 0.0, w2, 0.0, b, 0.0, a, 0.0, c], "")            # dead
            found = trained_point(double, randn(rng, 9))
            loss(double, found) < 1e-25 && @test refused(double, found, "")             # a point of a valley of zeros
        end
    end
end

"""How many of `tries` hostile points of a problem are certified: random ones, and its minimum moved by 1e-3 in three ways."""
function count_proved(net, x, rng, tries)
    P, proved = length(x), 0
    for k in 1:tries
        v = randn(rng, P)
        point = k % 4 == 0 ? 2 .* randn(rng, P) : k % 4 == 1 ? x .+ 1e-3 .* v ./ norm(v) :
                k % 4 == 2 ? x .+ 1e-3 .* sign.(v) : x .* (1 .+ 1e-3 .* sign.(v))
        proved += certify(net, point).proved
    end
    return proved
end

@testset "a thousand points that are no minima" begin
    for (k, f) in enumerate((tanh, softplus, sigmoid, gelu)), noise in (0.0, 0.02)
        rng = MersenneTwister(70 + k)
        net, teacher = teacher_problem(f, rng; N = 25, noise = noise)
        x = noise == 0 ? teacher : trained_point(net, teacher)
        @test count_proved(net, x, rng, 125) == 0
    end
end
