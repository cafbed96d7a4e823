"""How fast films, sounds and pictures are read, end to end from the file, on this machine.

    pip install 'pollux-lm[media]'
    python benchmarks/media.py talk.mp4 speech.flac photo.jpg --box 256

For a film: frames a second, scaled to the box, at 1 frame a second with and without its sound and at every frame, and how many
times faster than it plays. For sound: the same, as samples and as log-mel features. For pictures: how many a second. Rates are told
by the clock, and in brackets by the seconds that processors worked, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from pollux.media import audio, image, mel, video
from pollux.media.decode import Senses, read
from pollux.media.senses import Audio, Box, Frame, Image, Video


def timed(work: Callable[[], Iterable]) -> tuple[list, float, float]:
    """What came of going through ``work()``, one for each item, and the seconds and the processor's seconds it took."""
    begin, used = time.perf_counter(), time.process_time()
    items = [1 if isinstance(item, Frame) else 0 for item in work()]
    return items, time.perf_counter() - begin, time.process_time() - used


def film(segment: Video, box: Box) -> None:
    ways = {"1 frame/s": (1.0, video.look), "1 frame/s, sound": (1.0, video.play), "every frame": (None, video.look)}
    for name, (rate, way) in ways.items():
        items, seconds, used = timed(lambda rate=rate, way=way: way(replace(segment, rate=rate), box))
        frames = sum(items)
        told = f"{frames / seconds:8.1f} ({frames / used:.1f}) frames/s"
        print(f"  {name:18} {frames:7,} frames {told:28} {segment.seconds / seconds:7.1f}x ({segment.seconds / used:.1f}x)")


def sound(segment: Audio | Video) -> None:
    ways = {"samples": audio.listen, "log-mel": lambda part: mel.log_mel(block.samples for block in audio.listen(part))}
    for name, way in ways.items():
        _, seconds, used = timed(lambda way=way: way(segment))
        print(f"  {name:18} {segment.seconds:9,.1f} s of sound {segment.seconds / seconds:8.0f}x ({segment.seconds / used:.0f}x)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--box", type=int, default=256, help="pixels of the longer side (default: 256)")
    args = parser.parse_args()
    begin = time.perf_counter()
    reading, box = read(args.files, senses=Senses()), (args.box, args.box)
    print(f"{len(reading.documents)} file(s) described in {time.perf_counter() - begin:.2f} s")
    for problem in reading.problems:
        print(f"{problem.severity}: {problem.message}", file=sys.stderr)
    for document in reading.documents:
        pictures = [segment for segment in document.segments if isinstance(segment, Image)]
        for segment in document.segments:
            if isinstance(segment, Video):
                print(f"{document.path}: {segment.width} x {segment.height}, {segment.duration:.1f} s")
                film(segment, box)
            if isinstance(segment, Audio) or (isinstance(segment, Video) and segment.sound):
                print(f"{document.path}: sound")
                sound(segment)
        if pictures:
            _, seconds, _ = timed(lambda pictures=pictures: image.look(pictures, box))
            print(f"{document.path}: {len(pictures)} picture(s), {len(pictures) / seconds:.1f} a second")
    return int(bool(reading.problems))


if __name__ == "__main__":
    sys.exit(main())
