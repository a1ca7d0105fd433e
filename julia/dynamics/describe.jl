# Rules as plain data, for clients and files: {kind, schedule, options}, a schedule {kind, options}. The fields of a rule are
# the keywords of its constructor.

"""
    describe_rule(rule::AbstractRule) -> Dict
    make_rule(description) -> AbstractRule

A rule as plain data, and the rule that such data describe.
"""
function describe_rule(rule::AbstractRule)
    described = Dict{String,Any}(String(f) => getfield(rule, f) for f in fieldnames(typeof(rule)) if f !== :schedule)
    described["kind"] = String(name(rule))
    described["schedule"] = describe_schedule(rule.schedule)
    return described
end

function describe_schedule(schedule::AbstractSchedule)
    described = Dict{String,Any}("kind" => String(nameof(typeof(schedule))))
    for f in fieldnames(typeof(schedule))
        value = getfield(schedule, f)
        described[String(f)] = value isa AbstractSchedule ? describe_schedule(value) : value
    end
    return described
end

make_rule(d::AbstractDict) =
    RULES[Symbol(d["kind"])](; schedule = make_schedule(d["schedule"]),
                             [Symbol(name) => value for (name, value) in d if !(name in ("kind", "schedule"))]...)

const SCHEDULES = Dict{String,Function}(
    "Constant" => d -> Constant(),
    "Cosine" => d -> Cosine(d["steps"]; final = d["final"]),
    "StepDecay" => d -> StepDecay(d["every"]; factor = d["factor"]),
    "WarmUp" => d -> WarmUp(d["steps"]; start = d["start"], after = make_schedule(d["after"])))

make_schedule(d::AbstractDict) = SCHEDULES[d["kind"]](d)
