"""Two thousand photos in one run of each tool: memory and rate by every 200."""

import os
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from PIL import Image

from seg_vton.apis import TryOn
from seg_vton.errors import UserError
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import find_photos, read_photo

PHOTOS, STRETCH, SIDE = 2000, 200, 256
GROWTH_MIB = 50
STEADY = 0.6


@pytest.fixture(scope="module")
def models(dressed):
    """Config and checkpoint by name of a model."""
    return dict(zip(dressed[1:10:3], zip(dressed[2:10:3], dressed[3:10:3], strict=True), strict=True))


@pytest.fixture(scope="module")
def sources(dressed, tmp_path_factory):
    """Up to 100 photos of `FAULTS_PHOTOS` (Clothing Co-Parsing, say), made small; without it those of the suite."""
    folder, small = Path(os.environ.get("FAULTS_PHOTOS", dressed[-1])), tmp_path_factory.mktemp("small")
    for number, path in enumerate(list(find_photos(folder, small))[:100]):
        photo = Image.open(path).convert("RGB")
        photo.thumbnail((SIDE, SIDE))
        photo.save(small / f"{number:03}.jpg", quality=95)
    return sorted(small.iterdir())


def copies(sources, folder):
    """As many photos as are wanted, repeated."""
    folder.mkdir()
    for number in range(PHOTOS):
        (folder / f"{number:04}.jpg").write_bytes(sources[number % len(sources)].read_bytes())
    return folder


def watched(running, records, capsys):
    """Photos done, memory in MiB and seconds of the processor so far, after the first photo and every 200."""
    process, rows = psutil.Process(running.process.pid), []
    while running.process.exitcode is None:
        count = len(list(records.glob("[!.]*.json"))) if records.is_dir() else 0
        if count >= (STRETCH * len(rows) or 1):
            with suppress(psutil.NoSuchProcess):
                row = count, process.memory_info().rss / 2**20, sum(process.cpu_times()[:2])
                if not row[1]:
                    break  # it has ended since
                rows.append(row)
                with capsys.disabled():
                    print("{} photos: {:.0f} MiB, {:.1f} s".format(*row))
        time.sleep(0.1)
    return rows


def check(name, rows, running, record, how):
    """By the processor's seconds, which whatever else runs on it changes little."""
    code = running.wait()
    rates = [(more - done) / (later - before) for (done, _, before), (more, _, later) in pairwise(rows)]
    memory = [round(mib) for _, mib, _ in rows]
    grown = memory[-1] - memory[2]
    lost = [] if code == 0 and grown <= GROWTH_MIB and min(rates) >= STEADY * max(rates) else [(code, rows)]
    if code:
        lost.append(running.text()[-2000:])
    record(
        "Long",
        name,
        f"Over {PHOTOS:,} photos memory stays flat (within {GROWTH_MIB} MiB from photo 400 on) and the rate steady "
        f"(the slowest 200 photos at {STEADY:.0%} of the fastest 200 or more, in CPU seconds).",
        how,
        PHOTOS,
        lost,
        grown_mib=grown,
        memory_mib=memory,
        photos_per_second_of_the_processor=[round(rate, 1) for rate in rates],
    )


SETTINGS = ("--device", "cpu", "--score-thr", "0.01")
SMALL = f"photos of {SIDE} pixels and models with a few channels"


@pytest.fixture
def long(full):
    if not full:
        pytest.skip("takes minutes: FAULTS=full runs it")


@pytest.mark.slow
def test_parsing_2000_photos(long, models, sources, start, record, capsys, tmp_path):
    photos, out = copies(sources, tmp_path / "photos"), tmp_path / "out"
    running = start("parse.py", *models["--segmenter"], photos, "--out", out, *SETTINGS)
    rows = watched(running, out / "records", capsys)
    check("long-parse", rows, running, record, f"tools/parse.py over {len(sources)} photos repeated; {SMALL}")


@pytest.mark.slow
def test_2000_try_ons(long, models, sources, dressed, start, record, capsys, tmp_path):
    """Every person in one of ten garments, all of such photos as untrained weights find an upper body in."""
    segmenter = ClothingParser(*models["--segmenter"], "cpu", score_thr=0.01)
    predictor, usable = TryOn(segmenter, models["--gmm"], models["--tom"]), []
    for path in (*sources, *sorted(dressed[-1].iterdir())):
        try:
            predictor.person(read_photo(path)), predictor.garment(read_photo(path))
        except UserError:
            continue
        usable.append(path)
    persons, garments = copies(usable, tmp_path / "persons"), usable[:10]
    pairs = "".join(f"{n:04}.jpg {garments[n % len(garments)].name}\n" for n in range(PHOTOS))
    (tmp_path / "pairs.txt").write_text(pairs)
    inputs = ("--person", persons, "--garment", *garments, "--pairs", tmp_path / "pairs.txt", "--pose", "none")
    given = [part for name, pair in models.items() for part in (name, *pair)]
    running = start("try_on.py", *given, *inputs, "--out", tmp_path / "out", *SETTINGS)
    rows = watched(running, tmp_path / "out" / "records", capsys)
    how = f"tools/try_on.py, {len(usable)} persons repeated in {len(garments)} garments; {SMALL}"
    check("long-try-on", rows, running, record, how)
