"""What MLflow remembers for us: runs, registered models and which of them is in use.

The only package that imports mlflow, which takes two seconds: whoever needs it imports it where it is needed.
"""

# First of all: it sets what MLflow reads while it is imported. (In the order of the alphabet it comes first.)
from habitue.tracking.environment import quiet
from habitue.tracking.loading import LoadedModel, download, load
from habitue.tracking.model_cache import load_reference
from habitue.tracking.registry import ModelVersion, champion, resolve, set_champion
from habitue.tracking.runs import LoggedModel, log_training
from habitue.tracking.served_model import Answers, ServedModel
from habitue.tracking.store import Store, open_store
from habitue.tracking.tables import logged_tables
from habitue.tracking.texts import logged_text

__all__ = [
    "Answers",
    "LoadedModel",
    "LoggedModel",
    "ModelVersion",
    "ServedModel",
    "Store",
    "champion",
    "download",
    "load",
    "load_reference",
    "log_training",
    "logged_tables",
    "logged_text",
    "open_store",
    "quiet",
    "resolve",
    "set_champion",
]
