"""Readers of the model files that users already have, one module a family."""

from fit3dmm.model.formats.recognise import read_source as read_source
from fit3dmm.model.formats.source import SourceModel as SourceModel
