# Quadrature for a client, whose functions run on its side: rules as plain data, nodes out, numbers in.

describe_rule(rule::TensorHermite) = Dict("kind" => "tensor", "N" => rule.n, "threshold" => rule.threshold)
describe_rule(rule::SmolyakHermite) = Dict("kind" => "smolyak", "level" => rule.level)
describe_rule(rule::ScrambledSobol) = Dict("kind" => "qmc", "points" => rule.points, "seed" => rule.seed)

function made_rule(d::AbstractDict)
    d["kind"] == "tensor" && return TensorHermite(d["N"]; threshold = d["threshold"])
    d["kind"] == "smolyak" && return SmolyakHermite(d["level"])
    return ScrambledSobol(d["points"]; seed = d["seed"])
end

# What is wrong with the arguments the client says in its own way.
function or_refused(work)
    try
        return work()
    catch e
        e isa ArgumentError || rethrow()
        return Dict("refused" => e.msg)
    end
end

# The distribution's mean and factor, and the rules that fit the wishes.
HANDLERS["quadrature_rules"] = call -> or_refused() do
    a = call.arguments
    distribution = NormalInput(a["inputs"]; mean = a["mean"], covariance = a["covariance"])
    wishes = (Symbol(name) => value for (name, value) in a["wishes"])
    rules = candidate_rules(rank_of(distribution); wishes...)
    Dict("mean" => distribution.mean, "factor" => distribution.factor, "rules" => map(describe_rule, rules))
end

HANDLERS["quadrature_nodes"] = call -> or_refused() do
    a = call.arguments
    distribution = NormalInput(a["mean"], a["factor"])
    z, w = rule_nodes(made_rule(a["rule"]), rank_of(distribution))
    Dict("nodes" => inputs_of(distribution, a["reflected"] ? reflected(z) : z), "weights" => w)
end

HANDLERS["quadrature_checks"] = call -> map(describe_rule, check_rules(made_rule(call.arguments["rule"])))

HANDLERS["quadrature_compare"] = function (call)
    a = call.arguments
    estimate = compare_rules(made_rule(a["rule"]), a["value"], a["checks"])
    return Dict("error" => estimate.error, "refined" => estimate.refined)
end

HANDLERS["quadrature_best"] = call -> best_of(call.arguments["errors"], call.arguments["kinds"]) - 1
