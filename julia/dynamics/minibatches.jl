# The order in which an epoch uses the samples. It depends on the seed and the number of the epoch alone, so that a run can go on
# from (epoch, position) without a saved generator, and not on the version of Julia, as the standard library's shuffles do.

"""
    Shuffler(seed, epoch)

A generator of random numbers for one epoch: SplitMix64, from a start that hashes seed and epoch. G. L. Steele, D. Lea,
C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figures 11 to 13, with the mixing constants of
java.util.SplittableRandom.
"""
mutable struct Shuffler
    state::UInt64
end

Shuffler(seed::Int, epoch::Int) = Shuffler(mixed(mixed(reinterpret(UInt64, seed)) + reinterpret(UInt64, epoch)))

@inline function mixed(z::UInt64)
    z = (z ⊻ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ⊻ (z >> 27)) * 0x94d049bb133111eb
    return z ⊻ (z >> 31)
end

@inline next!(r::Shuffler) = mixed(r.state += 0x9e3779b97f4a7c15)

# A number from 1 to n, each equally likely: D. Lemire, "Fast random integer generation in an interval", ACM Trans. Model.
# Comput. Simul. 29 (2019) 3, algorithm 5.
@inline function draw!(r::Shuffler, n::Int)
    range = UInt64(n)
    product = widemul(next!(r), range)
    while product % UInt64 < range && product % UInt64 < (-range) % range
        product = widemul(next!(r), range)
    end
    return Int(product >> 64) + 1
end

"""
    Epochs(samples, batchsize, seed, replacement)

Where a run is in its samples: in epoch number `epoch` (from 1 on; 0: none has begun), of which the first `position` places of
`order` have been used.
"""
mutable struct Epochs
    samples::Int
    batchsize::Int
    seed::Int
    replacement::Bool
    epoch::Int
    position::Int
    order::Vector{Int}
end

function Epochs(samples::Int, batchsize::Int, seed::Int, replacement::Bool)
    places = replacement ? batchsize * cld(samples, batchsize) : samples
    return Epochs(samples, batchsize, seed, replacement, 0, places, zeros(Int, places))
end

at_end(e::Epochs) = e.position == length(e.order)

# Samples in the next batch: the last one of an epoch may be smaller.
next_size(e::Epochs) = at_end(e) ? min(e.batchsize, length(e.order)) : min(e.batchsize, length(e.order) - e.position)

function begin_epoch!(e::Epochs)
    e.epoch += 1
    e.position = 0
    fill_order!(e)
    return e
end

# Without replacement a permutation, after R. Durstenfeld, "Algorithm 235: random permutation", Comm. ACM 7 (1964) 420.
function fill_order!(e::Epochs)
    r, order = Shuffler(e.seed, e.epoch), e.order
    if e.replacement
        @inbounds for i in eachindex(order)
            order[i] = draw!(r, e.samples)
        end
        return e
    end
    @inbounds for i in eachindex(order)
        j = draw!(r, i)
        order[i] = order[j]
        order[j] = i
    end
    return e
end

"""
    minibatches(samples::Integer, batchsize::Integer; batchseed = 0, epoch = 1, replacement = false) -> Vector{Vector{Int}}

The samples (numbers from 1 to `samples`) in the batches of an epoch, as `train` and `descend` use them.
"""
function minibatches(samples::Integer, batchsize::Integer; batchseed::Integer = 0, epoch::Integer = 1, replacement::Bool = false)
    check_batches(samples, batchsize, batchseed)
    require(epoch >= 1, "expected an epoch of at least 1, got $epoch")
    e = Epochs(Int(samples), Int(batchsize), Int(batchseed), replacement)
    e.epoch = epoch - 1
    begin_epoch!(e)
    return [e.order[first:min(first + batchsize - 1, end)] for first in 1:batchsize:length(e.order)]
end

function check_batches(samples, batchsize, batchseed)
    require(samples >= 1, "expected at least one sample, got $samples")
    require(batchsize isa Integer && 1 <= batchsize <= samples,
            "expected a batchsize from 1 to the number of samples, $samples, got $batchsize")
    require(batchseed isa Integer && 0 <= batchseed <= typemax(Int), "expected a batchseed of at least 0, got $batchseed")
end
