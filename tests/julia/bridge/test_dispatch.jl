using LinearAlgebra

# A client in the same process: what it would say is in `inbox`, what it is told goes to `outbox`. It says one thing a
# question; a cancel request may come at any time.
struct LocalTransport <: MLPFlow.Transport
    inbox::Vector{Vector{UInt8}}
    outbox::Vector{Any}
end
MLPFlow.send!(t::LocalTransport, frame::Vector{UInt8}) = (push!(t.outbox, MLPFlow.unmsgpack(frame)); nothing)
function MLPFlow.listen!(t::LocalTransport, session::MLPFlow.Session; wait::Bool)
    wait && isempty(t.inbox) && error("nothing more will arrive")
    while !isempty(t.inbox) && (wait || haskey(MLPFlow.unmsgpack(t.inbox[1]), "cancel"))
        MLPFlow.receive!(session, popfirst!(t.inbox))
        wait && break
    end
end

new_session() = MLPFlow.Session(LocalTransport(Vector{UInt8}[], Any[]))

message(; fields...) = MLPFlow.msgpack(Dict(string(k) => v for (k, v) in fields))

function call(session, name, arguments=Dict{String,Any}(); id=1)
    frame = message(id=id, call=name, arguments=arguments)
    reply = MLPFlow.unmsgpack(MLPFlow.dispatch(session, frame))
    @test reply["id"] == id
    return reply
end

function create!(session; key=1, layers=[("tanh", 3, true), ("identity", 1, false)], extra...)
    X = reshape(sin.(1.0:14), 2, 7)
    arguments = Dict{String,Any}("key" => key, "input" => X, "target" => reshape(cos.(1.0:7), 1, 7),
                                 "weights" => nothing, "losstype" => "mse",
                                 "layers" => [Dict("activation" => f, "width" => k, "bias" => b) for (f, k, b) in layers])
    for (name, value) in extra
        arguments[string(name)] = value
    end
    return call(session, "net_create", arguments)
end

@testset "plain calls" begin
    session = new_session()
    @test call(session, "ping")["result"] === nothing
    @test call(session, "echo", Dict("value" => [1.0 2.0]))["result"] == [1.0 2.0]
    info = call(session, "info")["result"]
    @test info["julia"] == string(VERSION)
    @test info["pid"] == getpid()
end

@testset "errors come back as sentences and leave the session usable" begin
    session = new_session()
    reply = call(session, "no_such_call")
    @test occursin("expected one of the calls", reply["error"]["message"])
    @test reply["error"]["kind"] == "ArgumentError"
    @test occursin("no_such_call", reply["error"]["trace"])
    @test occursin("network 7", call(session, "value", Dict("net" => 7, "p" => [1.0]))["error"]["message"])
    @test haskey(create!(session; layers=[("tanhh", 3, true)]), "error")
    @test haskey(create!(session), "result")
    @test occursin("12", call(session, "value", Dict("net" => 1, "p" => [1.0]))["error"]["message"])
    @test call(session, "ping")["result"] === nothing
end

@testset "networks: value, gradient, Hessian, spectrum and outputs in Python's order" begin
    session = new_session()
    @test create!(session)["result"] == 12
    W1, b1, W2 = [0.1 0.2; 0.3 0.4; 0.5 0.6], [0.7, 0.8, 0.9], [1.0 1.1 1.2]
    p = vcat(vec(permutedims(W1)), b1, vec(W2))
    X, y = reshape(sin.(1.0:14), 2, 7), reshape(cos.(1.0:7), 1, 7)
    f(W1, b1, W2) = W2 * tanh.(W1 * X .+ b1)
    arguments = Dict("net" => 1, "p" => p)
    @test call(session, "predict", arguments)["result"] ≈ f(W1, b1, W2)
    @test call(session, "predict", merge(arguments, Dict("x" => X[:, 2:3])))["result"] ≈ f(W1, b1, W2)[:, 2:3]
    L = call(session, "value", arguments)["result"]
    @test L ≈ sum(abs2, f(W1, b1, W2) - y) / 7
    g = call(session, "gradient", arguments)["result"]
    H = call(session, "hessian", arguments)["result"]
    at(q) = call(session, "value", Dict("net" => 1, "p" => q))["result"]
    gradient_at(q) = call(session, "gradient", Dict("net" => 1, "p" => q))["result"]
    for i in 1:12
        e = 1e-5 * (1:12 .== i)
        @test (at(p + e) - at(p - e)) / 2e-5 ≈ g[i] atol = 1e-9
        @test (gradient_at(p + e) - gradient_at(p - e)) / 2e-5 ≈ H[:, i] atol = 1e-9
    end
    spectrum = call(session, "spectrum", arguments)["result"]
    @test issorted(spectrum["values"])
    @test H * spectrum["vectors"] ≈ spectrum["vectors"] * Diagonal(spectrum["values"])
end

@testset "penalties: neurons and layers counted from 0" begin
    session = new_session()
    create!(session)
    p = collect(0.1:0.1:1.2)
    plain = call(session, "value", Dict("net" => 1, "p" => p))["result"]
    merged = call(session, "value", Dict("net" => 1, "p" => p, "merge" => [0, [0, 2], 0.5]))["result"]
    row(i) = [p[2i+1], p[2i+2], p[7+i]]     # [W1 b1] of neuron i
    @test merged - plain ≈ 0.25 * sum(abs2, row(0) - row(2))
    bounded = call(session, "value", Dict("net" => 1, "p" => p, "maxnorm" => 0.1))["result"]
    @test bounded - plain ≈ (sum(abs2, p) / 24 - 0.1)^3 / 3
    @test call(session, "value", Dict("net" => 1, "p" => p))["result"] == plain
end

@testset "labels from 0, layers without data, dropping" begin
    session = new_session()
    labels = [0, 1, 2, 0, 1, 2, 0]
    @test create!(session; layers=[("identity", 3, true)], target=labels, losstype="cross_entropy")["result"] == 9
    @test call(session, "value", Dict("net" => 1, "p" => zeros(9)))["result"] ≈ log(3)
    layers = [Dict("activation" => Dict("poly" => [1.0, 2.0]), "width" => 1, "bias" => false)]
    @test call(session, "layers_create", Dict("key" => 2, "layers" => layers, "inputs" => 1))["result"] == 1
    @test call(session, "predict", Dict("net" => 2, "p" => [3.0], "x" => [1.0 2.0]))["result"] == [7.0 13.0]
    @test sort(collect(keys(session.networks))) == [1, 2]
    MLPFlow.dispatch(session, message(id=9, call="ping", arguments=Dict(), drop=[1, 5]))
    @test collect(keys(session.networks)) == [2]
end

@testset "a user's activation, and what is wrong with others" begin
    session = new_session()
    mine(f, d, s; name="mine") = [(Dict("name" => name, "f" => f, "deriv" => d, "second_deriv" => s), 2, true),
                                  ("identity", 1, true)]
    @test create!(session; layers=mine("sin", "cos", "x -> -sin(x)"))["result"] == 9
    @test haskey(call(session, "hessian", Dict("net" => 1, "p" => ones(9))), "result")
    text(l) = create!(session; layers=l)["error"]["message"]
    @test occursin("second_deriv", text(mine("sin", "cos", "x -> nosuch(x)")))
    @test occursin("expected a Julia function", text(mine("x ->", "cos", "sin")))
    @test occursin("real number", text(mine("x -> \"a\"", "cos", "sin")))
    @test occursin("expected deriv to be the derivative of f", text(mine("sin", "sin", "cos")))
    @test occursin("expected second_deriv to be the derivative of deriv", text(mine("sin", "cos", "sin")))
    @test haskey(create!(session; layers=mine("x -> x > 0 ? log(x) : NaN", "x -> 1/x", "x -> -1/x^2")), "result")
    @test call(session, "ping")["result"] === nothing
end

train_arguments(; options...) = Dict{String,Any}(
    "net" => 1, "p" => collect(0.1:0.1:1.2), "every" => 0.0, "callback" => false,
    "options" => Dict{String,Any}("maxtime_ode" => 60.0, "maxtime_optim" => 60.0,
                                  (string(k) => v for (k, v) in options)...))

@testset "training: result, progress, options by name" begin
    session = new_session()
    create!(session)
    reply = call(session, "train", train_arguments(maxT=1.0, alg="DP5", optim_solver="newton", maxiterations_optim=3))
    r = reply["result"]
    @test r["flow"]["status"] == "maxT" && r["flow"]["algorithm"] == "DP5"
    @test r["flow"]["trajectory"]["params"][:, 1] == r["init"] == collect(0.1:0.1:1.2)
    @test r["flow"]["trajectory"]["params"][:, end] == r["flow"]["x"]
    @test r["optim"]["iterations"] == 3
    @test r["data_gnorm"] == r["gnorm"]
    events = session.transport.outbox
    @test !isempty(events) && all(e -> e["id"] == 1 && haskey(e["event"], "gnorm"), events)
    tau = vcat(zeros(6), ones(6))
    frozen = call(session, "train", train_arguments(maxT=1.0, tauinv=tau, maxiterations_optim=2))["result"]
    @test frozen["x"][1:6] == frozen["init"][1:6] && frozen["x"][7:12] != frozen["init"][7:12]
    bad = call(session, "train", train_arguments(alg="NoSuch"))
    @test occursin("NoSuch", bad["error"]["message"])
end

@testset "the gradient norm with and without penalty" begin
    session = new_session()
    create!(session)
    arguments = train_arguments(maxtime_ode=0.0, maxiterations_optim=2)
    arguments["maxnorm"] = 0.01
    r = call(session, "train", arguments)["result"]
    g(extra) = call(session, "gradient", merge(Dict{String,Any}("net" => 1, "p" => r["x"]), extra))["result"]
    @test r["gnorm"] ≈ norm(g(Dict("maxnorm" => 0.01)), Inf)
    @test r["data_gnorm"] ≈ norm(g(Dict{String,Any}()), Inf)
end

@testset "cancel, callback, and calls from inside a callback" begin
    session = new_session()
    create!(session)
    push!(session.transport.inbox, message(cancel=1))
    r = call(session, "train", train_arguments())["result"]
    @test r["status"] == "interrupted"
    @test isempty(session.cancelled)
    @test haskey(call(session, "train", train_arguments(maxT=0.01, maxtime_optim=0.0)), "result")   # forgotten

    arguments = train_arguments()
    arguments["callback"] = true
    inner = message(id=50, call="value", arguments=Dict("net" => 1, "p" => zeros(12)))
    append!(session.transport.inbox, [message(id=1, answer=false), inner, message(id=1, answer=true)])
    empty!(session.transport.outbox)
    r = call(session, "train", arguments)["result"]
    @test r["status"] == "callback"
    told = session.transport.outbox
    @test count(m -> haskey(m, "question"), told) == 2
    @test any(m -> m["id"] == 50 && m["result"] ≈ sum(abs2, cos.(1.0:7)) / 7, told)
    @test length(told[1]["question"]["params"]) == 12
end

@testset "the workload makes no failing call, and covers every activation" begin
    replies = MLPFlow.workload()
    @test all(reply -> haskey(reply, "result"), replies)
    @test replies[end]["result"]["proved"]          # else the proof would not be compiled
    # Networks, methods; a run and one in three pieces; methods that only run; every activation; infinite data.
    @test count(reply -> reply["result"] isa Dict && haskey(reply["result"], "flow"), replies) == 2 * (4 * (1 + 3) + 4) + 1 + 1
    for f in MLPFlow.BUILTIN_ACTIVATIONS
        @test MLPFlow.activation(string(nameof(f))) === f
    end
end
