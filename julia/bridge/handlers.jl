# The calls that a client can make, but for training.

HANDLERS["ping"] = call -> nothing
HANDLERS["echo"] = call -> call.arguments["value"]
HANDLERS["info"] = call -> engine_information()

HANDLERS["net_create"] = function (call)
    a = call.arguments
    layers = make_layers(a["layers"])
    # The latest world: the user's activations were defined in this call.
    net = Base.invokelatest(Net; layers=layers, input=a["input"], target=shifted_target(a["target"]),
                            weights=a["weights"], losstype=losstype(a["losstype"]),
                            precision=get(a, "precision", "float64") == "float32" ? Float32 : Float64,
                            signed_weights=get(a, "signed_weights", false))
    call.session.networks[a["key"]] = Network(net, net.layers)
    return nparams(net)
end

HANDLERS["layers_create"] = function (call)
    a = call.arguments
    layers = Base.invokelatest(build_layers, make_layers(a["layers"]), a["inputs"], nothing)
    call.session.networks[a["key"]] = Network(nothing, layers)
    return nparams(layers)
end

HANDLERS["predict"] = function (call)
    n = network(call)
    x = parameters(call, n)
    input = get(call.arguments, "x", nothing)
    return input === nothing ? n.net(x) : network_output(n.layers, x, input)
end

HANDLERS["value"] = function (call)
    n = network(call)
    return value(client_objective(call, n), parameters(call, n))
end

HANDLERS["gradient"] = function (call)
    n = network(call)
    g = Vector{Float64}(undef, length(n.order))
    return to_python(gradient!(g, client_objective(call, n), parameters(call, n)), n.order)
end

function python_hessian(call::Call, n::Network)
    P = length(n.order)
    return symmetric_to_python(hessian!(Matrix{Float64}(undef, P, P), client_objective(call, n), parameters(call, n)), n.order)
end

HANDLERS["hessian"] = call -> python_hessian(call, network(call))

HANDLERS["spectrum"] = function (call)
    H = python_hessian(call, network(call))
    all(isfinite, H) || throw(DomainError("the Hessian", "expected finite entries at these parameters, got NaN or Inf"))
    F = eigen!(Symmetric(H))
    return Dict("values" => F.values, "vectors" => F.vectors)
end

"""
    engine_information() -> Dict

Julia's version and place, threads, and the BLAS library with its kernel.
"""
function engine_information()
    return Dict("julia" => string(VERSION), "executable" => joinpath(Sys.BINDIR, "julia"), "pid" => getpid(),
                "threads" => Threads.nthreads(), "sysimage" => unsafe_string(Base.JLOptions().image_file),
                "cpu" => Sys.CPU_NAME, "blas" => blas_information())
end

# OpenBLAS is asked directly: Julia's own functions for this changed names between versions.

function blas_information()
    path = findfirst_or_nothing(p -> occursin("openblas", basename(p)), LIBDL.dllist())
    path === nothing && return Dict("library" => "unknown", "kernel" => "unknown", "threads" => 0)
    library = LIBDL.dlopen(path)
    return Dict("library" => path, "kernel" => blas_text(library, "openblas_get_corename"),
                "config" => strip(blas_text(library, "openblas_get_config")), "threads" => blas_threads(library))
end

findfirst_or_nothing(f, list) = (i = findfirst(f, list); i === nothing ? nothing : list[i])

function blas_symbol(library, name)
    for suffix in ("64_", "")
        symbol = LIBDL.dlsym_e(library, name * suffix)
        symbol == C_NULL || return symbol
    end
    return C_NULL
end

function blas_text(library, name)
    symbol = blas_symbol(library, name)
    return symbol == C_NULL ? "unknown" : unsafe_string(ccall(symbol, Cstring, ()))
end

function blas_threads(library)
    symbol = blas_symbol(library, "openblas_get_num_threads")
    return symbol == C_NULL ? 0 : Int(ccall(symbol, Cint, ()))
end
