"""A fitted model as a folder of plain text: what it learned as JSON, boosters in LightGBM's own format.

What it is for: storing a model so that anyone may read the files, compare them, and load them without
running a byte that came with them. ``model.json`` holds the class name, the constructor's parameters and
the fitted attributes (those that end in ``_``); each LightGBM booster lies beside it as
``booster-<n>.txt``.

What it deliberately is not: pickle. Only classes on an allow-list come back. Each model puts itself there
with `persistent`, and a name in a file is looked up in that list and nowhere else: nothing is imported by
name or evaluated. What can't be written plainly is refused when saving, with its place in the model.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from habitue.errors import DataError
from habitue.models.lightgbm_library import load_lightgbm
from habitue.models.plain_values import Decoder, Encoder

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["FORMAT", "MODELS", "load_model", "persistent", "save_model"]

FORMAT = 1
"""The version of the folder's layout; a folder of another version is refused."""

MODELS: dict[str, type] = {}
"""The allow-list: classes that may be stored and loaded, by name. `persistent` fills it."""

_DOCUMENT = "model.json"

C = TypeVar("C", bound=type)


def persistent(cls: C) -> C:
    """Put a class on the list of those that may be stored and loaded.

    Parameters
    ----------
    cls : type
        An estimator, a ``NamedTuple`` or a dataclass. Its constructor keeps each parameter as an attribute
        of the same name; what it learns it keeps in attributes that end in ``_``.

    Returns
    -------
    type
        The class itself, so that this works as a decorator.

    Raises
    ------
    DataError
        If another class of that name is on the list already.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> @persistent
    ... class ExampleParameters(NamedTuple):
    ...     r: float
    ...     alpha: float
    >>> "ExampleParameters" in MODELS
    True
    """
    known = MODELS.get(cls.__name__, cls)
    # A module that is run again (a notebook cell, a reload) makes its classes anew: the newest counts.
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise DataError(
            f"two classes can't be stored under the name {cls.__name__}: "
            f"{known.__module__}.{known.__qualname__} has it, {cls.__module__}.{cls.__qualname__} wants it; "
            "rename one"
        )
    MODELS[cls.__name__] = cls
    return cls


def save_model(model: object, folder: Path | str) -> None:
    """Store a fitted model as a folder of text files.

    Parameters
    ----------
    model : object
        A fitted estimator whose class is `persistent`, and so are those of the estimators inside it.
    folder : Path or str
        Where to write. A model stored there before is replaced; any other folder with content is left alone.

    Raises
    ------
    DataError
        If the folder holds something else, or an attribute is of a type that isn't stored; it says which.

    Notes
    -----
    The folder is written beside its final place and then renamed: a reader never sees half a model. Floats
    are written with the shortest digits that give the same bits back. LightGBM writes all its trees
    (``num_iteration=-1``), and the best iteration is kept in ``model.json``.

    Examples
    --------
    >>> import tempfile
    >>> from typing import NamedTuple
    >>> @persistent
    ... class ExampleParameters(NamedTuple):
    ...     r: float
    ...     alpha: float
    >>> folder = Path(tempfile.mkdtemp()) / "model"
    >>> save_model(ExampleParameters(r=0.243, alpha=4.414), folder)
    >>> load_model(folder)
    ExampleParameters(r=0.243, alpha=4.414)
    """
    target = Path(folder)
    _refuse_what_is_no_model(target)
    encoder = Encoder(MODELS)
    name = type(model).__name__
    try:
        encoded = encoder.encode_object(model, where=name)
    except RecursionError as error:
        raise DataError(f"{name} contains itself, or is nested too deeply to be stored") from error
    document = {"format": FORMAT, "habitue": metadata.version("habitue"), "model": encoded}
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _write(staging / "new", document, encoder.boosters)
        _put_in_place(staging / "new", target, aside=staging / "old")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def load_model(folder: Path | str) -> Any:
    """Bring a stored model back, ready to predict.

    Parameters
    ----------
    folder : Path or str
        What `save_model` wrote.

    Returns
    -------
    estimator
        An object of the same class that predicts the same, bit for bit.

    Raises
    ------
    DataError
        If there is no model, its files are damaged, its format is of another version, or it names a class
        that is not on the list of those that may be loaded.

    Notes
    -----
    The object is made by its constructor from the stored parameters, then its fitted attributes are set.
    No code is read from the folder.

    Examples
    --------
    >>> load_model("no-such-folder")
    Traceback (most recent call last):
    ...
    habitue.errors.DataError: no model can be read from no-such-folder: it has no model.json
    """
    source = Path(folder)
    encoded = _read_document(source)
    decoder = Decoder(MODELS, lambda number: _read_booster(source, number))
    try:
        return decoder.decode(encoded)
    except DataError as error:
        raise DataError(f"no model can be read from {source}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise _damaged(source, f"{type(error).__name__}: {error}") from error


def _refuse_what_is_no_model(target: Path) -> None:
    if target.is_dir() and not (target / _DOCUMENT).is_file() and any(target.iterdir()):
        raise DataError(f"{target} holds other files and no model; name a new or an empty folder")
    if target.exists() and not target.is_dir():
        raise DataError(f"{target} is a file; a model is stored as a folder, name another place")


def _write(folder: Path, document: dict[str, Any], boosters: list[Booster]) -> None:
    folder.mkdir()
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    (folder / _DOCUMENT).write_text(text + "\n", encoding="utf-8")
    for number, booster in enumerate(boosters):
        trees = booster.model_to_string(num_iteration=-1)
        (folder / _booster_name(number)).write_text(trees, encoding="utf-8", newline="")


def _put_in_place(new: Path, target: Path, *, aside: Path) -> None:
    if target.exists():
        target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise


def _read_document(folder: Path) -> Any:
    try:
        text = (folder / _DOCUMENT).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"no model can be read from {folder}: it has no {_DOCUMENT}") from error
    except UnicodeDecodeError as error:
        raise _damaged(folder, f"{_DOCUMENT} is no UTF-8 text") from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, f"{_DOCUMENT} is no valid JSON ({error})") from error
    if not isinstance(document, dict) or not isinstance(document.get("model"), dict):
        raise _damaged(folder, f"{_DOCUMENT} does not describe a model")
    if document.get("format") != FORMAT:
        raise DataError(
            f"the model in {folder} has format {document.get('format')!r}, written by habitue "
            f"{document.get('habitue')}; this habitue reads format {FORMAT}: use that version, or train anew"
        )
    return document["model"]


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _booster_name(number: int) -> str:
    return f"booster-{number}.txt"


def _read_booster(folder: Path, number: int) -> Booster:
    # Imported here: models without trees are stored and loaded where LightGBM's half second is unwelcome.
    lightgbm = load_lightgbm()

    path = folder / _booster_name(number)
    try:
        trees = path.read_bytes().decode()
    except FileNotFoundError as error:
        raise DataError(f"its file {path.name} is missing") from error
    try:
        return lightgbm.Booster(model_str=trees)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise DataError(f"its file {path.name} is no LightGBM model ({error})") from error


def _damaged(folder: Path, reason: str) -> DataError:
    return DataError(f"no model can be read from {folder}, it is damaged: {reason}; fetch or train it anew")
