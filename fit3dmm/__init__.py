"""fit3dmm: fit a 3D morphable face model to photos.

    import fit3dmm

    result = fit3dmm.fit("portrait.jpg")
    print(result.quality.verdict, result.distance_mm)
    result.with_expression(jawOpen=0.4).render(yaw_deg=30).save("turned.png")
    result.export("out/portrait")

Importing this is quick and does nothing: a name's module is loaded when the name is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fit3dmm._version import __version__ as __version__

if TYPE_CHECKING:
    from fit3dmm._errors import InputError as InputError
    from fit3dmm.export.folder import export_face as export_face
    from fit3dmm.export.record import load_result as load_result
    from fit3dmm.export.record import save_result as save_result
    from fit3dmm.export.track_file import load_track as load_track
    from fit3dmm.face.face import Face as Face
    from fit3dmm.face.fit import fit as fit
    from fit3dmm.face.fit import fit_faces as fit_faces
    from fit3dmm.face.fit import load_face as load_face
    from fit3dmm.face.person import Person as Person
    from fit3dmm.face.person import fit_photos as fit_photos
    from fit3dmm.face.refine import refine as refine
    from fit3dmm.face.track import track as track
    from fit3dmm.fitting.config import FitConfig as FitConfig
    from fit3dmm.fitting.prepared import prepare as prepare
    from fit3dmm.fitting.result import FitResult as FitResult
    from fit3dmm.fitting.tracking.config import TrackConfig as TrackConfig
    from fit3dmm.fitting.tracking.track import Track as Track
    from fit3dmm.model.files import load_model as load_model
    from fit3dmm.observe.photo import read_photo as read_photo
    from fit3dmm.render.synthesise import synthesise as synthesise
    from fit3dmm.scene import Scene as Scene

_HOMES = {
    "Face": "fit3dmm.face.face",
    "FitConfig": "fit3dmm.fitting.config",
    "FitResult": "fit3dmm.fitting.result",
    "InputError": "fit3dmm._errors",
    "Person": "fit3dmm.face.person",
    "Scene": "fit3dmm.scene",
    "Track": "fit3dmm.fitting.tracking.track",
    "TrackConfig": "fit3dmm.fitting.tracking.config",
    "export_face": "fit3dmm.export.folder",
    "fit": "fit3dmm.face.fit",
    "fit_faces": "fit3dmm.face.fit",
    "fit_photos": "fit3dmm.face.person",
    "load_face": "fit3dmm.face.fit",
    "load_model": "fit3dmm.model.files",
    "load_result": "fit3dmm.export.record",
    "load_track": "fit3dmm.export.track_file",
    "prepare": "fit3dmm.fitting.prepared",
    "read_photo": "fit3dmm.observe.photo",
    "refine": "fit3dmm.face.refine",
    "save_result": "fit3dmm.export.record",
    "synthesise": "fit3dmm.render.synthesise",
    "track": "fit3dmm.face.track",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fit3dmm' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
