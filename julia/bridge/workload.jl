# What a client's first minute needs, run once while the package is precompiled, where Julia keeps the native code (from 1.9
# on): the first training starts seconds earlier. Older Julias keep inferred code only, and then box the arguments
# of the calls between functions so kept: kernels that allocate nothing would allocate.

struct SilentTransport <: Transport end
send!(::SilentTransport, frame::Vector{UInt8}) = nothing
listen!(::SilentTransport, session::Session; wait::Bool) = nothing

function workload()
    session = Session(SilentTransport(), FileExchange(-1, -1, typemax(Int)))
    warm_call(session, "ping")
    warm_call(session, "info")
    input = reshape(collect(-1.0:0.125:0.875), 2, 8)
    warm_network(session, 1, input, "sigmoid", 1, input[1:1, :], "mse")
    warm_network(session, 2, input, "tanh", 2, [0, 1, 0, 1, 1, 0, 1, 0], "cross_entropy")
    return nothing
end

function warm_call(session, call; arguments...)
    plain = Dict{String,Any}(string(name) => value for (name, value) in arguments)
    message = Dict{String,Any}("id" => 1, "call" => call, "alone" => true, "arguments" => plain)
    return dispatch(session, msgpack(message))
end

function warm_network(session, key, input, activation, outputs, target, losstype)
    layers = [Dict("width" => 3, "activation" => activation, "bias" => true),
              Dict("width" => outputs, "activation" => "identity", "bias" => true)]
    p = collect(range(-0.5; stop=0.7, length=9 + 4 * outputs))
    warm_call(session, "layers_create"; key=key + 10, layers=layers, inputs=2)
    warm_call(session, "net_create"; key=key, layers=layers, input=input, target=target, weights=nothing,
              losstype=losstype)
    warm_call(session, "predict"; net=key, p=p, x=input)
    for call in ("value", "gradient", "hessian", "spectrum")
        warm_call(session, call; net=key, p=p)
        warm_call(session, call; net=key, p=p, maxnorm=0.1, merge=Any[0, Any[0, 1], 0.1])
    end
    for (alg, solver) in (("DP5", "newton"), ("Rodas5P", "bfgs"), ("auto", "auto"))
        warm_call(session, "train"; net=key, p=p, options=warm_options(alg, solver), every=0.0, callback=false,
                  maxnorm=Inf, merge=nothing)
    end
end

warm_options(alg, solver) = Dict{String,Any}(
    "alg" => alg, "optim_solver" => solver, "maxT" => 1.0, "maxtime_ode" => 10.0, "maxtime_optim" => 10.0,
    "maxiterations_ode" => 5, "maxiterations_optim" => 5, "n_samples_trajectory" => 10, "tauinv" => nothing)

VERSION >= v"1.9" && ccall(:jl_generating_output, Cint, ()) == 1 && workload()
