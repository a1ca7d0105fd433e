# One-dimensional rules for expectations under the standard normal distribution, and an activation on their nodes.

"""
    Rule()

Nodes `x`, weights `w` (with the density in them), and `z`, `v0`, `v1`, `v2`: the activation's arguments, its value and its derivatives at
the first `n` nodes. It owns its memory and grows when it must.
"""
mutable struct Rule
    n::Int
    x::Vector{Float64}
    w::Vector{Float64}
    z::Vector{Float64}
    v0::Vector{Float64}
    v1::Vector{Float64}
    v2::Vector{Float64}
    cuts::Vector{Float64}
end

Rule() = Rule(0, (zeros(0) for _ in 1:6)..., zeros(0))

function reserve!(rule::Rule, n::Int)
    rule.n = n
    length(rule.x) >= n && return rule
    for v in (rule.x, rule.w, rule.z, rule.v0, rule.v1, rule.v2)
        resize!(v, max(n, 512))
    end
    return rule
end

# Called through dynamic dispatch, with arguments that are references: nothing is allocated.
function evaluate!(f::F, rule::Rule) where {F}
    z, v0, v1, v2 = rule.z, rule.v0, rule.v1, rule.v2
    @inbounds @vectorized for i in 1:rule.n
        v0[i], v1[i], v2[i] = derivatives(f, z[i])
    end
    return nothing
end

function evaluate!(profile::Profile, rule::Rule, m::Float64, r::Float64)
    z, x = rule.z, rule.x
    @inbounds @simd for i in 1:rule.n
        z[i] = muladd(r, x[i], m)
    end
    evaluate!(profile.f, rule)
    return nothing
end

"""
    uniform_rule!(rule, step, reach) -> rule

The trapezoidal rule with nodes `step * k`, |x| <= reach: for analytic functions its error falls like
exp(-2 pi d/step) with the distance d of the poles (Trefethen and Weideman, SIAM Review 56 (2014) 385).
"""
function uniform_rule!(rule::Rule, step::Float64, reach::Float64)
    half = floor(Int, reach / step)
    reserve!(rule, 2half + 1)
    for k in -half:half
        x = k * step
        rule.x[k+half+1] = x
        rule.w[k+half+1] = step * vnormal_pdf(x)
    end
    return rule
end

"""
    begin_panels!(rule, reach)
    cut_panels!(rule, profile, m, r, reach)
    fill_panels!(rule, reach, widest) -> rule

Gauss rules of 16 nodes on the panels between the cuts of -reach to reach, none wider than `widest`: the cuts are where
m + r x passes the breaks of the profiles.
"""
begin_panels!(rule::Rule) = (empty!(rule.cuts); rule)

function cut_panels!(rule::Rule, profile::Profile, m::Float64, r::Float64, reach::Float64)
    abs(r) * reach > 1e-12 * abs(m) || return rule       # it hardly moves
    for b in profile.breaks
        x = (b - m) / r
        abs(x) < reach && push!(rule.cuts, x)
    end
    return rule
end

function insertion_sort!(v::Vector{Float64})
    @inbounds for i in 2:length(v)
        x, j = v[i], i
        while j > 1 && v[j-1] > x
            v[j] = v[j-1]
            j -= 1
        end
        v[j] = x
    end
    return v
end

function fill_panels!(rule::Rule, reach::Float64, widest::Float64)
    cuts = rule.cuts
    push!(cuts, reach)
    insertion_sort!(cuts)
    panels, from = 0, -reach
    for to in cuts
        panels += ceil(Int, (to - from) / widest)
        from = to
    end
    reserve!(rule, 16 * panels)
    position, from = 0, -reach
    for to in cuts
        count = ceil(Int, (to - from) / widest)
        half = (to - from) / (2 * max(count, 1))
        for k in 1:count
            add_panel!(rule, position, from + (2k - 1) * half, half)
            position += 16
        end
        from = to
    end
    return rule
end

@inline function add_panel!(rule::Rule, position::Int, centre::Float64, half::Float64)
    x, w = rule.x, rule.w
    @inbounds @simd for i in 1:16
        x[position+i] = muladd(half, PANEL_NODES[i], centre)
        w[position+i] = half * PANEL_WEIGHTS[i] * vnormal_pdf(x[position+i])
    end
end

"""
    fit_uniform!(rule, profile, m, r) -> Bool

Evaluate the activation on the nodes of the uniform rule, and say whether the rule integrates it to rounding: the sums
over every second node must agree to 1e-8, because halving the step squares the error. Sums of f, f' and f'' times 1 and x
cannot all agree by chance.
"""
function fit_uniform!(rule::Rule, profile::Profile, m::Float64, r::Float64)
    evaluate!(profile, rule, m, r)
    isempty(profile.kinks) || return r == 0
    return alternates(rule.v0, rule) && alternates(rule.v1, rule) && alternates(rule.v2, rule)
end

function alternates(v::Vector{Float64}, rule::Rule)
    x, w = rule.x, rule.w
    size, difference, moment = 0.0, 0.0, 0.0
    @inbounds for i in 1:2:rule.n-1
        even, odd = w[i] * v[i], w[i+1] * v[i+1]
        size += abs(even) + abs(odd)
        difference += even - odd
        moment += even * x[i] - odd * x[i+1]
    end
    @inbounds difference += w[rule.n] * v[rule.n]       # the number of nodes is odd
    return abs(difference) <= 1e-8 * size && abs(moment) <= 1e-8 * size
end
