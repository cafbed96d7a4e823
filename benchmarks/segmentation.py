"""`pollux.segmentation` beside Felzenszwalb's method, SLIC with graph merging, and mean shift, on the same photographs.

    pip install 'pollux-lm[segment]' scikit-learn
    python benchmarks/segmentation.py --data BSDS500 --split val --out results/
    python benchmarks/segmentation.py --data BSDS500 --tune --n 20
    python benchmarks/segmentation.py --picture docs/segmentation.png

BSDS500 is a folder with images/SPLIT/*.jpg and groundTruth/SPLIT/*.mat (for non-commercial research; Arbeláez et al., TPAMI 2011).
Settings were chosen on train, of every method by the same measure, mean covering, from the grids below: `--tune` does it again.
"pollux, coarse" is ours with three times the binding (`pollux segment --coarse 3`), with which it still covered as well as they.
Each photograph is taken by every method in turn, on one core. Regions are connected parts (8 neighbours), the humans' too.
Intervals are 95%, by bootstrap over photographs; p is Wilcoxon's signed rank test, ours against theirs by photograph, two-sided.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.progress import track
from scipy.io import loadmat
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree
from scipy.stats import wilcoxon
from skimage import data, graph
from skimage.color import rgb2lab
from skimage.segmentation import felzenszwalb, slic
from sklearn.cluster import MeanShift

from pollux.segmentation import metrics
from pollux.segmentation.boundaries import boundaries, boundary_precision_recall, f_measure
from pollux.segmentation.outlines import outlines
from pollux.segmentation.segment import Settings, regions, segment

MEASURES = {
    "over": "regions per human region", "precision": "boundary precision", "recall": "boundary recall", "f": "boundary F",
    "covering": "covering", "pri": "PRI", "voi": "VOI, bits", "gce": "GCE", "regions": "regions", "seconds": "s per image",
}  # fmt: skip


def pollux(image: np.ndarray, binding: float) -> np.ndarray:
    return segment(image, Settings(binding=binding)).labels_HW


def felzenszwalb_(image: np.ndarray, scale: float, min_size: int) -> np.ndarray:
    return felzenszwalb(image, scale=scale, sigma=0.8, min_size=min_size)


def merged(image: np.ndarray, count: int, threshold: float) -> np.ndarray:
    """SLIC superpixels, joined where their mean colours in CIELAB are nearer than a threshold."""
    superpixels = slic(image, n_segments=count, compactness=10, start_label=0)
    return graph.cut_threshold(superpixels, graph.rag_mean_color(rgb2lab(image), superpixels), threshold)


def mean_shift(image: np.ndarray, bandwidth: float, space: float, min_size: int) -> np.ndarray:
    """Modes of colour (CIELAB) and place (pixels times ``space``), found on one pixel of 36; parts under ``min_size`` pixels go to
    the nearest larger one."""
    place = np.stack(np.mgrid[: image.shape[0], : image.shape[1]], -1) * space
    points = np.concatenate([rgb2lab(image), place], -1)
    modes = MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(points[::6, ::6].reshape(-1, 5)).cluster_centers_
    parts = regions(KDTree(modes).query(points.reshape(-1, 5))[1].reshape(image.shape[:2]))
    large = np.bincount(parts.ravel())[parts] >= min_size
    if not large.any():
        return parts
    rows, columns = distance_transform_edt(~large, return_distances=False, return_indices=True)
    return parts[rows, columns]


class Method(NamedTuple):
    """A function of an image, its chosen settings, and the grid they were chosen from."""

    run: Callable[..., np.ndarray]
    chosen: dict
    grid: dict


METHODS = {
    "pollux": Method(pollux, {"binding": 160}, {"binding": (40, 80, 160, 240, 320, 480)}),
    "pollux, coarse": Method(pollux, {"binding": 480}, {"binding": (480,)}),
    "Felzenszwalb": Method(felzenszwalb_, {"scale": 1000, "min_size": 500},
                           {"scale": (100, 300, 500, 1000), "min_size": (100, 500, 1500)}),
    "SLIC + merging": Method(merged, {"count": 400, "threshold": 8}, {"count": (200, 400), "threshold": (4, 6, 8, 10)}),
    "mean shift": Method(mean_shift, {"bandwidth": 14, "space": 0.05, "min_size": 500},
                         {"bandwidth": (10, 14, 18), "space": (0.02, 0.05), "min_size": (100, 500, 1500)}),
}  # fmt: skip


class Photograph(NamedTuple):
    """An image, uint8 [H, W, 3]; what humans made of it: label maps [H, W] and boundaries [J, H, W]."""

    name: str
    image: np.ndarray
    humans: list[np.ndarray]
    drawn: np.ndarray


def photographs(folder: Path, split: str, n: int) -> Iterator[Photograph]:
    """Evenly from the split, in the order of their names."""
    files = sorted((folder / "images" / split).glob("*.jpg"))
    if not files:
        raise SystemExit(f"error: there is no {folder}/images/{split}/*.jpg\n\nhint: name the folder that holds BSDS500's images")
    for i in np.unique(np.linspace(0, len(files) - 1, min(n, len(files))).round().astype(int)):
        truth = loadmat(folder / "groundTruth" / split / f"{files[i].stem}.mat")["groundTruth"][0]
        humans = [each["Segmentation"][0, 0].astype(np.int32) for each in truth]
        yield Photograph(files[i].stem, np.asarray(Image.open(files[i]).convert("RGB")), humans,
                         np.stack([each["Boundaries"][0, 0].astype(bool) for each in truth]))  # fmt: skip


def measure(labels: np.ndarray, photograph: Photograph) -> dict[str, float]:
    """Every measure of a segmentation but its time; a mean over the humans where it is between two segmentations."""
    parts = regions(labels)
    tables = [metrics.overlap(parts, human) for human in photograph.humans]
    mean = lambda of: float(np.mean([of(table) for table in tables]))  # noqa: E731
    human_count = np.mean([regions(human).max() + 1 for human in photograph.humans])
    precision, recall = boundary_precision_recall(boundaries(parts), photograph.drawn)
    return {
        "over": float((parts.max() + 1) / human_count), "precision": precision, "recall": recall, "f": f_measure(precision, recall),
        "covering": mean(metrics.covering), "pri": mean(metrics.rand_index), "voi": mean(metrics.variation_of_information),
        "gce": mean(metrics.consistency_error), "regions": int(parts.max()) + 1,
    }  # fmt: skip


def take(photograph: Photograph, method: Method, settings: dict) -> dict[str, float]:
    began = time.perf_counter()
    labels = method.run(photograph.image, **settings)
    seconds = time.perf_counter() - began
    return measure(labels, photograph) | {"seconds": seconds}


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """A mean with its 95% interval, by 10,000 draws of the photographs."""
    drawn = values[np.random.default_rng(0).integers(values.size, size=(10_000, values.size))].mean(1)
    return float(values.mean()), *map(float, np.quantile(drawn, (0.025, 0.975)))


def table(rows: dict[str, dict[str, np.ndarray]]) -> str:
    """In Markdown: a line per measure, a column per method."""
    lines = ["| | " + " | ".join(rows) + " |", "|" + " --- |" * (len(rows) + 1)]
    for key, title in MEASURES.items():
        cells = [interval(row[key]) for row in rows.values()]
        digits = 1 if key == "regions" else 2 if key in ("over", "voi", "seconds") else 3
        texts = (f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]" for mean, low, high in cells)
        lines.append(f"| {title} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def paired(rows: dict[str, dict[str, np.ndarray]]) -> str:
    """Ours beside theirs, photograph by photograph: ratios of how many regions there are, differences of all else."""
    ours, theirs = ([name for name in rows if name.startswith("pollux") == mine] for mine in (True, False))
    lines = ["| ours beside theirs | " + " | ".join(theirs) + " |", "|" + " --- |" * (len(theirs) + 1)]
    for name, key in product(ours, ("over", "precision", "covering", "f")):
        mine, compare = rows[name][key], ratio if key == "over" else difference
        cells = (compare(mine, rows[other][key]) for other in theirs)
        lines.append(f"| {name}: {MEASURES[key]}{', theirs = 1' if key == 'over' else ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratio(ours: np.ndarray, theirs: np.ndarray) -> str:
    """The geometric mean of the ratios."""
    mean, low, high = np.exp(interval(np.log(ours / theirs)))
    return f"{mean:.2f} [{low:.2f}, {high:.2f}], p = {wilcoxon(np.log(ours / theirs)).pvalue:.2g}"


def difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    apart = ours - theirs
    mean, low, high = interval(apart)
    p = wilcoxon(apart).pvalue if apart.any() else 1.0
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}], p = {p:.2g}"


def tune(args: argparse.Namespace) -> None:
    """Every method's grid on train, the best by mean covering last."""
    train = list(photographs(args.data, "train", args.n))
    for name in args.methods:
        method, found = METHODS[name], []
        for values in product(*method.grid.values()):
            settings = dict(zip(method.grid, values, strict=True))
            scores = [take(photograph, method, settings) for photograph in track(train, f"{name} {settings}", transient=True)]
            mean = {key: float(np.mean([score[key] for score in scores])) for key in MEASURES}
            found.append((mean["covering"], settings, mean))
            print(name, settings, " ".join(f"{key} {value:.3f}" for key, value in mean.items()), flush=True)
        print(f"{name}: {max(found, key=lambda row: row[0])[1]}, n={len(train)}\n", flush=True)


def compare(args: argparse.Namespace) -> None:
    scores: dict[str, list[dict]] = {name: [] for name in args.methods}
    names = []
    for photograph in track(list(photographs(args.data, args.split, args.n)), "photographs", transient=True):
        names.append(photograph.name)
        for name in args.methods:
            scores[name].append(take(photograph, METHODS[name], METHODS[name].chosen))
    rows = {name: {key: np.array([score[key] for score in found]) for key in MEASURES} for name, found in scores.items()}
    text = f"BSDS500 {args.split}, n={len(names)}\n\n{table(rows)}\n"
    text += f"\n{paired(rows)}\n" if len({name.startswith("pollux") for name in rows}) == 2 else ""
    print(text)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "segmentation.md").write_text(text)
        about = {"split": args.split, "settings": {name: METHODS[name].chosen for name in args.methods}, "photographs": names}
        (args.out / "segmentation.json").write_text(json.dumps(about | {"scores": scores}, indent=1))


def picture(path: Path) -> None:
    """What is found in photographs that come with scikit-image: an astronaut (NASA, public domain); a cat (Stéfan van der Walt) and
    a cup of coffee (Rachel Michetti), both CC0. In 128 colours."""
    shown = []
    for image in (data.astronaut(), data.chelsea(), data.coffee()):
        drawn = outlines(image / np.float32(255), segment(image).labels_HW)
        shown.append(drawn.resize((round(drawn.width * 260 / drawn.height), 260), Image.Resampling.LANCZOS))
    sheet, left = Image.new("RGB", (sum(each.width for each in shown) + 8 * (len(shown) - 1), 260), "white"), 0
    for each in shown:
        sheet.paste(each, (left, 0))
        left += each.width + 8
    sheet.quantize(128).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="BSDS500")
    parser.add_argument("--split", choices=("train", "val", "test"), default="val", help="what to compare on (default: val)")
    parser.add_argument("--n", type=int, default=1000, help="photographs, at most (default: all)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME", help="default: all")
    parser.add_argument("--tune", action="store_true", help="go through the grids on train instead")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write segmentation.md and segmentation.json here")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw what is found in photographs of scikit-image instead")
    args = parser.parse_args()
    if args.picture:
        return picture(args.picture)
    if not args.data:
        parser.error("name the folder of BSDS500: --data DIR")
    tune(args) if args.tune else compare(args)


if __name__ == "__main__":
    main()
