# Minibatches: the order of the samples, and the loss of a batch.
using Random

@testset "the generator is SplitMix64" begin
    # Published outputs for the state 1234567: rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
    r = MLPFlow.Shuffler(UInt64(1234567))
    @test [MLPFlow.next!(r) for _ in 1:5] == [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
                                             16408922859458223821]
end

@testset "an epoch uses every sample once: N = $N, B = $B" for (N, B) in ((1, 1), (7, 1), (7, 3), (7, 7), (64, 32), (65, 32), (1000, 999))
    seen = [minibatches(N, B; batchseed = 3, epoch = e) for e in 1:4]
    for batches in seen
        @test sort(vcat(batches...)) == 1:N
        @test length(batches) == cld(N, B) && all(b -> length(b) == B, batches[1:end-1])
        @test length(batches[end]) == N - B * (cld(N, B) - 1)
    end
    @test minibatches(N, B; batchseed = 3, epoch = 2) == seen[2]
    if N >= 64
        @test length(unique(seen)) == 4
        @test minibatches(N, B; batchseed = 4, epoch = 2) != seen[2]
    end
end

@testset "with replacement" begin
    batches = minibatches(10, 4; replacement = true)
    @test map(length, batches) == [4, 4, 4] && all(i -> 1 <= i <= 10, vcat(batches...))
    # Chi-squared with 9 degrees of freedom over 120,000 draws: mean 9, standard deviation 4.2.
    counts = zeros(10)
    for e in 1:10_000, i in vcat(minibatches(10, 4; epoch = e, replacement = true)...)
        counts[i] += 1
    end
    @test sum(abs2, counts .- 12_000) / 12_000 < 30
end

@testset "all permutations alike" begin
    counts = Dict{Vector{Int},Int}()
    for e in 1:24_000
        order = vcat(minibatches(4, 4; epoch = e)...)
        counts[order] = get(counts, order, 0) + 1
    end
    # Chi-squared with 23 degrees of freedom: mean 23, standard deviation 6.8.
    @test length(counts) == 24 && sum(c -> (c - 1000)^2 / 1000, values(counts)) < 60
end

@testset "bad arguments" begin
    for bad in (() -> minibatches(10, 0), () -> minibatches(10, 11), () -> minibatches(0, 1), () -> minibatches(10, 3; epoch = 0),
                () -> minibatches(10, 3; batchseed = -1))
        @test_throws ArgumentError bad()
    end
end

@testset "the loss of a batch: $losstype, $T, bias $bias" for losstype in (MSE(), CrossEntropy()), T in (Float64, Float32), bias in (true, false)
    rng = MersenneTwister(4)
    N, B = 23, 5
    input, weights = randn(rng, 2, N), rand(rng, N)
    target = losstype isa MSE ? randn(rng, 3, N) : rand(rng, 1:3, N)
    layers = ((4, tanh, bias), (3, identity, bias))
    net = Net(layers = layers, input = input, target = target, weights = weights, losstype = losstype, precision = T)
    x = collect(random_params(rng, net))
    o = NetObjective(net; maxnorm = 0.01, merge = (1, (1, 3), 0.5))
    batches = MLPFlow.batches(o, B, 8, false)
    g = zeros(length(x))
    for epoch in 1:2, chosen in minibatches(N, B; batchseed = 8, epoch = epoch)
        part = Net(layers = layers, input = input[:, chosen], losstype = losstype, precision = T, weights = weights[chosen],
                   target = losstype isa MSE ? target[:, chosen] : target[chosen])
        v, expected = value_and_gradient(part, x; maxnorm = 0.01, merge = (1, (1, 3), 0.5))
        @test MLPFlow.next_gradient!(g, batches, x) ≈ v rtol = 100 * eps(T)
        @test g ≈ expected rtol = 100 * eps(T)
    end
    @test batches.epochs.epoch == 2 && MLPFlow.at_end(batches.epochs)
end
