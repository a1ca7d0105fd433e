# What a client's first minute needs, run once so that its native code is kept: while the package is precompiled (Julia
# 1.9 and newer), or while a system image is built (scripts/system_image.jl, older Julias). The precompilation of an older
# Julia keeps inferred code only, and then boxes the arguments of the calls between functions so kept: kernels that allocate
# nothing would allocate.

"""
    workload() -> Vector{Any}

Make every call of a client's first minute, through a pipe as the worker does; their replies.
"""
function workload()
    read_end, write_end = open_pipe()
    sink = open_sink()
    transport = PipeTransport(FrameStream(read_end, sink))
    session = Session(transport, FileExchange(-1, -1, typemax(Int)))
    client = FrameStream(-1, write_end)
    try
        return warm_calls(message -> warm_call(session, client, message))
    finally
        foreach(close_descriptor, (read_end, write_end, sink))
    end
end

function open_pipe()
    ends = Cint[0, 0]
    ccall(:pipe, Cint, (Ptr{Cint},), ends) == 0 || throw(SystemError("opening a pipe"))
    return ends
end

open_sink() = (write_only = 1; ccall(:open, Cint, (Cstring, Cint), "/dev/null", write_only))

close_descriptor(descriptor::Cint) = ccall(:close, Cint, (Cint,), descriptor)

# The frame travels as a client's does; the reply is made once more, to be looked at.
function warm_call(session::Session, client::FrameStream, message)
    frame = msgpack(message)
    put_frame(client, frame)
    listen!(session.transport, session; wait=true)
    return unmsgpack(dispatch(session, frame))
end

function warm_calls(send)
    replies = []
    function warm(call; arguments...)
        plain = Dict{String,Any}(string(name) => value for (name, value) in arguments)
        push!(replies, send(Dict{String,Any}("id" => 1, "call" => call, "alone" => true, "arguments" => plain)))
    end
    warm("ping")
    warm("info")
    input = reshape(collect(-1.0:0.125:0.875), 2, 8)
    warm_network(warm, 1, input, "sigmoid", 1, input[1:1, :], "mse", nothing)
    warm_network(warm, 2, input, "tanh", 2, [0, 1, 0, 1, 1, 0, 1, 0], "cross_entropy", ones(8))
    warm_activations(warm, 3, input)
    warm_quadrature(warm)
    warm_infinite(warm, 5)
    warm_certificate(warm, replies, 4, input)
    return replies
end

function warm_network(warm, key, input, activation, outputs, target, losstype, weights)
    layers = warm_layers(3, activation, outputs)
    p = collect(range(-0.5; stop=0.7, length=9 + 4 * outputs))
    warm("layers_create"; key=key + 10, layers=layers, inputs=2)
    warm("predict"; net=key + 10, p=p, x=input)
    warm("net_create"; key=key, layers=layers, input=input, target=target, weights=weights, losstype=losstype)
    warm("predict"; net=key, p=p, x=input)
    for call in ("value", "gradient", "value_gradient", "hessian", "spectrum", "gauss_newton", "residuals", "jacobian")
        warm(call; net=key, p=p)
        warm(call; net=key, p=p, maxnorm=0.1, merge=Any[0, Any[0, 1], 0.1])
    end
    for call in ("hvp", "gauss_newton_product")
        warm(call; net=key, p=p, v=p)
        warm(call; net=key, p=p, v=[p p]')
    end
    warm("classify"; net=key, p=p, min_gnorm=0.0)
    rule = Dict{String,Any}("kind" => "Adam", "schedule" => Dict{String,Any}("kind" => "Constant"))
    for (alg, solver) in (("DP5", "newton"), ("Rodas5P", "bfgs"), ("auto", "lbfgs"), (rule, "newton"))
        warm_training(warm; net=key, p=p, options=warm_options(alg, solver))
        mktempdir(folder -> warm_checkpoint(warm, key, p, warm_options(alg, solver), joinpath(folder, "run")))
    end
    for alg in ("DOP853", "RKC2", "ESDIRK547L2SA2", "NewtonKrylov")
        warm_training(warm; net=key, p=p, options=warm_options(alg, "newton"))
    end
end

warm_training(warm; arguments...) = warm("train"; every=0.0, callback=false, maxnorm=Inf, merge=nothing, arguments...)

# A run that is taken up again in the middle of its flow, and in that of its optimization.
function warm_checkpoint(warm, key, p, options, path)
    shorter(flow, optim) = merge(options, Dict("maxiterations_ode" => flow, "maxiterations_optim" => optim))
    given = ["maxiterations_ode", "maxiterations_optim"]
    warm_training(warm; net=key, p=p, options=shorter(2, 0), checkpoint=path, checkpoint_interval=0.0)
    for (flow, optim) in ((4, 2), (4, 4))
        warm_training(warm; net=key, p=nothing, options=shorter(flow, optim), checkpoint=path, resume=path, given=given)
    end
end

function warm_quadrature(warm)
    for (name, mean, covariance) in (("auto", nothing, nothing), ("qmc", zeros(3), [1.0 0.5 0.0; 0.5 1.0 0.0; 0.0 0.0 1.0]))
        wishes = Dict{String,Any}("rule" => name, "points" => 64, "seed" => 0)
        warm("quadrature_rules"; inputs=3, mean=mean, covariance=covariance, wishes=wishes)
    end
    for rule in map(describe_rule, (TensorHermite(4), SmolyakHermite(2), ScrambledSobol(4)))
        warm("quadrature_nodes"; mean=zeros(3), factor=[1.0 0.0; 0.0 1.0; 0.0 0.0], rule=rule, reflected=true)
        warm("quadrature_checks"; rule=rule)
        warm("quadrature_compare"; rule=rule, value=[1.0], checks=[[1.1], [0.9]])
    end
    warm("quadrature_best"; errors=[1.0, 0.1], kinds=["qmc", "tensor"])
end

function warm_infinite(warm, key)
    layers, p = warm_layers(2, "softplus", 1), collect(range(-0.5; stop=0.7, length=9))
    warm("infinite_create"; key=key, layers=layers, teacher_layers=layers, teacher=p, inputs=2, mean=nothing, covariance=nothing)
    for call in ("value", "gradient", "value_gradient", "hessian", "spectrum", "evaluators")
        warm(call; net=key, p=p)
    end
    warm("hvp"; net=key, p=p, v=p)
    warm_training(warm; net=key, p=p, options=merge(warm_options("auto", "auto"), Dict("batchsize" => nothing)))
    warm_closed_forms(warm, key)
end

# Every kind of pair in both arithmetics, and a certificate: a student that is its teacher.
function warm_closed_forms(warm, key)
    for (names, call, more) in ((["relu", "sigmoid2", "exp", "cube"], "polish", (min_gnorm=0.0, maxiterations=1)), (["sigmoid2"], "certify", NamedTuple()))
        layers = warm_layers(length(names), names, 1)
        p = collect(range(-0.5; stop=0.7, length=4 * length(names) + 1))
        warm("infinite_create"; key=key, layers=layers, teacher_layers=layers, teacher=p, inputs=2, mean=nothing, covariance=nothing)
        warm(call; net=key, p=p, more...)
    end
end

# The kernels are compiled anew for every activation, but not for other widths and depths.
function warm_activations(warm, key, input)
    names = [string(nameof(f)) for f in BUILTIN_ACTIVATIONS]
    layers = warm_layers(length(names), names, 1)
    p = collect(range(-0.5; stop=0.7, length=4 * length(names) + 1))
    warm("net_create"; key=key, layers=layers, input=input, target=input[1:1, :], weights=nothing, losstype="mse")
    for call in ("value", "gradient", "hessian", "gauss_newton", "jacobian")
        warm(call; net=key, p=p)
    end
    warm("hvp"; net=key, p=p, v=p)
    warm_training(warm; net=key, p=p, options=warm_options("DP5", "levenberg_marquardt"))
    warm("polish"; net=key, p=p, min_gnorm=0.0, maxiterations=1)
end

# A regression, which has a minimum that can be certified.
function warm_certificate(warm, replies, key, input)
    layers = [Dict{String,Any}("width" => 1, "activation" => "identity", "bias" => true)]
    warm("net_create"; key=key, layers=layers, input=input[1:1, :], target=abs.(input[1:1, :]), weights=nothing, losstype="mse")
    warm("polish"; net=key, p=[0.0, 0.5], min_gnorm=1e-20, maxiterations=30)
    warm("certify"; net=key, p=replies[end]["result"]["x"])
end

warm_layers(width, activation, outputs) =
    [Dict{String,Any}("width" => width, "activation" => activation, "bias" => true),
     Dict{String,Any}("width" => outputs, "activation" => "identity", "bias" => true)]

warm_options(alg, solver) = Dict{String,Any}(
    "alg" => alg, "optim_solver" => solver, "maxT" => 1.0, "maxtime_ode" => 10.0, "maxtime_optim" => 10.0,
    "maxiterations_ode" => 5, "maxiterations_optim" => 5, "n_samples_trajectory" => 10, "tauinv" => nothing,
    "abstol" => 1e-6, "reltol" => 1e-6, "min_gnorm" => 1e-15, "minloss" => 0.0, "patience" => 100,
    "batchsize" => alg isa String ? nothing : 4)

VERSION >= v"1.9" && Sys.isunix() && ccall(:jl_generating_output, Cint, ()) == 1 && workload()
