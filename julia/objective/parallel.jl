# Samples split over Julia's threads. Each part is a run of neighbouring tiles with scratch memory of its own; sums of the
# parts are added in their order, so that a result depends on the number of threads but never on their timing.

# A part is worth a thread when it holds this many multiplications, about 100 microseconds of work.
const WORTH_A_THREAD = 50_000

part_count(samples::Samples, P::Int, tiles::Int) =
    max(1, min(Threads.nthreads(), tiles, (samples.n * P) ÷ WORTH_A_THREAD))

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
