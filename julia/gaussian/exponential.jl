# The exponential with anything: exp(z) shifts the Gaussian (Girsanov's theorem), E[exp(r xi) F(xi)] = exp(r^2/2) E[F(xi + r)], so that
# only expectations of the other neuron alone are left.

function exponential_any!(M::PairMoments, e, s1::Singles, m1, r1, g::Profile, m2, r2, rho, s, order::Int)
    single!(e, s1, g, m2 + r1 * r2 * rho, r2)
    front = vexp(m1 + r1 * r1 / 2)
    a, b, c = e[1, 1], e[1, 2], e[1, 3]
    M.h00 = front * a
    set3!(M.h10, front, a, rho * b + r1 * a, s * b)
    order >= 2 || return M
    shifted!(M.h20, front, r1, rho, s, a, b, c)
    shifted!(M.h11, front, r1, rho, s, e[2, 1], e[2, 2], e[2, 3])
    return M
end

shifted!(out, front, r1, rho, s, a, b, c) =
    set6!(out, front, a, rho * b + r1 * a, s * b, rho * rho * c + 2 * r1 * rho * b + r1 * r1 * a, s * (rho * c + r1 * b), s * s * c)

function any_exponential!(M::PairMoments, e, s1::Singles, f::Profile, m1, r1, m2, r2, rho, s, order::Int)
    single!(e, s1, f, m1 + r1 * r2 * rho, r1)
    front, c1, c2 = vexp(m2 + r2 * r2 / 2), r2 * rho, r2 * s
    M.h00 = front * e[1, 1]
    set3!(M.h10, front, e[2, 1], e[2, 2] + c1 * e[2, 1], c2 * e[2, 1])
    order >= 2 || return M
    for (out, i) in ((M.h20, 3), (M.h11, 2))
        a, b, c = e[i, 1], e[i, 2], e[i, 3]
        set6!(out, front, a, b + c1 * a, c2 * a, c + 2 * c1 * b + c1 * c1 * a, c2 * (b + c1 * a), c2 * c2 * a)
    end
    return M
end
