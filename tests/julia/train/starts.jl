# Run by test_starts.jl with several threads: prints their number and the results of five starts as text that shows every bit.
using MLPFlow, Random

net = Net(; layers = ((3, tanh, true), (1, identity, true)), input = randn(MersenneTwister(1), 2, 30), target = randn(MersenneTwister(2), 1, 30))
starts = ntuple(k -> random_params(MersenneTwister(k), net), 5)
println(Threads.nthreads())
for run in train(net, starts; verbosity = 0, result = :raw, alg = :DP5, maxiterations_ode = 6, maxiterations_optim = 4)
    println(run.loss, " ", join(run.x, " "))
end
