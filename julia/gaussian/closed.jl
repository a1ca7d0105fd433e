# Closed forms for pairs of relu. With h = m1/r1, k = m2/r2, B = P(z1 > 0, z2 > 0), P1 = phi(h) P(z2 > 0 | z1 = 0), P2 likewise, and
# q = (1 - rho^2) times the density of both at 0, Stein's identity E[xi F] = E[dF/dxi] gives every moment of 1(z1 > 0) 1(z2 > 0) up to
# degree two without a difference that could cancel at |rho| = 1 (Cho and Saul, NIPS 2009, have h = k = 0: B = (pi - theta)/(2 pi)).

function relu_relu!(M::PairMoments, m1, r1, m2, r2, rho, s, order::Int)
    m1 == 0 && m2 == 0 && order < 2 && return relu_relu_centred!(M, r1, r2, rho, s)
    h, k = m1 / r1, m2 / r2
    t1, t2 = conditional_mean(h, k, rho, s), conditional_mean(k, h, rho, s)      # of z2 given z1 = 0, and the reverse
    density = vnormal_pdf(h)
    cdf1 = vnormal_cdf(t1)
    B = joint_cdf(h, k, rho, s)
    P1, P2 = density * cdf1, vnormal_pdf(k) * vnormal_cdf(t2)
    q = s * density * vnormal_pdf(t1)
    Ex, Ey = P1 + rho * P2, s * P2
    hP1, kP2 = P1 == 0 ? 0.0 : h * P1, P2 == 0 ? 0.0 : k * P2
    Exx, Exy, Eyy = -hP1 - rho * rho * kP2 + rho * q, s * (q - rho * kP2), -s * s * kP2 - rho * q
    # z2 = m2 + r2 (rho xi + s eta)
    g0, g1 = m2 * B + r2 * (rho * Ex + s * Ey), m2 * Ex + r2 * (rho * (Exx + B) + s * Exy)
    g2 = m2 * Ey + r2 * (rho * Exy + s * (Eyy + B))
    M.h00 = m1 * g0 + r1 * g1
    set3!(M.h10, 1.0, g0, g1, g2)
    order >= 2 || return M
    set6!(M.h11, 1.0, B, Ex, Ey, Exx, Exy, Eyy)
    # f'' is the point mass at xi = -h, where z2 = r2 s (t1 + eta)
    spread = r2 * s
    G0 = s == 0 ? max(m2 - r2 * rho * h, 0.0) : spread * positive_part(t1, cdf1, vnormal_pdf(t1))
    G1, G2 = spread * cdf1, spread * vnormal_pdf(t1)
    set6!(M.h20, density / r1, G0, -h * G0, G1, (h * h - 1) * G0, -h * G1, G2)
    return M
end

# h = k = 0, without any exponential.
function relu_relu_centred!(M::PairMoments, r1, r2, rho, s)
    B = muladd(1 / (2 * pi), atan(rho, s), 0.25)
    g1 = r2 * muladd(rho, B, s / (2 * pi))
    M.h00 = r1 * g1
    set3!(M.h10, 1.0, r2 * (INV_SQRT_2PI / 2) * (1 + rho), g1, r2 * s * B)
    return M
end

# relu and a distribution function: the latter is the probability of z2 + e > 0 with one more standard normal e.
function relu_cdf!(M::PairMoments, m1, r1, other::Profile, m2, r2, rho, s, order::Int)
    h, R = m1 / r1, sqrt(1 + r2 * r2)
    k, b1, b2 = m2 / R, r2 * rho / R, r2 * s / R
    rest = sqrt(1 + (r2 * s)^2) / R                       # sqrt(1 - b1^2)
    t1, t2 = conditional_mean(h, k, b1, rest), conditional_mean(k, h, b1, rest)
    cdf, density, _ = vnormal_cdf_d2(h)
    a, c = other.scale, other.offset
    P1 = density * (c + a * vnormal_cdf(t1))
    P2 = a * vnormal_pdf(k) * vnormal_cdf(t2)
    B = a * joint_cdf(h, k, b1, rest) + c * cdf
    M.h00 = m1 * B + r1 * (P1 + b1 * P2)
    set3!(M.h10, 1.0, B, P1 + b1 * P2, b2 * P2)
    order >= 2 || return M
    V = r2 * s
    D = sqrt(1 + V * V)
    tau = (m2 - r2 * rho * h) / D
    G0, pdf, slope = cdf_values(other, tau)
    G1, G2 = V / D * pdf, (V / D)^2 * slope
    set6!(M.h20, density / r1, G0, -h * G0, G1, (h * h - 1) * G0, -h * G1, G2)
    relu_slope_cdf_slope!(M.h11, h, a * vnormal_pdf(k) / R, m2, R, b1, b2, rest)
    return M
end

# 1(xi > -h) times the density of z2 + e at 0, which makes xi and eta normal with mean -m2 (b1, b2)/R and covariance 1 - b b'.
function relu_slope_cdf_slope!(out, h, front, m2, R, b1, b2, rest)
    x, y = -m2 * b1 / R, -m2 * b2 / R
    vxx, vxy, vyy = rest * rest, -b1 * b2, 1 - b2 * b2
    t = (h + x) / rest
    P, p, _ = vnormal_cdf_d2(t)
    ex, ey, curve = vxx / rest * p, vxy / rest * p, t * p / (rest * rest)
    set6!(out, front, P, x * P + ex, y * P + ey, vxx * P - vxx * vxx * curve + 2x * ex + x * x * P - P,
          vxy * P - vxx * vxy * curve + x * ey + y * ex + x * y * P, vyy * P - vxy * vxy * curve + 2y * ey + y * y * P - P)
end
