# Any pair: the expectation over xi of f(z1) times the expectation over eta of g(z2), both by Gauss rules on panels that end where one of the
# activations has a kink or is steep. Where s = 0 the inner one is a value. Slow (tens of thousands of evaluations), right everywhere.

"""
    NestedScratch()

The outer and the inner rule; `uniform` is tried first for the inner one, which is often smooth on the scale of eta.
"""
mutable struct NestedScratch
    outer::Rule
    inner::Rule
    uniform::Rule
    sums::Vector{Float64}       # E[g], E[g eta], E[g (eta^2 - 1)], and those of g', at one xi
end

const NESTED_REACH = 10.0

NestedScratch() = NestedScratch(Rule(), Rule(), uniform_rule!(Rule(), 1 / 2, NESTED_REACH), zeros(6))

function nested!(M::PairMoments, scratch::NestedScratch, f::Profile, m1, r1, g::Profile, m2, r2, rho, s, order::Int)
    outer, q = scratch.outer, scratch.sums
    begin_panels!(outer)
    cut_panels!(outer, f, m1, r1, NESTED_REACH)
    cut_panels!(outer, g, m2, r2 * rho, NESTED_REACH)
    cut_smoothed_kinks!(outer, g, m2, r2 * rho, r2 * s)
    fill_panels!(outer, NESTED_REACH, 2.0)
    evaluate!(f, outer, m1, r1)
    M.h00 = 0.0
    foreach(v -> fill!(v, 0), (M.h10, M.h20, M.h11))
    for i in 1:outer.n
        x, w = outer.x[i], outer.w[i]
        inner_sums!(q, scratch, g, muladd(r2 * rho, x, m2), r2 * s)
        M.h00 += w * outer.v0[i] * q[1]
        f1, f2 = w * outer.v1[i], w * outer.v2[i]
        add3!(M.h10, f1, x, q[1], q[2])
        order >= 2 || continue
        add6!(M.h20, f2, x, q[1], q[2], q[3])
        add6!(M.h11, f1, x, q[4], q[5], q[6])
    end
    order >= 2 || return M
    for (kink, jump) in zip(f.kinks, f.jumps)
        x = (kink - m1) / r1
        mass = jump * vnormal_pdf(x) / r1
        mass == 0 && continue
        inner_sums!(q, scratch, g, muladd(r2 * rho, x, m2), r2 * s)
        add6!(M.h20, mass, x, q[1], q[2], q[3])
    end
    return M
end

# The inner integral turns a kink of g into a step of f' over some `width` around it.
function cut_smoothed_kinks!(rule::Rule, g::Profile, m::Float64, r::Float64, width::Float64)
    (r == 0 || width == 0) && return
    for kink in g.kinks, c in (-9.0, -5.0, -2.5, 2.5, 5.0, 9.0)
        x = (kink + c * width - m) / r
        abs(x) < NESTED_REACH && push!(rule.cuts, x)
    end
end

@inline function add3!(out, f, x, a, b)
    @inbounds out[1], out[2], out[3] = muladd(f, a, out[1]), muladd(f, x * a, out[2]), muladd(f, b, out[3])
    return nothing
end

@inline function add6!(out, f, x, a, b, c)
    add3!(out, f, x, a, b)
    @inbounds out[4], out[5], out[6] = muladd(f, (x * x - 1) * a, out[4]), muladd(f, x * b, out[5]), muladd(f, c, out[6])
    return nothing
end

function inner_sums!(q, scratch::NestedScratch, g::Profile, m::Float64, r::Float64)
    if r == 0
        rule = scratch.uniform
        n, rule.n, rule.z[1] = rule.n, 1, m
        evaluate!(g.f, rule)
        rule.n = n
        q[1], q[4] = rule.v0[1], rule.v1[1]
        q[2] = q[3] = q[5] = q[6] = 0.0
        return q
    end
    fit_inner!(scratch.uniform, g, m, r) && return sum_inner!(q, scratch.uniform)
    inner = scratch.inner
    begin_panels!(inner)
    cut_panels!(inner, g, m, r, NESTED_REACH)
    fill_panels!(inner, NESTED_REACH, 2.0)
    evaluate!(g, inner, m, r)
    return sum_inner!(q, inner)
end

# A kink out of reach does no harm.
function fit_inner!(rule::Rule, g::Profile, m::Float64, r::Float64)
    any(kink -> abs(kink - m) < NESTED_REACH * r, g.kinks) && return false
    evaluate!(g, rule, m, r)
    return alternates(rule.v0, rule) && alternates(rule.v1, rule)
end

function sum_inner!(q, rule::Rule)
    x, w, v0, v1 = rule.x, rule.w, rule.v0, rule.v1
    a0, a1, a2, b0, b1, b2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    @inbounds @simd for i in 1:rule.n
        a, b, he1 = w[i] * v0[i], w[i] * v1[i], x[i]
        he2 = he1 * he1 - 1
        a0 += a
        a1 += a * he1
        a2 += a * he2
        b0 += b
        b1 += b * he1
        b2 += b * he2
    end
    q[1], q[2], q[3], q[4], q[5], q[6] = a0, a1, a2, b0, b1, b2
    return q
end
