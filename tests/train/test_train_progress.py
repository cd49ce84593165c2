import io
import logging

import pytest
from rich.console import Console

from distildoc.train.progress import Bar, Lines, Pace, training_progress


def _train(progress):
    progress.start(steps=10, done=4, epochs=2)
    for step in range(5, 9):
        progress.step(step=step, epoch=step / 5, pages=30, seconds=0.5)
    progress.loss(0.1234)
    progress.epoch(epoch=2, score=0.75)
    progress.close()


def test_the_bar_shows_epoch_share_pace_time_left_loss_and_score():
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    _train(Bar(console))
    shown = console.file.getvalue()
    for word in ("epoch 2/2", "80%", "60 pages/s", "left", "loss 0.1234", "score 0.7500"):
        assert word in shown


def test_without_a_terminal_there_is_one_log_line_an_epoch_and_nothing_on_the_streams(caplog, capsys):
    progress = training_progress()
    assert isinstance(progress, Lines)
    with caplog.at_level(logging.INFO, logger="distildoc.train.progress"):
        _train(progress)
    (record,) = caplog.records
    assert record.getMessage().startswith("epoch 2/2: loss 0.1234, score 0.7500, 60 pages/s, about ")
    assert capsys.readouterr() == ("", "")


def test_the_pace_forgets_old_steps():
    pace = Pace()
    assert pace.pages_per_s == 0.0
    pace.add(1, 100.0)
    for _ in range(50):
        pace.add(10, 0.1)
    assert pace.pages_per_s == pytest.approx(100.0)
