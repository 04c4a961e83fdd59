"""The package's build: compile the CPU kernels where there is a C++ compiler."""

import importlib.util
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _builder():
    path = Path(__file__).parent / "taowa" / "kernels" / "build.py"
    spec = importlib.util.spec_from_file_location("build_kernels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class KernelBuildHook(BuildHookInterface):
    """Puts the kernel library into the wheel; without a compiler the wheel is pure Python."""

    def dependencies(self):
        """Return what compiling needs: jax, for XLA's headers, unless they are there already."""
        builder = _builder()
        is_needed = builder.compiler() is not None and builder.include_folder() is None
        requirements = self.metadata.core.dependencies if is_needed else []
        return [one for one in requirements if one.startswith("jax")]

    def initialize(self, version, build_data):
        """Compile the kernels and mark the wheel as bound to this platform."""
        if self.target_name != "wheel":
            return
        builder = _builder()
        try:
            library = builder.build(Path(self.root) / "build" / "kernels")
        except builder.CannotBuildError as error:
            builder.LIBRARY.unlink(missing_ok=True)
            self.app.display_warning(f"taowa is built without its CPU kernels: {error}")
            return
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = builder.platform_tag()
