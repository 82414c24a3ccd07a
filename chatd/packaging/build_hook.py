"""What hatchling calls when the package is built: the page's build and, on request, the compiler.

hatchling takes one custom hook. This is it: it does what the page's hook does (`chatd/web`), and
then, for a wheel with `CHATD_COMPILE=1`, adds the modules that `compile` has compiled into an
extension. Such a wheel is for one platform and one version of Python. Whoever does not ask for this
needs no compiler, downloads nothing more, and gets the same wheel as ever.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

# A build has only hatchling on its path; the next imports come from the tree that is built.
sys.path.insert(0, str(Path(__file__).parents[2]))
try:
    from chatd.packaging import compile as native
    from chatd.web import build_hook as page
finally:
    del sys.path[0]

COMPILE: Final = "CHATD_COMPILE"
ASKED: Final = "1"
STANDARD: Final = "standard"  # hatchling's word for a wheel that is not an editable install
WHEEL: Final = "wheel"


class BuildHook(page.PageHook):
    """The page's hook, and the compiled modules."""

    _out: Path | None = None  # where the extensions lie until they are in the wheel

    @property
    def is_asked(self) -> bool:
        """Whether to compile this build."""
        asked = os.environ.get(COMPILE, "")
        if asked not in (ASKED, ""):
            self.app.abort(f"{COMPILE} is {ASKED} or not set, not {asked!r}.")
        return asked == ASKED and self.target_name == WHEEL

    def dependencies(self) -> list[str]:
        """What pip installs for this build: nothing for the compiler unless it is asked for."""
        return super().dependencies() + (list(native.REQUIREMENTS) if self.is_asked else [])

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is asked for, or end with a sentence: whoever asks for it wants nothing
        else."""
        super().initialize(version, build_data)
        if not self.is_asked:
            return
        if version != STANDARD:
            self.app.display_warning("An editable install runs its sources: it is not compiled.")
            return
        self._out = Path(tempfile.mkdtemp(prefix="chatd-compiled-"))
        try:
            extensions = native.compile_apart(Path(self.root), self._out)
        except native.CompileError as error:
            self._remove()
            self.app.abort(f"chatd cannot be compiled. {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        places = {str(self._out / file): str(file) for file in extensions}
        build_data["force_include"].update(places)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written, with what was compiled for it: remove the copies."""
        super().finalize(version, build_data, artifact_path)
        self._remove()

    def _remove(self) -> None:
        if self._out is not None:
            shutil.rmtree(self._out)
            self._out = None
