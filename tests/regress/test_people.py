from fit3dmm.model.files import load_model
from fit3dmm.regress.people import point_sets_of


def test_a_network_of_the_shipped_model_sees_the_detectors_points_and_the_spread_ones():
    model = load_model(level=0)
    assert point_sets_of(model) == ("mediapipe478", "spread200")
    assert sum(len(model.landmarks[name]) for name in point_sets_of(model)) == 678


def test_a_model_without_spread_points_is_seen_by_those_that_it_has():
    model = load_model(level=0)
    few = {name: points for name, points in model.landmarks.items() if name != "spread200"}
    assert point_sets_of(model.replace(landmarks=few)) == ("mediapipe478",)
