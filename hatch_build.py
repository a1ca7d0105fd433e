"""Put the Julia engine, the example data and the set-up scripts inside the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = {
    "Project.toml": "mlpflow/_engine/Project.toml",
    "src": "mlpflow/_engine/src",
    "julia": "mlpflow/_engine/julia",
    "scripts/julia.sh": "mlpflow/_engine/scripts/julia.sh",
    "scripts/julia_unwind.sh": "mlpflow/_engine/scripts/julia_unwind.sh",
    "scripts/system_image.jl": "mlpflow/_engine/scripts/system_image.jl",
    "examples/data": "mlpflow/_engine/examples/data",
}


class CarryEngine(BuildHookInterface[Any]):
    """Only for a real wheel: an editable install reads these files where they are edited."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update(CARRIED)
