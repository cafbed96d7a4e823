"""``pollux segment``: photographs into few coherent regions, as label maps and outlines."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base.errors import ConfigError, PolluxError
from pollux.commands.terminal import Parser, counting_bar, fail, printable, report

if TYPE_CHECKING:
    import numpy as np

    from pollux.segmentation.segment import Segmentation, Settings

_ABOUT = """
Take photographs apart into few coherent regions, by colour and texture. Nothing is learned beforehand, nothing is marked by hand,
and how many regions there are is found out. Of photo.jpg are written, into --out:

  photo.labels.png     a pixel is its label's number: with colours, up to 256 labels; 16 bits of grey beyond
  photo.labels.npz     NumPy: labels, and regions (a label's connected parts), int32 [rows, columns]
  photo.outlines.png   the photograph with the borders drawn over it

A folder is searched with the folders in it; what was written by this command is passed over. A result that is there is replaced.
"""
_EXAMPLES = """
pollux segment photo.jpg
pollux segment holiday/ --out segments/
pollux segment a.png b.tif --coarse 2
"""
_SUFFIXES = (".labels.png", ".labels.npz", ".outlines.png")
_NAMES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".jp2", ".avif")


def add(commands) -> None:
    parser: Parser = commands.add_parser("segment", help="take photographs apart", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("files", nargs="+", metavar="FILE", help="an image, a folder of images, or a pattern in quotes")
    help_out = "a folder for what is written (default: %(default)s)"
    parser.add_argument("--out", type=Path, default=Path("segments"), metavar="DIR", help=help_out)
    help_coarse = "2 binds neighbours twice as strongly, for fewer regions; 0.5 half as strongly (default: 1)"
    parser.add_argument("--coarse", type=_positive, default=1.0, metavar="X", help=help_coarse)
    help_count = "at most so many pieces to begin with, of which photographs give a sixth: more keep smaller things (default: 2500)"
    parser.add_argument("--superpixels", type=int, default=2500, metavar="N", help=help_count)
    parser.add_argument("--seed", type=int, default=0, help="of which pixels are looked at (default: 0)")
    parser.set_defaults(run=run, parser=parser)


def _positive(text: str) -> float:
    try:
        if 0 < (found := float(text)) < float("inf"):
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"a number above 0 is needed, got {text!r}")


def run(args: argparse.Namespace) -> int:
    settings = _settings(args)
    inputs, failed = _inputs(args.files)
    if not inputs:
        return 1
    targets = _targets(inputs, args.out)
    with counting_bar("segmenting", "images") as progress:
        for number, (file, stem) in enumerate(targets.items()):
            try:
                _one(file, stem, settings)
            except (PolluxError, OSError) as error:
                failed = True
                _tell(file, error)
            if progress:
                progress(number + 1, len(targets))
    return int(failed)


def _settings(args: argparse.Namespace) -> Settings:
    try:
        from pollux.segmentation.segment import Settings
    except ModuleNotFoundError as error:
        what = f"taking photographs apart needs {error.name}, which is not here"
        raise ConfigError(what, "pip install 'pollux-lm[segment]'") from error
    return Settings(superpixels=args.superpixels, binding=Settings.binding * args.coarse, seed=args.seed)


def _inputs(given: list[str]) -> tuple[dict[Path, Path], bool]:
    """Files to read, each with the folders it lies in beneath the one that was named; and whether something was not found."""
    from pollux.media.folder import find
    from pollux.media.segment import Problem

    found: dict[Path, Path] = {}
    failed = False
    for name in given:
        there = False
        for each in find(name):
            if isinstance(each, Problem):
                report([each])
                failed |= each.severity == "error"
                there |= each.severity == "error"  # it is told already that there is none
            elif each.named or _is_input(each.file):
                beneath = Path(os.path.relpath(os.path.dirname(each.file), name)) if os.path.isdir(name) else Path()
                found.setdefault(Path(each.file), beneath)
                there = True
        if not there:
            fail(f"there is no image in {printable(name)}", "name image files, or a folder that holds some")
            failed = True
    return found, failed


def _is_input(file: str) -> bool:
    return file.lower().endswith(_NAMES) and not file.endswith(_SUFFIXES)


def _targets(inputs: dict[Path, Path], out: Path) -> dict[Path, Path]:
    """Where each file's results go, without their endings: no two at one place, and none where an input lies.

    Raises:
        ConfigError: a result would replace an image that is to be read.
    """
    targets: dict[Path, Path] = {}
    taken: set[Path] = set()
    for file, beneath in inputs.items():
        names = chain((file.stem, file.name), (f"{file.name}-{number}" for number in count(2)))
        targets[file] = next(stem for name in names if (stem := out / beneath / name) not in taken)
        taken.add(targets[file])
    places = {os.path.realpath(file) for file in inputs}
    for stem in targets.values():
        for suffix in _SUFFIXES:
            if os.path.realpath(f"{stem}{suffix}") in places:
                raise ConfigError(f"{stem}{suffix} would be replaced, and is to be read", "choose another folder with --out")
    return targets


def _one(file: Path, stem: Path, settings: Settings) -> None:
    """Read, take apart, write, and tell on a line."""
    from pollux.segmentation.photo import read
    from pollux.segmentation.segment import segment

    began = time.monotonic()
    pixels = read(file)
    found = segment(pixels, settings)
    stem.parent.mkdir(parents=True, exist_ok=True)
    for suffix, data in _encoded(pixels, found).items():
        _write(Path(f"{stem}{suffix}"), data)
    labels, parts, seconds = found.count, int(found.regions_HW.max()) + 1, time.monotonic() - began
    print(f"{printable(str(file))}: {labels} labels in {parts} regions, {seconds:.1f} s, {printable(str(stem))}.*", flush=True)


def _encoded(pixels: np.ndarray, found: Segmentation) -> dict[str, bytes]:
    """What the three files hold, by the end of their name."""
    import numpy as np

    from pollux.segmentation.outlines import label_map, outlines

    out = {suffix: io.BytesIO() for suffix in _SUFFIXES}
    label_map(found.labels_HW).save(out[".labels.png"], format="PNG")
    np.savez_compressed(out[".labels.npz"], labels=found.labels_HW, regions=found.regions_HW)
    outlines(pixels, found.labels_HW).save(out[".outlines.png"], format="PNG")
    return {suffix: data.getvalue() for suffix, data in out.items()}


def _write(path: Path, data: bytes) -> None:
    """A whole file or none: what is written under another name takes the file's name at the end."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _tell(file: Path, error: PolluxError | OSError) -> None:
    sys.stdout.flush()
    if isinstance(error, PolluxError):
        message, hint = error.message, error.hint
    else:
        message = f"{error.strerror or error}: {error.filename or file}"
        hint = "check the path, its permissions and the disk's free space"
    fail(message, hint)
