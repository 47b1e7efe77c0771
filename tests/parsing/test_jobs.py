import json
import os

import pytest

from seg_vton.errors import UserError
from seg_vton.parsing.jobs import PhotoResults, read_records

STAMP = {"checkpoint_sha256": "aa", "score_thr": 0.5}
KINDS = ("coco", "label-map")


def photo(path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def plan_jobs(inputs, out, kinds, stamp=STAMP, overwrite=False):
    return PhotoResults(out, stamp).plan(inputs, kinds, overwrite)


def work(out, job, stamp=STAMP):
    """Does a job as a run does: record, files, record."""
    results = PhotoResults(out, stamp)
    results.write_record(job, pending=True)
    for kind in job.kinds:
        photo(results.path(kind, job.name), str(stamp))
    results.write_record(job, pending=False)


def names(plan):
    return {str(job.items[0].photo): job.name for job in plan.jobs}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_photo_is_called_by_its_path_in_its_folder(folder):
    for name in ("in/a.jpg", "in/sub/a.jpg", "in/sub/b.c.png", "me.webp"):
        photo(folder / name)
    plan = plan_jobs(["in", "me.webp"], folder / "out", KINDS)
    assert names(plan) == {"in/a.jpg": "a", "in/sub/a.jpg": "sub/a", "in/sub/b.c.png": "sub/b.c", "me.webp": "me"}
    results = PhotoResults(folder / "out", STAMP)
    assert results.path("label-map", "sub/b.c") == folder / "out" / "label-map" / "sub" / "b.c.png"


def test_equal_stems_do_not_collide(folder):
    for name in ("x/a.jpg", "x/a.png", "x/A.JPEG", "y/a.jpg", "z/x/a.jpg", "z/y/x/a.jpg", "z/y/a.jpg"):
        photo(folder / name)
    inputs = ["x/a.jpg", "x/a.png", "x/A.JPEG", "y", "z/x/a.jpg", "z/y/x/a.jpg", "z/y/a.jpg"]
    found = names(plan_jobs(inputs, folder / "out", KINDS))
    assert found == {
        "x/a.jpg": "a",
        "x/a.png": "a_png",
        "x/A.JPEG": "A_jpeg",
        "y/a.jpg": "a_jpg",
        "z/x/a.jpg": "x/a",
        "z/y/x/a.jpg": "x/a_jpg",
        "z/y/a.jpg": "y/a",
    }
    twelve = [photo(folder / f"p{i}" / "q" / "a.jpg") for i in range(12)]
    found = names(plan_jobs(twelve, folder / "out", KINDS))
    assert len({name.casefold() for name in found.values()}) == 12


def test_a_photo_given_twice_comes_once(folder):
    photo(folder / "in" / "a.jpg")
    (folder / "link.jpg").symlink_to("in/a.jpg")
    plan = plan_jobs(["in", "in/a.jpg", "./in/../in/a.jpg", "link.jpg"], folder / "out", KINDS)
    assert names(plan) == {"in/a.jpg": "a"}


def test_missing_inputs_and_empty_folders_are_failures_and_the_rest_goes_on(folder):
    (folder / "empty").mkdir()
    photo(folder / "a.jpg")
    plan = plan_jobs(["none.jpg", "empty", "a.jpg"], folder / "out", KINDS)
    assert names(plan) == {"a.jpg": "a"}
    assert plan.failures == [
        "none.jpg does not exist",
        "empty has no photos: no file of an image type that Pillow reads here",
    ]


def test_results_inside_the_input_folder_are_no_photos(folder):
    photo(folder / "in" / "a.jpg")
    out = folder / "in" / "parsed"
    for job in plan_jobs(["in"], out, ("label-map",)).jobs:
        work(out, job)
    again = plan_jobs(["in"], out, ("label-map",))
    assert (again.jobs, again.complete) == ([], 1)


def test_results_beside_the_input_folder_do_not_hide_it_and_its_own_folder_is_refused(folder):
    photo(folder / "in" / "a.jpg")
    assert names(plan_jobs(["in"], folder, KINDS)) == {"in/a.jpg": "a"}
    plan = plan_jobs(["in"], folder / "in", KINDS)
    assert plan.failures == [
        "in is the folder of the results too, which would be taken for photos: choose another --out"
    ]


def test_long_names_are_cut_and_those_that_are_no_text_refused(folder):
    long = "\N{SNOWMAN}" * 79  # 237 bytes
    for name in (f"{long}.jpg", f"{long}x.jpg", os.fsdecode(b"caf\xe9.jpg")):
        photo(folder / "in" / name)
    plan = plan_jobs(["in"], folder / "out", KINDS)
    for job in plan.jobs:
        work(folder / "out", job)
    assert [job.name for job in plan.jobs] == [long[:66], f"in/{long[:66]}"]
    assert plan.failures[0].startswith("in/caf\udce9.jpg has a name that is not UTF-8")
    again = plan_jobs(["in"], folder / "out", KINDS)
    assert (again.jobs, again.complete) == ([], 2)


def test_complete_photos_are_skipped_and_names_stay_when_photos_join(folder):
    out = folder / "out"
    photo(folder / "in" / "b.jpg")
    for job in plan_jobs(["in"], out, KINDS).jobs:
        work(out, job)
    photo(folder / "in" / "B.png")  # comes first now, in the order of names
    plan = plan_jobs(["in"], out, KINDS)
    assert plan.complete == 1
    assert names(plan) == {"in/B.png": "B_png"}


def test_results_and_photos_may_move_together(folder):
    photo(folder / "one" / "in" / "a.jpg")
    for job in plan_jobs(["one/in"], folder / "one" / "out", KINDS).jobs:
        work(folder / "one" / "out", job)
    (folder / "one").rename(folder / "two")
    assert plan_jobs(["two/in"], folder / "two" / "out", KINDS).complete == 1


def test_only_missing_kinds_are_written(folder):
    out = folder / "out"
    photo(folder / "a.jpg")
    (job,) = plan_jobs(["a.jpg"], out, ("coco",)).jobs
    work(out, job)
    (job,) = plan_jobs(["a.jpg"], out, ("coco", "overlay")).jobs
    assert (job.kinds, job.done) == (("overlay",), ("coco",))
    work(out, job)
    assert set(read_records(out)["a"]["files"]) == {"coco", "overlay"}
    (out / "coco" / "a.json").unlink()
    (job,) = plan_jobs(["a.jpg"], out, ("coco", "overlay")).jobs
    assert (job.kinds, job.done) == (("coco",), ("overlay",))


def test_a_killed_run_goes_on(folder):
    """Files of a photo are there, and its record still says pending; another record was being written."""
    out = folder / "out"
    photo(folder / "a.jpg")
    (job,) = plan_jobs(["a.jpg"], out, KINDS).jobs
    PhotoResults(out, STAMP).write_record(job, pending=True)
    photo(out / "coco" / "a.json", "half")
    photo(out / "records" / ".b.123.tmp.json", "{")
    plan = plan_jobs(["a.jpg"], out, KINDS)
    assert [job.kinds for job in plan.jobs] == [KINDS]
    work(out, plan.jobs[0])
    assert plan_jobs(["a.jpg"], out, KINDS).complete == 1


def test_a_users_own_files_are_not_overwritten(folder):
    out = folder / "out"
    photo(folder / "a.jpg")
    photo(out / "coco" / "a.json", "mine")
    plan = plan_jobs(["a.jpg"], out, KINDS)
    assert plan.jobs == []
    assert "coco/a.json exists already: pass --overwrite" in plan.failures[0]
    assert [job.kinds for job in plan_jobs(["a.jpg"], out, KINDS, overwrite=True).jobs] == [KINDS]


@pytest.mark.parametrize("change", [{"checkpoint_sha256": "bb"}, {"score_thr": 0.4}])
def test_results_of_another_checkpoint_or_setting_are_not_taken_for_these(folder, change):
    out = folder / "out"
    photo(folder / "a.jpg")
    photo(folder / "b.jpg")
    for job in plan_jobs(["a.jpg", "b.jpg"], out, KINDS).jobs:
        work(out, job)
    other = STAMP | change
    (key,) = change
    with pytest.raises(UserError, match=rf"2 photos under other settings, a for one \({key} was .* and is"):
        plan_jobs(["a.jpg", "b.jpg"], out, KINDS, other)
    with pytest.raises(UserError, match="1 photos under other settings, b for one"):
        plan_jobs(["a.jpg"], out, KINDS, other, overwrite=True)  # b's results would stay
    plan = plan_jobs(["a.jpg", "b.jpg"], out, ("coco",), other, overwrite=True)
    assert [(job.kinds, job.done) for job in plan.jobs] == [(KINDS, ())] * 2  # no old label map beside new masks
    work(out, plan.jobs[0], other)
    with pytest.raises(UserError, match="1 photos under other settings, b for one"):
        plan_jobs(["a.jpg", "b.jpg"], out, KINDS, other)  # interrupted here: b is still the old one


def test_overwriting_under_the_same_stamp_keeps_the_other_kinds(folder):
    out = folder / "out"
    photo(folder / "a.jpg")
    for job in plan_jobs(["a.jpg"], out, KINDS).jobs:
        work(out, job)
    (job,) = plan_jobs(["a.jpg"], out, ("coco",), overwrite=True).jobs
    assert (job.kinds, job.done) == (("coco",), ("label-map",))


def test_a_photo_that_has_changed_is_said(folder):
    out = folder / "out"
    photo(folder / "a.jpg")
    for job in plan_jobs(["a.jpg"], out, KINDS).jobs:
        work(out, job)
    photo(folder / "a.jpg", "another photo")
    plan = plan_jobs(["a.jpg"], out, KINDS)
    assert plan.jobs == []
    assert "a.json is of another photo: pass --overwrite" in plan.failures[0]
    (job,) = plan_jobs(["a.jpg"], out, ("coco",), overwrite=True).jobs
    assert job.kinds == KINDS  # the label map of the old photo goes too


@pytest.mark.parametrize("record", [{"schema": 99, "photo": "a.jpg"}, {"schema": 1, "person": {}, "garment": {}}, [1]])
def test_a_strange_record_is_refused(folder, record):
    """The second is a try-on's."""
    photo(folder / "out" / "records" / "a.json", json.dumps(record))
    with pytest.raises(UserError, match=r"records/a\.json is no record"):
        read_records(folder / "out")
