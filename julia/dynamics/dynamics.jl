# The discrete dynamics that people train with: gradient descent and its relatives, full batch or in minibatches.
#
#     schedules.jl    learning rates that change
#     rules.jl        the protocol of a rule, and what the rules share
#     sgd.jl          gradient descent, heavy ball, Nesterov
#     adam.jl         Adam, AdamW
#     rmsprop.jl      RMSprop
#     describe.jl     rules as plain data
#     minibatches.jl  the order of the samples, epoch by epoch
#     batches.jl      the loss of a batch
#     iterates.jl     the trajectory
#     descend.jl      the one driver loop

include("schedules.jl")
include("rules.jl")
include("sgd.jl")
include("adam.jl")
include("rmsprop.jl")
include("describe.jl")
include("minibatches.jl")
include("batches.jl")
include("iterates.jl")
include("descend.jl")

export GradientDescent, Descent, HeavyBall, Nesterov, Adam, AdamW, RMSprop
export Constant, Cosine, StepDecay, WarmUp
export descend, minibatches
