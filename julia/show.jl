# What the REPL, error messages and containers say about an object: what it is, not every number in it.

Base.show(io::IO, net::Net) =
    print(io, "Net(", layers_text(net.layers), "; ", nparams(net), " parameters, ", net.samples.n, " samples, ", loss_name(net.losstype), ")")

Base.show(io::IO, teacher::TeacherNet) =
    print(io, "TeacherNet(", layers_text(teacher.layers), "; ", nparams(teacher), " parameters)")

Base.show(io::IO, layer::Layer) =
    print(io, "Layer(", layer.nin, " -> ", layer.nout, " ", join(unique(map(activation_name, layer.activations)), ", "),
          layer.bias ? ", bias" : "", ")")

layers_text(layers) = string(layers[1].nin, " -> ", join([string(l.nout, " ", join(unique(map(activation_name, l.activations)), ", "),
                                                                 l.bias ? " + bias" : "") for l in layers], " -> "))

Base.show(io::IO, o::NetObjective) =
    print(io, "NetObjective(", layers_text(o.layers), "; ", nparams(o), " parameters, ", o.samples.n, " samples, ", loss_name(o.loss), ")")

function Base.show(io::IO, o::FunctionObjective)
    given = [name for name in (:hessian!, :hvp!) if getfield(o, name) !== nothing]
    print(io, "FunctionObjective(", o.n, " parameters; value, gradient!", (", $name" for name in given)..., ")")
end

Base.show(io::IO, f::UserActivation) = print(io, "UserActivation(", repr(f.name), ")")
Base.show(io::IO, f::Poly) = print(io, activation_name(f))

Base.show(io::IO, r::Training) =
    print(io, "Training(:", r.status, ", loss = ", r.loss, ", gnorm = ", r.gnorm, ", converged = ", r.converged, ")")

function Base.show(io::IO, ::MIME"text/plain", r::Training)
    println(io, "Training: ", r.status, r.converged ? ", converged" : ", not converged")
    println(io, "  ", status_message(r.status))
    print(io, "  loss ", r.loss, ", gradient norm ", r.gnorm, ", ", length(r.x), " parameters, ", round(r.total_time; sigdigits = 3), " s")
    for part in (r.flow, r.optim)
        part === nothing || print(io, "\n  ", part)
    end
end
