# Closed forms for a distribution function f = c + a Phi with relu or another one. Its slope a phi(z1) is a Gaussian factor: it makes xi
# normal with mean -r1 m1/R^2 and variance 1/R^2, R^2 = 1 + r1^2, and leaves eta alone.

function cdf_any!(M::PairMoments, f::Profile, m1, r1, g::Profile, m2, r2, rho, s, order::Int)
    m1 == 0 && m2 == 0 && g.kind == CDF && order < 2 && return cdf_cdf_centred!(M, f, r1, g, r2, rho, s)
    R = sqrt(1 + r1 * r1)
    v = 1 / (R * R)
    x = -r1 * m1 * v
    front = f.scale * vnormal_pdf(m1 / R) / R
    c1, c2 = r2 * rho, r2 * s
    g0, g1, g2, g3 = smoothed(g, m2 + c1 * x, c1 * c1 * v + c2 * c2)
    A = c1 * v
    M.h00 = cdf_value(f, m1, r1, g, m2, r2, rho, s)
    set3!(M.h10, front, g0, x * g0 + A * g1, c2 * g1)
    order >= 2 || return M
    # f'' = -z1 f'(z1), and z1 = m1/R^2 + r1 zeta with zeta = xi - x
    m = m1 * v
    e1, ex, ey = g0, A * g1, c2 * g1                                   # E[g], E[zeta g], E[eta g]
    exx, exy, eyy = v * g0 + A * A * g2, A * c2 * g2, g0 + c2 * c2 * g2
    exxx, exxy = 3 * v * A * g1 + A^3 * g3, v * c2 * g1 + A * A * c2 * g3
    exyy = A * g1 + A * c2 * c2 * g3
    z1, zx, zy = m * e1 + r1 * ex, m * ex + r1 * exx, m * ey + r1 * exy
    zxx, zxy, zyy = m * exx + r1 * exxx, m * exy + r1 * exxy, m * eyy + r1 * exyy
    set6!(M.h20, -front, z1, zx + x * z1, zy, zxx + 2x * zx + x * x * z1 - z1, zxy + x * zy, zyy - z1)
    g.kind == RELU ? cdf_slope_relu_slope!(M.h11, front, x, v, m2, r2, rho, s) :
        cdf_slopes!(M.h11, f.scale * g.scale, m1, r1, m2, c1, c2)
    return M
end

# Means 0, without any exponential.
function cdf_cdf_centred!(M::PairMoments, f::Profile, r1, g::Profile, r2, rho, s)
    R = sqrt(1 + r1 * r1)
    c1, c2 = r2 * rho, r2 * s
    # det of the covariance [1 + r1^2, r1 c1; r1 c1, 1 + |c|^2] as a sum of positive terms
    det = sqrt((1 + r1 * r1) * (1 + c2 * c2) + c1 * c1)
    half1, half2 = f.scale / 2, g.scale / 2
    mean1, mean2 = f.offset + half1, g.offset + half2
    M.h00 = muladd(half1 * half2 * (2 / pi), atan(r1 * c1, det), mean1 * mean2)
    front = f.scale * INV_SQRT_2PI / R
    g1 = g.scale * INV_SQRT_2PI * R / det
    set3!(M.h10, front, mean2, c1 / (R * R) * g1, c2 * g1)
    return M
end

# E[g], E[g'], E[g''] and E[g'''] at a normal argument. The variance is 0 only for a relu that is parallel to a constant.
function smoothed(g::Profile, mean, variance)
    if g.kind == RELU
        d = sqrt(variance)
        t = d == 0 ? (mean == 0 ? 0.0 : copysign(Inf, mean)) : mean / d
        cdf, pdf, _ = vnormal_cdf_d2(t)
        d == 0 && return max(mean, 0.0), cdf, 0.0, 0.0
        return d * positive_part(t, cdf, pdf), cdf, pdf / d, (pdf == 0 ? 0.0 : -t * pdf / variance)
    end
    d = sqrt(1 + variance)
    t = mean / d
    value, d1, d2 = cdf_values(g, t)
    return value, d1 / d, d2 / d^2, (t * t - 1) * d1 / d^3
end

function cdf_value(f::Profile, m1, r1, g::Profile, m2, r2, rho, s)
    R1 = sqrt(1 + r1 * r1)
    h, a1 = m1 / R1, r1 / R1
    if g.kind == RELU
        k = m2 / r2
        rest = sqrt(1 + (r1 * s)^2) / R1
        rho1 = a1 * rho
        t, u = conditional_mean(k, h, rho1, rest), conditional_mean(h, k, rho1, rest)
        cdf, pdf, _ = vnormal_cdf_d2(k)
        B = f.scale * joint_cdf(h, k, rho1, rest) + f.offset * cdf
        return m2 * B + r2 * (pdf * (f.offset + f.scale * vnormal_cdf(t)) + rho1 * f.scale * vnormal_pdf(h) * vnormal_cdf(u))
    end
    R2 = sqrt(1 + r2 * r2)
    k = m2 / R2
    correlation = a1 * (r2 / R2) * rho
    # 1 - correlation^2, as a sum of positive terms
    rest = sqrt(1 + r1 * r1 + r2 * r2 + (r1 * r2 * s)^2) / (R1 * R2)
    sign = centred_cdf(h, k, correlation, rest)
    # f = (c + a/2) + a/2 (2 Phi - 1)
    mean1, mean2, half1, half2 = f.offset + f.scale / 2, g.offset + g.scale / 2, f.scale / 2, g.scale / 2
    return half1 * half2 * sign + mean1 * half2 * verf_half_d2(k)[1] + mean2 * half1 * verf_half_d2(h)[1] + mean1 * mean2
end

# Both slopes are Gaussian factors: xi and eta are normal with precision 1 + r1^2 e1 e1' + c c'.
function cdf_slopes!(out, scale, m1, r1, m2, c1, c2)
    det = (1 + r1 * r1) * (1 + c2 * c2) + c1 * c1
    vxx, vxy, vyy = (1 + c2 * c2) / det, -c1 * c2 / det, (1 + r1 * r1 + c1 * c1) / det
    # y' C^-1 y for the two means y and their covariance C = [1 + r1^2, r1 c1; r1 c1, 1 + |c|^2], whose determinant is the same
    quadratic = ((1 + c1 * c1 + c2 * c2) * m1 * m1 - 2 * r1 * c1 * m1 * m2 + (1 + r1 * r1) * m2 * m2) / det
    front = scale * exp(-quadratic / 2) / (2 * pi * sqrt(det))
    bx, by = r1 * m1 + c1 * m2, c2 * m2
    x, y = -(vxx * bx + vxy * by), -(vxy * bx + vyy * by)
    set6!(out, front, 1.0, x, y, vxx + x * x - 1, vxy + x * y, vyy + y * y - 1)
end

# phi(z1) 1(z2 > 0): xi ~ N(x, v), eta ~ N(0, 1).
function cdf_slope_relu_slope!(out, front, x, v, m2, r2, rho, s)
    spread = sqrt(rho * rho * v + s * s)
    t = (m2 + r2 * rho * x) / (r2 * spread)
    P, p, _ = vnormal_cdf_d2(t)
    a, b = rho * v / spread, s / spread                     # regression of xi and eta on z2
    curve = t * p
    ex, ey = a * p, b * p
    set6!(out, front, P, x * P + ex, ey, v * P - a * a * curve + 2x * ex + x * x * P - P, -a * b * curve + x * ey,
          -b * b * curve)
end
