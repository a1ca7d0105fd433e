# How far one trajectory is from another as a curve, whatever the times at which each passes.

"""
    trajectory_distance(a, b) -> (distances, times, indices)

The distance of every point of trajectory `a` from the reference `b`: |a_i - b_j|^2 / (2P) for `P` parameters, where the
matches j go forward along `b`. The search for the match of a_1 starts at b_1, that for a_i at the match of a_{i-1}, and it
advances while the next point of `b` is at least as near as the present one; later points that would be nearer still, behind a
rise of the distance, are not looked for. So a trajectory is at distance 0 from itself and, where no two points in a row are
equal, matched with itself.

- `a`, `b`: a `Trajectory`, or `result["trajectory"]` of [`train`](@ref) (time => dictionary of parameters)

The named tuple has one entry for each point of `a`: `distances`, `times` (of the matched points, in `b`) and `indices` (in the
order of time, from 1). Throws a `DimensionMismatch` when the numbers of parameters differ, and an `ArgumentError` for a
trajectory without points or with numbers that are not finite.
"""
function trajectory_distance(a, b)
    times_a, points_a = times_and_points(a)
    times_b, points_b = times_and_points(b)
    check_points("the first trajectory", points_a)
    check_points("the second trajectory", points_b)
    size(points_a, 1) == size(points_b, 1) ||
        throw(DimensionMismatch("expected trajectories of the same number of parameters, got $(size(points_a, 1)) and " *
                                "$(size(points_b, 1))"))
    distances, indices = match_forward(points_a, points_b)
    return (distances = distances, times = times_b[indices], indices = indices)
end

times_and_points(trajectory::Trajectory) = (trajectory.t, trajectory.x)

function times_and_points(trajectory::AbstractDict)
    isempty(trajectory) && throw(ArgumentError("expected a trajectory of at least one point, got none"))
    times = sort!(collect(Float64, keys(trajectory)))
    return times, reduce(hcat, [collect(Float64, params(trajectory[t])) for t in times])
end

function check_points(name::String, points::Matrix{Float64})
    size(points, 2) >= 1 || throw(ArgumentError("expected $name to have at least one point, got none"))
    bad = findfirst(!isfinite, points)
    bad === nothing ||
        throw(ArgumentError("expected finite parameters in $name, got $(points[bad]) at point $(bad[2]), parameter $(bad[1])"))
    return nothing
end

function match_forward(a::Matrix{Float64}, b::Matrix{Float64})
    distances, indices = zeros(size(a, 2)), zeros(Int, size(a, 2))
    j = 1
    for i in axes(a, 2)
        here = point_distance(a, i, b, j)
        while j < size(b, 2)
            next = point_distance(a, i, b, j + 1)
            next <= here || break
            here = next
            j += 1
        end
        distances[i] = here
        indices[i] = j
    end
    return distances, indices
end

function point_distance(a::Matrix{Float64}, i::Int, b::Matrix{Float64}, j::Int)
    total = 0.0
    @inbounds @simd for k in axes(a, 1)
        total += abs2(a[k, i] - b[k, j])
    end
    return total / (2 * size(a, 1))
end
