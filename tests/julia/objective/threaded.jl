# Run by test_threads.jl with several threads: prints value, gradient, Hessian and products as hexadecimal digits of their bits.
using MLPFlow, Random

rng = MersenneTwister(1)
layers = ((10, tanh, true), (8, softplus, true), (2, identity, true))
for kind in (MSE(), CrossEntropy())
    Y = kind isa MSE ? randn(rng, 2, 9001) : rand(rng, 1:2, 9001)
    net = Net(layers = layers, input = randn(rng, 3, 9001), target = Y, losstype = kind)
    p = collect(random_params(rng, net))
    o = NetObjective(net)
    g, H, v = zero(p), zeros(length(p), length(p)), randn(rng, length(p), 2)
    out = zero(v)
    for _ in 1:3
        numbers = vcat(value(o, p), value_gradient!(g, o, p), g, value_gradient_hessian!(g, H, o, p), g, vec(H), vec(hvp!(out, o, p, v)),
                       vec(gauss_newton_product!(zero(v), o, p, v)), vec(residuals(net, p)), jacobian(net, p)[:, 2, 9001])
        println(join(string.(reinterpret.(UInt64, numbers); base = 16), ' '))
    end
    println(stderr, length(o.parts), " ", length(o.second_order.parts))
end

# A Hessian may use more threads than a gradient: what it leaves behind must not reach the next loss.
net = Net(layers = ((50, tanh, true), (1, identity, true)), input = randn(rng, 2, 900), target = randn(rng, 1, 900))
p = collect(random_params(rng, net))
o = NetObjective(net)
before, H = value(o, p), zeros(length(p), length(p))
hessian!(H, o, p)
value(o, p) == before && value_gradient!(zero(p), o, p) ≈ before || error("the loss after a Hessian is $(value(o, p)), before it was $before")
println(stderr, length(o.parts), " ", length(o.second_order.parts))
