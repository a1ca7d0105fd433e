# Samples split over Julia's threads. Each part is a run of neighbouring tiles with scratch memory of its own; sums of the
# parts are added in their order, so that a result depends on the number of threads but never on their timing.

# A part is worth a thread from about 200 microseconds of work on: that many samples times parameters of a gradient, or
# times entries of a Hessian. Waking a thread takes tens of microseconds.
const GRADIENT_WORTH_A_THREAD = 400_000
const HESSIAN_WORTH_A_THREAD = 10_000_000

part_count(work::Int, worth::Int, tiles::Int) = max(1, min(Threads.nthreads(), tiles, work ÷ worth))

"""
    part_tiles(part, parts, tiles) -> UnitRange

The tiles of one part: neighbours, in numbers that differ by at most one.
"""
part_tiles(part::Int, parts::Int, tiles::Int) = ((part - 1) * tiles) ÷ parts + 1:(part * tiles) ÷ parts

"""
    in_parts(work!, parts)

Call `work!(part)` for each part, on as many threads; on the calling thread when there is only one.
"""
function in_parts(work!::F, parts::Int) where {F}
    if parts == 1
        work!(1)
    else
        Threads.@threads for part in 1:parts
            work!(part)
        end
    end
    return nothing
end
