"""Terms by words, what is said of settings, and what unknown names are answered."""

from dataclasses import fields, replace

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.fitting import FitConfig, preset
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.explain import explain, unit_of
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.presets import PRESETS
from fit3dmm.fitting.run import stage_problem
from fit3dmm.fitting.switches import changed, counting, having, without
from fit3dmm.geometry.camera import Camera
from fit3dmm.scene import Lighting, Pose, Scene
from tests.fitting.synthetic import observe_scene
from tests.toy import toy_model

COLOUR_STAGES = ["light", "coarse", "fine", "skin", "judgement"]


def stages_with(config: FitConfig, term: str) -> list[str]:
    return [stage.name for stage in config.stages if term in stage.terms]


def test_terms_are_switched_on_where_they_belong_and_off_everywhere():
    config = FitConfig()
    assert stages_with(having(config, "flattening"), "flattening") == COLOUR_STAGES
    assert stages_with(having(config, "perceptual"), "perceptual") == ["fine"]
    assert stages_with(having(config, "tint"), "tint") == COLOUR_STAGES
    # Where the default has them, and once.
    assert having(without(config, "contour", "iris"), "contour", "contour") == replace(
        config,
        stages=tuple(
            replace(
                stage,
                terms=(*(t for t in stage.terms if t not in ("contour", "iris")),)
                + (("contour",) if stage.name in ("fine", "judgement") else ()),
            )
            for stage in config.stages
        ),
    )
    assert stages_with(without(config, "landmarks"), "landmarks") == []
    assert stages_with(having(preset("deng2019-code"), "iris"), "iris") == ["all"]


def test_settings_are_changed_by_words():
    config = changed(
        FitConfig(),
        {
            "landmarks.noise-floor-mm": "2",
            "photometric.sigma_range": "(0.05, 0.2)",
            "size_px": "300",
            "expression.correlated": "False",
            "init": "landmarks",
            "focal_px": "900.5",
        },
    )
    assert config.landmarks.noise_floor_mm == 2.0
    assert isinstance(config.landmarks.noise_floor_mm, float)
    assert config.photometric.sigma_range == (0.05, 0.2)
    assert (config.size_px, config.init, config.focal_px) == (300, "landmarks", 900.5)
    assert config.expression.correlated is False


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: having(c, "percptual"), "did you mean 'perceptual'"),
        (lambda c: without(c, "irris"), "did you mean 'iris'"),
        (lambda c: without(c, "perceptual"), "can't be switched off"),
        (lambda c: without(c, *c.stages[2].terms), "nothing counts in the stage light"),
        (lambda c: counting(c, {"contours": 2.0}), "did you mean 'contour'"),
        (lambda c: counting(c, {"contour": 0.0}), "above 0"),
        (lambda c: changed(c, {"landmark.noise_floor_mm": "2"}), "did you mean 'landmarks'"),
        (lambda c: changed(c, {"landmarks.noise_flor_mm": "2"}), "did you mean 'noise_floor_mm'"),
        (lambda c: changed(c, {"landmarks": "2"}), "landmarks.modes_scale"),
        (lambda c: changed(c, {"size_px.more": "2"}), "none of its own"),
        (lambda c: changed(c, {"iris.noise_mm": "wide"}), "nothing of the kind"),
        (lambda c: changed(c, {"iris.noise_mm": "-1"}), "noise_mm must be"),
        (lambda c: preset("acurate"), "did you mean 'accurate'"),
    ],
)
def test_what_is_not_there_is_told_with_what_may_be_meant(change, sentence):
    with pytest.raises(InputError, match=sentence):
        change(FitConfig())


def test_a_term_counts_as_often_as_it_is_told():
    model = toy_model(level=0)
    scene = Scene(
        model.zeros(), Pose.facing(900.0), Camera.centred(900.0, 200, 200), Lighting.ambient_white()
    )
    from fit3dmm.fitting import prepare

    config = counting(preset("landmarks"), {"distance": 3.0})
    prepared = prepare(model, 50)
    with torch.no_grad():
        seen = observe_scene(model, scene, size_px=64)
        context = context_at(prepared, seen, config.stages[0], values_at(scene, prepared))
        once, thrice = (
            stage_problem(context, one).evaluate(stage_problem(context, one).flat_start())
            for one in (preset("landmarks"), config)
        )
    assert thrice.energies()["distance"] == pytest.approx(3 * once.energies()["distance"])
    assert thrice.energies()["landmarks"] == pytest.approx(once.energies()["landmarks"])


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_every_preset_is_explained_with_a_unit(name):
    config = preset(name)
    assert config.preset == name
    explanation = explain(config, toy_model(level=0))
    used = {term for stage in config.stages for term in stage.terms}
    assert {term.name for term in explanation.terms} == used
    for term in explanation.terms:
        assert term.what
        assert term.stages == tuple(stages_with(config, term.name))
        for one in term.settings:
            assert one.unit, (term.name, one.name)
    assert [stage.name for stage in explanation.stages] == [stage.name for stage in config.stages]


def test_every_setting_of_all_evidence_has_a_unit():
    for name, evidence in FitConfig().evidence().items():
        for one in fields(evidence):
            value = getattr(evidence, one.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert unit_of(evidence, one.name), f"{name}.{one.name}"
