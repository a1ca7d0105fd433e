# Exactly parallel or antiparallel neurons (one neuron with itself, inputs of dimension one): an integral over a line.

"""
    LineScratch()

Three uniform rules and one of panels, each with a second set of values for the second neuron.
"""
mutable struct LineScratch
    first::Vector{Rule}
    second::Vector{Rule}
end

const LINE_REACH = 12.0
const LINE_STEPS = (1 / 4, 1 / 8, 1 / 16)

line_rules() = push!([uniform_rule!(Rule(), step, LINE_REACH) for step in LINE_STEPS], Rule())
LineScratch() = LineScratch(line_rules(), line_rules())

"""
    parallel!(M, scratch, f, m1, r1, g, m2, r2, order) -> M

The moments of f(m1 + r1 xi) and g(m2 + r2 xi), r2 of either sign; those with eta are 0. A uniform rule is right where its halves
agree to 1e-8 in every sum, see `fit_uniform!`; otherwise panels are.
"""
function parallel!(M::PairMoments, scratch::LineScratch, f::Profile, m1, r1, g::Profile, m2, r2, order::Int)
    if isempty(f.kinks) && isempty(g.kinks)
        for level in 1:length(LINE_STEPS)
            a, b = scratch.first[level], scratch.second[level]
            evaluate!(f, a, m1, r1)
            evaluate!(g, b, m2, r2)
            line_sums!(M, a, b) && return M
        end
    end
    a, b = scratch.first[end], scratch.second[end]
    begin_panels!(a)
    cut_panels!(a, f, m1, r1, LINE_REACH)
    cut_panels!(a, g, m2, r2, LINE_REACH)
    fill_panels!(a, LINE_REACH, 2.0)
    reserve!(b, a.n)
    copyto!(b.x, 1, a.x, 1, a.n)
    evaluate!(f, a, m1, r1)
    evaluate!(g, b, m2, r2)
    line_sums!(M, a, b)
    order >= 2 || return M
    for (kink, jump) in zip(f.kinks, f.jumps)
        x = (kink - m1) / r1
        mass = jump * vnormal_pdf(x) / r1
        mass == 0 && continue
        b.n, b.z[1] = 1, muladd(r2, x, m2)
        evaluate!(g.f, b)
        value = mass * b.v0[1]
        M.h20[1] += value
        M.h20[2] += value * x
        M.h20[4] += value * (x * x - 1)
    end
    return M
end

# All sums; true where those over even and odd nodes agree.
function line_sums!(M::PairMoments, a::Rule, b::Rule)
    x, w, f0, f1, f2, g0, g1 = a.x, a.w, a.v0, a.v1, a.v2, b.v0, b.v1
    h00, e00 = 0.0, 0.0
    h10, h10x, e10, e10x = 0.0, 0.0, 0.0, 0.0
    h20, h20x, h20xx, e20 = 0.0, 0.0, 0.0, 0.0
    h11, h11x, h11xx, e11 = 0.0, 0.0, 0.0, 0.0
    size00, size10, size20, size11 = 0.0, 0.0, 0.0, 0.0
    sign = 1.0
    @inbounds for k in 1:a.n
        he1 = x[k]
        he2 = he1 * he1 - 1
        v = w[k] * f0[k] * g0[k]
        h00 += v
        e00 += sign * v
        size00 += abs(v)
        v = w[k] * f1[k] * g0[k]
        h10 += v
        h10x += v * he1
        e10 += sign * v
        e10x += sign * v * he1
        size10 += abs(v)
        v = w[k] * f2[k] * g0[k]
        h20 += v
        h20x += v * he1
        h20xx += v * he2
        e20 += sign * v
        size20 += abs(v)
        v = w[k] * f1[k] * g1[k]
        h11 += v
        h11x += v * he1
        h11xx += v * he2
        e11 += sign * v
        size11 += abs(v)
        sign = -sign
    end
    M.h00 = h00
    set3!(M.h10, 1.0, h10, h10x, 0.0)
    set6!(M.h20, 1.0, h20, h20x, 0.0, h20xx, 0.0, 0.0)
    set6!(M.h11, 1.0, h11, h11x, 0.0, h11xx, 0.0, 0.0)
    return abs(e00) <= 1e-8 * size00 && abs(e10) <= 1e-8 * size10 && abs(e10x) <= 1e-8 * size10 && abs(e20) <= 1e-8 * size20 &&
        abs(e11) <= 1e-8 * size11
end
