# Calls that go beyond Float64: polish and certify.

HANDLERS["polish"] = function (call)
    n = network(call)
    a = call.arguments
    maxnorm, merge = objective_settings(call)
    r = polish(n.net, parameters(call, n); maxnorm=maxnorm, merge=merge, min_gnorm=a["min_gnorm"], maxiterations=a["maxiterations"])
    return Dict("x" => to_python(r.x, n.order), "low" => to_python(r.low, n.order), "loss" => r.loss, "loss_low" => r.loss_low,
                "loss_error" => r.loss_error, "loss_digits" => r.loss_digits, "gnorm" => r.gnorm, "distance" => r.distance,
                "status" => String(r.status), "message" => r.message, "iterations" => r.iterations, "rank" => r.rank)
end

HANDLERS["certify"] = function (call)
    n = network(call)
    maxnorm, merge = objective_settings(call)
    c = certify(n.net, parameters(call, n); maxnorm=maxnorm, merge=merge)
    return Dict("proved" => c.proved, "reason" => c.reason, "x" => to_python(c.x, n.order), "low" => to_python(c.low, n.order),
                "radius" => c.radius, "error" => c.error, "distance" => c.distance, "index" => c.index, "kind" => String(c.kind),
                "eigenvalues_lower" => c.eigenvalues_lower, "eigenvalues_upper" => c.eigenvalues_upper, "smallest" => c.smallest,
                "contraction" => c.contraction, "gnorm" => c.gnorm)
end
