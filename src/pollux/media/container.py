"""Sound and film files taken apart by FFmpeg (PyAV): opened as what they were found to be, decoded under a clock.

FFmpeg also opens playlists, network addresses and files that a file names. None of that can happen here: it is handed bytes
instead of a name, and the one format that those bytes were found to have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from time import thread_time
from typing import TYPE_CHECKING

from pollux.base.errors import MediaError
from pollux.media.segment import Problem
from pollux.media.source import Source, library, size

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet, VideoFrame, VideoStream
    from av.container import InputContainer

    Stream = VideoStream | AudioStream

Tell = Callable[[Problem], object]  # what is lost on the way is told to it as a warning

# Forms without an index, or whose index is a guess: what they say of their length is one too, and they are not sought in.
UNMEASURED = ("mp3", "aac")
# Forms whose times begin anywhere: a recorded broadcast goes on with the sender's clock. All others begin at 0.
_BEGUN = ("mpegts", "mpeg", "ogg", *UNMEASURED)
_FAULTS = 200  # damaged packets in a row after which the rest is given up


def silent(_: Problem) -> None:
    """Nobody to tell."""


@contextmanager
def opened(source: Source, path: str) -> Iterator[InputContainer]:
    """The file, opened; its streams are known, and none of it is decoded.

    Raises:
        MediaError: It is damaged or too large, or PyAV is not installed.
    """
    av, most = library("av", path), source.bounds.film_bytes
    with source.open(path) as file:
        if (length := file.seek(0, 2)) > most:
            message = f"{path} is {size(length)}, and sound or film may be {size(most)} at most"
            raise MediaError(message, "split it, or raise Bounds.film_bytes.", path=path)
        file.seek(0)
        limits = {"max_pixels": str(source.bounds.film_pixels), "max_streams": "64"}
        try:
            container = av.open(file, format=source.form, options=limits, metadata_errors="replace")
        except (av.FFmpegError, ValueError, LookupError, MemoryError, OverflowError) as error:
            raise damaged(path, source, error) from error
        with container:
            yield container


def damaged(path: str, source: Source, why: Exception | str) -> MediaError:
    """The error for a file of which nothing can be decoded."""
    why = getattr(why, "strerror", None) or why
    message = f"{path} cannot be read as {source.form.upper()}: {why}"[:300]
    return MediaError(message, "it is damaged or cut short; save or download it again.", path=path)


def film(container: InputContainer) -> VideoStream | None:
    """The stream of moving pictures, if there is one; the cover of a record is none."""
    from av.stream import Disposition

    pictures = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    return next((each for each in pictures if each.codec_context is not None), None)


def sound(container: InputContainer) -> AudioStream | None:
    """The first stream of sound that can be decoded, if there is one."""
    return next((each for each in container.streams.audio if each.codec_context is not None), None)


def origin(container: InputContainer, source: Source) -> Fraction:
    """What the file's own times call the beginning, in seconds: pictures and sound are counted from there, as players do."""
    if source.form not in _BEGUN:
        return Fraction(0)
    streams = [each for each in (film(container), sound(container)) if each is not None and each.start_time is not None]
    return max(min((each.start_time * each.time_base for each in streams), default=Fraction(0)), Fraction(0))


def length(container: InputContainer, source: Source, path: str) -> float:
    """Seconds of the whole file: as it says, or measured where it says nothing to be relied on; then ``container`` is at its end.

    Raises:
        MediaError: It is longer than ``source.bounds`` allow.
    """
    told = Fraction(container.duration or 0, 1_000_000)
    if told <= 0 or source.form in UNMEASURED:
        told = _measured(container, source)
    return checked(float(told), source, path)


def checked(seconds: float, source: Source, path: str) -> float:
    """A length that is allowed. Raises MediaError for any other."""
    if seconds > source.bounds.seconds:
        message = f"{path} is {seconds / 3600:,.1f} hours long, and {source.bounds.seconds / 3600:g} are the most"
        raise MediaError(message, "split it, or raise Bounds.seconds.", path=path)
    if seconds <= 0:
        raise damaged(path, source, "it has no length")
    return seconds


def only(container: InputContainer, wanted: Stream) -> None:
    """Leave all other streams out, which saves reading them."""
    from av.stream import Discard

    for stream in container.streams:
        if stream.index != wanted.index:
            stream.discard = Discard.all


def go_to(container: InputContainer, stream: Stream, time: Fraction) -> None:
    """Go on from the last point at or before ``time``, by the file's own clock, from which ``stream`` can be decoded.

    Where there is none, reading begins where it would: at the beginning.
    """
    import av

    try:
        container.seek(int(time / stream.time_base), stream=stream, backward=True)
    except (av.FFmpegError, OverflowError):
        return


def decoded(
    container: InputContainer, stream: Stream, source: Source, path: str, tell: Tell, since: Fraction | None = None
) -> Iterator[VideoFrame | AudioFrame]:
    """Frames of one stream from where the container stands, in the order in which they are shown or heard.

    What is damaged is left out and told at the end. A decoder that gives nothing for a while is not waited for.

    Args:
        since: Packets that begin before this time, by the file's own clock, are passed over without being decoded.
    """
    import av

    faults, row, asked = 0, 0, thread_time()  # of this thread's own work: a process may be stopped for hours
    for packet in _packets(container, stream):
        if since is not None and packet is not None and packet.pts is not None and packet.pts * packet.time_base < since:
            asked = thread_time()
            continue
        try:
            frames = stream.decode(packet)
        except (av.FFmpegError, ValueError):
            faults, row, frames = faults + 1, row + 1, []
        for frame in frames:
            row = 0
            yield frame
            asked = thread_time()
        if row >= _FAULTS or thread_time() - asked > source.bounds.patience:
            tell(lost(path, f"nothing more of its {stream.type} can be decoded; the rest was not read"))
            return
    if faults:
        tell(lost(path, f"{faults} damaged part(s) of its {stream.type} were left out"))


def _packets(container: InputContainer, stream: Stream) -> Iterator[Packet | None]:
    """Packets as they lie in the file; the last one, empty or None, empties the decoder."""
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:  # the file breaks off
        yield None


def tell_cut(path: str, what: str, reached: float, wanted: float, tell: Tell) -> None:
    """Tell where a part that was to go on until ``wanted`` seconds broke off, unless it is within half a second."""
    if reached < wanted - 0.5:
        tell(lost(path, f"its {what} ends after {reached:.1f} s of {wanted:.1f} s; it is damaged or cut short"))


def lost(path: str, message: str) -> Problem:
    """The warning for a file of which a part could not be decoded."""
    return Problem(path, f"{path}: {message}", "play it to its end, and save or download it again if that fails.", "warning")


def _measured(container: InputContainer, source: Source) -> Fraction:
    """The end of the last packet, from the beginning: going through a file is a hundred times faster than decoding it."""
    import av

    begin, end = origin(container, source), Fraction(0)
    streams = [each for each in (film(container), sound(container)) if each is not None]
    with suppress(av.FFmpegError):  # up to the damage
        for packet in container.demux(streams) if streams else ():
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base - begin)
    return end
