# Gradient descent with smaller and smaller steps approaches the gradient flow.
#     julia --project=. examples/flow_and_descent.jl
using MLPFlow, Random

rng = MersenneTwister(1)
x = randn(rng, 2, 200)
net = Net(; layers = ((3, tanh, true), (1, identity, true)), input = x, target = sin.(sum(x, dims = 1)))
start = vec(random_params(rng, net))

T = 2.0
flow = train(net, start; maxT = T, abstol = 1e-10, reltol = 1e-10, maxtime_optim = 0, verbosity = 0, result = :raw).flow

function descend(net, p, stepsize, T)
    p, g = copy(p), similar(p)
    for _ in 1:round(Int, T / stepsize)
        gradient!(g, net, p)
        p .-= stepsize .* g
    end
    return p
end

for stepsize in (0.1, 0.01, 0.001)
    distance = maximum(abs, descend(net, start, stepsize, T) - flow.x)
    println("step ", stepsize, ": distance to the flow at t = ", T, " is ", round(distance, sigdigits = 2))
end
