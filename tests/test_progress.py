import cv2
import pytest
from rich.progress import Progress

from seg_vton.progress import RateColumn, ahead, track, track_map


@pytest.mark.parametrize(("seconds", "shown"), [(1, "2.0/s"), (4, "2.0 s each"), (0.01, "200.0/s")])
def test_the_rate_is_written_by_item_or_by_second(seconds, shown):
    now = 0.0
    progress = Progress(get_time=lambda: now)
    task = progress.add_task("drawing", total=3)
    assert RateColumn().render(progress.tasks[0]).plain == "-"
    progress.update(task, advance=1)  # rich measures from the first step on
    now = float(seconds)
    progress.update(task, advance=2)
    assert RateColumn().render(progress.tasks[0]).plain == shown


def test_items_come_through_in_order_and_the_bar_goes_to_stderr(capsys):
    assert list(track(range(5), "drawing dolls")) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "drawing dolls" in shown.err
    assert "5/5" in shown.err


def test_an_iterator_without_length_needs_a_total(capsys):
    assert list(track((i * i for i in range(3)), "squares", total=3)) == [0, 1, 4]
    assert "3/3" in capsys.readouterr().err


def test_items_are_made_one_by_one(capsys):
    made = []
    for item in track((made.append(i) or i for i in range(10)), "lazy", total=10):
        if item == 2:
            break
    assert made == [0, 1, 2]


def test_errors_of_the_source_come_through(capsys):
    def broken():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(track(broken(), "reading", total=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_map_keeps_the_order_and_opencvs_threads(workers):
    threads = cv2.getNumThreads()
    assert list(track_map(abs, range(-9, 0), "items", workers)) == list(range(9, 0, -1))
    assert cv2.getNumThreads() == threads


def test_threads_compute_a_few_items_ahead_in_order():
    started = []
    found = ahead(lambda number: started.append(number) or number**2, iter(range(10)), 2)
    assert next(found) == 0
    assert len(started) <= 3
    assert list(found) == [number**2 for number in range(1, 10)]
