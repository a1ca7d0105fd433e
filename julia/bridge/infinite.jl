# Infinite data for a client.

HANDLERS["infinite_create"] = function (call)
    a = call.arguments
    teacher_layers, layers = make_layers(a["teacher_layers"]), make_layers(a["layers"])
    # The latest world: the user's activations were defined in this call.
    net = Base.invokelatest(make_infinite, teacher_layers, layers, a)
    call.session.networks[a["key"]] = Network(net, net.layers)
    return nparams(net)
end

function make_infinite(teacher_layers, layers, a)
    built = build_layers(teacher_layers, a["inputs"], nothing)
    teacher = TeacherNet(; layers=teacher_layers, Din=a["inputs"], p=from_python(a["teacher"], python_order(built)))
    return NetI(teacher, layers; mean=a["mean"], covariance=a["covariance"])
end

HANDLERS["evaluators"] = function (call)
    n = network(call)
    return Dict(string(method) => Dict("pairs" => found.pairs, "error" => found.error)
                for (method, found) in evaluators(n.net, parameters(call, n)))
end
