import importlib.util

import pytest

from fit3dmm._errors import InputError
from fit3dmm.regress.log import TrainingLog
from fit3dmm.regress.looks import Look

LOOK = Look(5, 0.5, 1.25, {"points": 1.0}, 40, 3, 60.0, {"photometric": 0.5}, 0.01, "tone", True)


def test_without_tensorboard_the_log_is_refused(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else find(name)
    )
    with pytest.raises(InputError, match=r"pip install 'fit3dmm\[log\]'"):
        TrainingLog(tmp_path)
    assert not list(tmp_path.iterdir())


def test_curves_are_written_and_read(tmp_path):
    pytest.importorskip("tensorboard")
    with TrainingLog(tmp_path) as log:
        log.add(LOOK)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path))
    found.Reload()
    (point,) = found.Scalars("photos/photometric")
    assert (point.step, point.value) == (5, 0.5)
    assert "pace/hours" in found.Tags()["scalars"]
