# The content of a system image: Julia's own, the engine, and what the engine's workload compiles. Run by
# mlpflow/juliaimage.py with `julia --output-o`, where Julia starts without knowing its own folders.

Base.reinit_stdio()
Sys.__init__()
@eval Sys BINDIR = $(ENV["MLPFLOW_BINDIR"])
@eval Sys STDLIB = $(ENV["MLPFLOW_STDLIB"])
Base.init_depot_path()
Base.init_load_path()

using MLPFlow
const FAILED = filter(reply -> !haskey(reply, "result"), MLPFlow.workload())
isempty(FAILED) || error("the workload failed: ", FAILED[1]["error"]["message"])

# They are made anew when the image starts.
empty!(LOAD_PATH)
empty!(DEPOT_PATH)
