# The package as a person in the REPL meets it: help on every name, objects that say what they are, any kind of array.
module TestApi

using MLPFlow, Random, Test

@testset "help on every export" begin
    documented(name) = haskey(Base.Docs.meta(MLPFlow), Base.Docs.Binding(MLPFlow, name))
    # The functions of Julia's standard library that are exported again have their help there.
    @test filter(name -> !documented(name) && getfield(MLPFlow, name) !== tanh, names(MLPFlow)) == Symbol[]
    @test occursin("maxtime_ode", string(Base.Docs.doc(Base.Docs.Binding(MLPFlow, :train))))
end

net_with(input, target; kwargs...) = Net(; layers = ((2, softplus, true), (1, identity, false)), input = input, target = target, kwargs...)

@testset "objects say what they are" begin
    net = net_with(randn(MersenneTwister(1), 2, 5), randn(MersenneTwister(2), 1, 5))
    p = random_params(MersenneTwister(3), net)
    plain(x) = sprint(show, MIME"text/plain"(), x)
    for (object, said) in ((net, "Net(2 -> 2 softplus + bias -> 1 identity; 8 parameters, 5 samples, mean squared error)"),
                           (TeacherNet(; layers = ((1, tanh, false),), Din = 3), "TeacherNet(3 -> 1 tanh; 3 parameters)"),
                           (NetObjective(net), "NetObjective(2 -> 2 softplus + bias -> 1 identity; 8 parameters, 5 samples, mean squared error)"),
                           (FunctionObjective(2; value = sum, gradient! = copyto!), "FunctionObjective(2 parameters; value, gradient!)"),
                           (FunctionObjective(2; value = sum, gradient! = copyto!, hvp! = copyto!), "FunctionObjective(2 parameters; value, gradient!, hvp!)"),
                           (Poly(1, 2), "Poly(1.0, 2.0)"), (UserActivation("mine", sin, cos, x -> -sin(x)), "UserActivation(\"mine\")"))
        @test replace(sprint(show, object), MLPFlow.loss_name(MSE()) => "mean squared error") == said
    end
    run = train(net, p; result = :raw, verbosity = 0, maxiterations_ode = 2, maxiterations_optim = 2)
    @test startswith(sprint(show, run), "Training(:maxiterations, loss = ")
    @test occursin("not converged", plain(run)) && occursin("FlowResult(", plain(run)) && occursin(status_message(:maxiterations), plain(run))
    @test length(sprint(show, [net, net])) < 400
    for object in (net, p, run, NetObjective(net), MSE(), CrossEntropy())
        @test 1 < length(plain(object)) < 1500
    end
end

# As the arrays of another language come: a shape and a way to read an element, nothing else.
struct Foreign{T,N} <: AbstractArray{T,N}
    data::Array{T,N}
end
Base.size(a::Foreign) = size(a.data)
Base.getindex(a::Foreign{T,N}, i::Vararg{Int,N}) where {T,N} = a.data[i...]
foreign(a::AbstractArray) = Foreign(collect(a))

@testset "any AbstractArray" begin
    rng = MersenneTwister(5)
    input, target, weights = randn(rng, 2, 7), randn(rng, 1, 7), rand(rng, 7)
    own, other = net_with(input, target; weights = weights), net_with(foreign(input), foreign(target); weights = foreign(weights))
    W1, b1, W2 = randn(rng, 2, 2), randn(rng, 2), randn(rng, 1, 2)
    p, q = params((W1, b1), (W2, nothing)), params((foreign(W1), foreign(b1)), (foreign(W2), nothing))
    @test p == q && params(Dict("w1" => foreign([W1 b1]), "w2" => foreign(W2))) == p
    flat, x, v = foreign(p), foreign(randn(rng, 2, 3)), randn(rng, 8, 2)
    for f in (loss, gradient, hessian, residuals, jacobian, gauss_newton)
        @test f(own, p) == f(other, flat) == f(other, q)
    end
    @test hessian_spectrum(own, p) == hessian_spectrum(other, flat)
    @test hvp(own, p, v) == hvp(other, flat, foreign(v)) && gauss_newton_product(own, p, v) == gauss_newton_product(other, flat, foreign(v))
    @test own(p) == other(flat) && own(p, x.data) == other(flat, x)
    @test loss(own, p; input = input[:, 1:3], target = target[:, 1:3]) == loss(own, flat; input = foreign(input[:, 1:3]), target = foreign(target[:, 1:3]))
    @test TeacherNet(; layers = ((1, tanh, true),), Din = 2, p = foreign([1.0, 2.0, 3.0]))(x) == TeacherNet(; layers = ((1, tanh, true),), Din = 2, p = [1.0, 2.0, 3.0])(x.data)
    budget = (verbosity = 0, maxiterations_ode = 3, maxiterations_optim = 3)
    @test train(own, p; budget...)["x"] == train(other, flat; tauinv = foreign(ones(8)), budget...)["x"] == train(other, q; budget...)["x"]
    labels = Net(; layers = ((3, identity, true),), input = foreign(input), target = foreign([1, 2, 3, 1, 2, 3, 1]), losstype = CrossEntropy())
    @test loss(labels, foreign(zeros(9))) ≈ log(3) rtol = 1e-14
    # Integers and single precision are numbers too.
    @test loss(net_with(foreign([1 2; 3 4]), foreign(Float32[1 2])), zeros(8)) == 2.5
end

end
