"""The page in a browser that nobody sees: what is uploaded, shown and said, and for whom."""

import io
import re
import shutil
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15
from seg_vton.pictures.photos import read_photo
from seg_vton.pose import Poses
from seg_vton.pose.keypoints import read_people

pytest.importorskip("gradio", reason="the page's packages are not installed: make web-setup")
sync_api = pytest.importorskip("playwright.sync_api", reason="the page's packages are not installed: make web-setup")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no browser for the page: apt-get install chromium", allow_module_level=True)

from seg_vton import web  # noqa: E402  after what it needs

NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def studio(oracle, predictor, tmp_path_factory):
    return web.Studio(oracle, predictor, Poses("none"), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def url(studio):
    """The page, which takes files of up to half a megabyte here."""
    page = web.build_page(studio, note="**Nothing estimates joints.**")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "UPLOAD", "500kb")
        yield web.launch(page, "127.0.0.1")
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, url):
    """A function that opens the page for another visitor; no browser may ask another computer for anything."""
    contexts, asked = [], []

    def open_page(**viewport):
        contexts.append(browser.new_context(**viewport))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        page.get_by_role("button", name="Parse").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked and all(address.startswith((url, "data:", "blob:")) for address in asked)


def give(page, name, file):
    page.locator(f"#{name} input[type=file]").set_input_files(file)
    shown = page.locator(f"#{name} img") if name != "keypoints" else page.get_by_text(file.name)
    shown.first.wait_for(state="attached")


def legend(page):
    page.locator(".legend li").first.wait_for()
    return dict(line.strip().rsplit(" ", 1) for line in page.locator(".legend li").all_inner_texts())


def shares(oracle, photo):
    label_map = oracle(read_photo(photo)).label_map()
    counts = np.bincount(label_map.ravel())
    return {DEEPFASHION15.classes[i]: f"{counts[i] / label_map.size:.1%}" for i in np.flatnonzero(counts) if i}


def test_without_an_estimator_joints_are_left_out_and_both_console_and_page_say_so(monkeypatch, capsys, tmp_path):
    def refuse(*arguments):
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path))
    named = {"auto": "torchvision"}  # whatever is installed
    monkeypatch.setattr("seg_vton.pose.files.resolve_backend", lambda name, _: named.get(name, name))
    poses, note = web.find_poses("auto", None, None)
    assert poses.people(None, np.zeros((50, 40, 3), np.uint8)) == []
    said = capsys.readouterr().out
    assert said.startswith(f"note: {note} The reason: ") and "no route to host" in said
    assert "without joints" in note and "--pose-models keypointrcnn_resnet50_fpn_coco-fc266e95.pth" in note
    with pytest.raises(UserError, match=r"no route to host.*--pose-models FILE"):
        web.find_poses("torchvision", None, None)


def test_a_person_is_dressed_and_all_of_it_can_be_taken_home(visit, doll_photos, predictor, oracle):
    page = visit(viewport=NARROW)
    photo, garment = doll_photos / "persons" / "1.png", doll_photos / "garments" / "2.png"
    keypoints = doll_photos / "pose" / "1_keypoints.json"
    assert page.get_by_text("Nothing estimates joints.").is_visible()
    give(page, "photo", photo)
    page.get_by_role("button", name="pose").click()
    give(page, "keypoints", keypoints)
    give(page, "garment", garment)
    page.get_by_role("button", name="Try on").click()
    assert set(legend(page)) >= set(shares(oracle, photo))
    page.locator("#try-on img").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    with page.expect_download() as download:
        page.get_by_text("Download everything").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        found = np.array(Image.open(io.BytesIO(archive.read("try-on.png"))))
        assert {"parsing.png", "record.json", "warped-garment.png", "joints-used.png"} <= set(archive.namelist())
    pixels = read_photo(photo)
    person = predictor.person(pixels, read_people(keypoints, pixels.shape[1::-1]))
    np.testing.assert_array_equal(found, predictor(person, predictor.garment(read_photo(garment))).image)


def test_what_is_wrong_is_said_as_on_the_command_line(visit, tmp_path):
    page = visit()
    page.get_by_role("button", name="Parse").click()
    page.get_by_text("there is no photo").wait_for()
    broken = tmp_path / "me.jpg"
    broken.write_bytes(b"no picture")
    page.locator("#photo input[type=file]").set_input_files(broken)
    page.locator("#photo img").wait_for(state="attached")
    page.get_by_role("button", name="Parse").click()
    message = page.get_by_text("is not an image that Pillow reads here")
    message.wait_for()
    assert message.inner_text().startswith("me.jpg is")
    large = tmp_path / "large.png"
    large.write_bytes(bytes(600_000))
    page.locator("#garment input[type=file]").set_input_files(large)
    page.get_by_text(re.compile("maximum|exceeds|too large")).first.wait_for()


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", None), ("127.0.0.1", 65536)])
def test_an_address_of_another_machine_is_refused_at_once(host, port):
    with pytest.raises(UserError, match=rf"cannot be shown at --host {host} --port {port or '7860 and on'}: "):
        web.launch(None, host, port)


def test_two_visitors_see_their_own_and_leave_nothing(visit, doll_photos, oracle, studio):
    first, second = visit(), visit()
    photos = [doll_photos / "persons" / f"{number}.png" for number in (1, 2)]
    for page, photo in zip((first, second), photos, strict=True):
        give(page, "photo", photo)
    for page in (first, second):  # the second while the first may be at work
        page.get_by_role("button", name="Parse").click()
    assert [legend(page) for page in (first, second)] == [shares(oracle, photo) for photo in photos]
    assert len(list(studio.folder.rglob("parsing.png"))) == 2
    for page in (first, second):
        page.close()
    for _ in range(600):
        left = [path for path in studio.folder.rglob("*.*") if "examples" not in path.parts and path.is_file()]
        if not left:
            break
        time.sleep(0.1)
    assert not left
