# Certificates and digits on infinite data: minima of which formulas are known, minima found by train, and points that deserve no proof.
using LinearAlgebra
using Random

plain(k, f) = ((k, f, false), (1, identity, false))
biased(k, f) = ((k, f, true), (1, identity, true))

function orthonormal_teacher(k, f)
    p = params((Matrix{Float64}(I, k, k), nothing), (ones(1, k), nothing))
    return TeacherNet(; layers = plain(k, f), Din = k, p = p)
end

trained_x(net, p; kwargs...) = train(net, p; maxtime_ode = 0, maxiterations_optim = 2000, verbosity = 0, result = :raw, kwargs...).x

# One neuron against k orthonormal ones: the minimum is at a = k, |w|^2 = 1/(2k - 1), where it is (2/pi)(k asin(1/2) - k^2 asin(1/2k)).
@testset "one neuron against $k orthonormal sigmoid2" for k in (2, 3, 5, 10, 50)
    net = NetI(orthonormal_teacher(k, sigmoid2), plain(1, sigmoid2))
    x = trained_x(net, vcat(fill(1 / sqrt(k * (2k - 1)), k) .* (1 .+ 0.05 .* randn(MersenneTwister(k), k)), 0.95k))
    polished = polish(net, x; min_gnorm = 0)
    certificate = certify(net, x)
    @test polished.gnorm < 1e-28 && polished.rank == k + 1
    @test certificate.proved && certificate.kind === :minimum && certificate.distance < 1e-8
    setprecision(BigFloat, 256) do
        truth = 2 / big(pi) * (k * asin(big(1) / 2) - k^2 * asin(1 / big(2k)))
        minimum_at = vcat(fill(1 / sqrt(big(k * (2k - 1))), k), big(k))
        @test abs(big(polished.loss) + big(polished.loss_low) - truth) <= polished.loss_error < 1e-26
        @test maximum(abs, big.(certificate.x) .+ big.(certificate.low) .- minimum_at) <= certificate.error < 1e-20
    end
    values = eigvals(Symmetric(hessian(net, polished.x)))
    slack = 1e-12 * values[end]
    @test all(certificate.eigenvalues_lower .- slack .<= values .<= certificate.eigenvalues_upper .+ slack)
end

# The product a |w| of one relu against k orthonormal ones: with c = cos(theta) = 1/sqrt(k), half of it is k J(c), J the kernel of order 1.
# Without maxnorm only the product is determined; with merge and maxnorm the point is isolated.
@testset "relu" begin
    net = NetI(orthonormal_teacher(2, relu), plain(1, relu))
    x = trained_x(net, [0.9, 1.0, 1.3])
    c = 1 / sqrt(big(2))
    product = 2 * 2 / (2 * big(pi)) * (sqrt(1 - c^2) + (pi - acos(c)) * c)
    polished = polish(net, x)
    @test polished.rank == 2 && polished.gnorm < 1e-20
    wide = big.(polished.x) .+ big.(polished.low)
    @test abs(sqrt(wide[1]^2 + wide[2]^2) * wide[3] - product) < 1e-19
    @test !certify(net, x).proved && occursin("singular", certify(net, x).reason)
    bounded = trained_x(net, x; maxnorm = 0.3)
    certificate = certify(net, bounded; maxnorm = 0.3)
    @test certificate.proved && certificate.kind === :minimum && certificate.error < 1e-20
end

"""A student of k neurons of its teacher's kind at a minimum found by `train`, and the settings of its loss."""
function found_minimum(f, k, Din, layers, seed; maxnorm)
    rng = MersenneTwister(seed)
    net = NetI(TeacherNet(; layers = layers(4, f), Din = Din, rng = rng), layers(k, f))
    return net, trained_x(net, random_params(rng, net); maxnorm = maxnorm)
end

# What classify calls a minimum in Float64 is one.
@testset "minima found by train: $f, $(layers === plain ? "no biases" : "biases")" for (f, layers, maxnorm) in
        ((sigmoid2, plain, Inf), (sigmoid2, biased, Inf), (relu, plain, 0.1), (relu, biased, 0.1))
    minima = 0
    for Din in 2:3, k in 1:2
        net, x = found_minimum(f, k, Din, layers, 10Din + k; maxnorm = maxnorm)
        c = classify(net, x; maxnorm = maxnorm)
        c.kind === :minimum && minimum(c.eigenvalues) > 1e-6 || continue
        minima += 1
        certificate = certify(net, x; maxnorm = maxnorm)
        @test certificate.proved && certificate.kind === :minimum
        @test certificate.error <= certificate.radius && certificate.smallest <= minimum(c.eigenvalues) * (1 + 1e-6)
    end
    @test minima >= 2
end

# maxnorm turns the neurons of the student away from the teacher's by angles of 0.001 to 0.01, where bounds are wide.
@testset "nearly parallel relu" begin
    rng = MersenneTwister(241)
    p = random_params(rng, TeacherNet(; layers = plain(4, relu), Din = 2, rng = rng).layers)
    net = NetI(TeacherNet(; layers = plain(4, relu), Din = 2, p = p), plain(4, relu))
    certificate = certify(net, trained_x(net, p; maxnorm = 0.02); maxnorm = 0.02)
    @test certificate.proved && certificate.kind === :minimum && certificate.radius > 1e-14
end

@testset "exact recovery: a proof where it is isolated, none where it is not" begin
    W, a = [1.0 0.3; -0.4 1.2], [1.0 -0.8]
    teacher(f) = TeacherNet(; layers = plain(2, f), Din = 2, p = params((W, nothing), (a, nothing)))
    same = vcat(vec(W), vec(a))
    for f in (sigmoid2, normal_cdf, cube)
        certificate = certify(NetI(teacher(f), plain(2, f)), same)
        f === cube || @test certificate.proved && certificate.kind === :minimum
        f === cube && @test !certificate.proved          # its neurons can be scaled
        more = polish(NetI(teacher(f), plain(2, f)), same .+ 1e-9; min_gnorm = 0)
        @test more.gnorm < 1e-26 && abs(more.loss) <= more.loss_error
        wide = NetI(teacher(f), plain(3, f))
        silent = vcat(vec([W; 0.5 0.5]), vec([a 0.0]))
        split = vcat(vec([W; W[2:2, :]]), [1.0, -0.5, -0.3])
        for x in (silent, split)
            @test !certify(wide, x).proved && isfinite(polish(wide, x .+ 1e-8).gnorm)
        end
    end
    # Parallel relu neurons: the critical point is exact to 32 digits.
    net = NetI(teacher(relu), plain(2, relu))
    for x in (same, same .* 1.5, vcat(vec(W .* [2.0, 0.5]), vec(a .* [0.5 2.0])))
        polished = polish(net, x)
        @test isfinite(polished.gnorm) && isfinite(polished.loss) && polished.gnorm <= 1e-20
        @test !certify(net, x).proved
    end
    # A student of one relu that maxnorm holds: parallel to its teacher, and isolated.
    one = NetI(TeacherNet(; layers = plain(1, relu), Din = 2, p = params(([1.0 0.3], nothing), (fill(1.1, 1, 1), nothing))), plain(1, relu))
    x = trained_x(one, [0.7, 0.3, 0.9]; maxnorm = 0.2)
    certificate = certify(one, x; maxnorm = 0.2)
    @test certificate.proved && certificate.kind === :minimum && certificate.error < 1e-13
    @test abs(certificate.x[1] * 0.3 - certificate.x[2]) <= 3 * certificate.error
    @test polish(net, zeros(6)).status === :nonfinite_start && !certify(net, zeros(6)).proved
end

@testset "points that are no minima" begin
    for (f, layers, maxnorm) in ((sigmoid2, plain, Inf), (relu, biased, 0.1), (relu, plain, 0.1))
        net, x = found_minimum(f, 2, 2, layers, 22; maxnorm = maxnorm)
        rng, P = MersenneTwister(5), length(x)
        random = count(k -> certify(net, 2 .* randn(rng, P); maxnorm = maxnorm).proved, 1:100)
        moved = count(1:20) do k
            v = randn(rng, P)
            certify(net, x .+ 1e-3 .* v ./ norm(v); maxnorm = maxnorm).proved
        end
        @test random == 0 && moved == 0
    end
end

@testset "settings" begin
    net, x = found_minimum(sigmoid2, 2, 2, plain, 22; maxnorm = Inf)
    @test_throws DimensionMismatch certify(net, x[1:3])
    @test_throws ArgumentError polish(net, x; min_gnorm = -1)
    @test polish(MLPFlow.objective(net), x).x == polish(net, x).x
    merged = trained_x(net, x; merge = (1, (1, 2), 1e-5))
    @test certify(net, merged; merge = (1, (1, 2), 1e-5)).kind === :minimum
    @test !certify(net, merged).proved
end
