# Value and gradient with infinite data beside a gradient of 10,000 samples: Din = 9, a teacher of 8 hidden neurons, a student of 3.
#     julia -O3 --project=. benchmarks/infinite.jl
# Medians of repeats in one process, one thread, both objectives warm; every evaluation is at another point, so that nothing is reused.
using MLPFlow, Random, LinearAlgebra

function microseconds(o, points; repeats = 60)
    g = zeros(nparams(o))
    run() = for p in points
        value_gradient!(g, o, p)
    end
    run()
    times = sort!([(start = time_ns(); run(); Float64(time_ns() - start)) for _ in 1:repeats])
    return times[repeats÷2] / 1e3 / length(points)
end

function compare(f, biases)
    rng = MersenneTwister(32)
    teacher = TeacherNet(layers = ((8, f, biases), (1, identity, biases)), Din = 9, rng = rng)
    layers = ((3, f, biases), (1, identity, biases))
    x = randn(rng, 9, 10_000)
    finite = NetObjective(Net(layers = layers, input = x, target = teacher(x)))
    net = NetI(teacher, layers)
    infinite = InfiniteObjective(net)
    points = [collect(random_params(rng, net)) .+ 0.1 .* biases .* randn(rng, nparams(net)) for _ in 1:10]
    allocated = (g = zeros(nparams(net)); @allocated value_gradient!(g, infinite, points[1]))
    a, b = microseconds(finite, points), microseconds(infinite, points)
    println(rpad(string(f), 12), biases ? "biases   " : "no biases", lpad(round(a; digits = 1), 10), lpad(round(b; digits = 2), 10),
            lpad(round(a / b; digits = 1), 8), lpad(allocated, 8), "   ", join(sort!(map(string, collect(keys(evaluators(net, points[1]))))), ", "))
end

BLAS.set_num_threads(1)
println("Julia $VERSION, microseconds for value and gradient, bytes allocated")
println(rpad("activation", 21), lpad("N = 10^4", 10), lpad("infinite", 10), lpad("ratio", 8), lpad("bytes", 8), "   evaluators")
for biases in (false, true), f in (relu, sigmoid2, normal_cdf, square, exp, softplus, sigmoid, tanh, silu, gelu, g, selu)
    compare(f, biases)
end
