"""What a daemon and its clients say to each other: wire models, values as JSON, errors as problems."""

from .errors import ConfigurationError, DaemonError, DaemonFaultError, DaemonUnavailableError, RequestRefusedError
from .kinds import KINDS, Kind, kind_of, refused
from .problems import MEDIA_TYPE, error_of, problem_of
from .values import payload_to_json, value_from_json, value_to_json

API = "/api/v1"
"""Where the routes of this version begin."""

__all__ = [
    "API",
    "KINDS",
    "MEDIA_TYPE",
    "ConfigurationError",
    "DaemonError",
    "DaemonFaultError",
    "DaemonUnavailableError",
    "Kind",
    "RequestRefusedError",
    "error_of",
    "kind_of",
    "payload_to_json",
    "problem_of",
    "refused",
    "value_from_json",
    "value_to_json",
]
