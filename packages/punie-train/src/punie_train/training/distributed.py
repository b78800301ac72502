"""More than one process or machine: starting the ranks, and what they tell each other.

`RANKS=2` starts two processes here; `HOSTS=hosts.json` starts one on each machine of an mlx.launch host
file (ring over Ethernet or Thunderbolt, NCCL between CUDA machines, MPI). Every rank holds the model,
computes its share of each batch's rows, and the sums of gradients and losses are added; rank 0 alone
writes. The paths of base and data must exist on every machine.

Covered: data parallelism over any backend of `mx.distributed`. Not covered: splitting one model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlx.utils import tree_map

from punie_train.doctor import usable_cores
from punie_train.errors import TrainingError
from punie_train.mlx import mx, number
from punie_train.progress import Progress
from punie_train.training.config import TrainConfig

INSIDE = "PUNIE_RANK_PROCESS"
"""Set to the name of the launch in its processes, so that they do not launch again."""
SUMMARY = "training.json"
"""The adapter folder's account of how it was trained."""


def wanted_ranks() -> tuple[int, Path | None]:
    """Return how many ranks, or the host file, the environment asks for (`RANKS`, `HOSTS`).

    Raises:
        TrainingError: `RANKS` is no positive number, or the host file does not exist.
    """
    if this_launch():
        return 1, None
    if hosts := os.environ.get("HOSTS"):
        path = Path(hosts)
        if not path.is_file():
            raise TrainingError(f"HOSTS={hosts}: there is no such host file.")
        return 0, path.resolve()
    text = os.environ.get("RANKS") or "1"
    if not text.isdigit() or text == "0":
        raise TrainingError(f"RANKS={text}: give a number of processes, such as RANKS=2.")
    return int(text), None


def launch(
    config: TrainConfig,
    *,
    ranks: int,
    hosts: Path | None,
    base: Path,
    data: Path,
    out: Path,
    progress: Progress,
) -> None:
    """Train in several processes and wait for them.

    `mlx.launch` ends with 0 whatever becomes of its ranks, and an adapter of an earlier training may lie
    at `out`. So the launch has a name, which rank 0 writes into the adapter it makes, and only an adapter
    with that name is taken for what was asked for.

    Raises:
        TrainingError: a rank failed; its own message is above.
    """
    order = {
        "config": config.model_dump(mode="json"),
        "base": str(base.resolve()),
        "data": str(data.resolve()),
        "out": str(out.resolve()),
    }
    name = uuid.uuid4().hex
    command = launch_command(ranks, hosts, json.dumps(order), name)
    progress.note(f"training with {'hosts of ' + str(hosts) if hosts else f'{ranks} ranks'}")
    done = subprocess.run(command, check=False, env={**os.environ, INSIDE: name})
    if done.returncode or _made_by(out) != name:
        raise TrainingError(
            f"a rank failed, and this launch made no {out}; see the rank's message above. The next run goes "
            "on from the last checkpoint."
        )


def this_launch() -> str | None:
    """Return the name of the launch that this process is a rank of, or None."""
    return os.environ.get(INSIDE)


def _made_by(adapter: Path) -> str | None:
    """Return the name of the launch that made an adapter; None for none, or where there is no adapter."""
    try:
        return json.loads((adapter / SUMMARY).read_text(encoding="utf-8")).get("launch")
    except (FileNotFoundError, NotADirectoryError):
        return None


def launch_command(ranks: int, hosts: Path | None, order: str, name: str) -> list[str]:
    """Return the `mlx.launch` command line.

    The order is handed over in it: a file would have to lie on every machine.
    """
    launcher = Path(sys.executable).with_name("mlx.launch")
    where = ["--hostfile", str(hosts)] if hosts else ["-n", str(ranks)]
    backend = os.environ.get("BACKEND") or "ring"  # make exports it empty where it is not given
    threads = max(usable_cores() // max(ranks, 1), 1)
    environment = [
        f"{INSIDE}={name}",
        f"MKL_NUM_THREADS={threads}",
        f"PUNIE_LOCAL_RANKS={max(ranks, 1)}",
    ]
    return [
        str(launcher),
        *where,
        "--backend",
        backend,
        *(word for pair in environment for word in ("--env", pair)),
        "--cwd",
        str(Path.cwd()),
        "--",
        sys.executable,
        "-m",
        "punie_train.training.distributed",
        order,
    ]


def local_ranks() -> int:
    """Return how many ranks share this machine's cores."""
    return int(os.environ.get("PUNIE_LOCAL_RANKS") or "1")


class Ranks:
    """This process among the others; alone, every sum is what it was."""

    def __init__(self) -> None:
        self._group = mx.distributed.init()
        self.rank, self.size = self._group.rank(), self._group.size()

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes."""
        return self.rank == 0

    def mine(self, rows: Sequence[int]) -> list[int]:
        """Return the rows this rank computes: always the same ones, so that it caches no others'."""
        return [row for row in rows if row % self.size == self.rank]

    def sum(self, tree: Any) -> Any:
        """Return the sum of every rank's tree of arrays."""
        if self.size == 1:
            return tree
        summed = tree_map(mx.distributed.all_sum, tree)
        mx.eval(summed)
        return summed

    def sum_number(self, value: float) -> float:
        """Return the sum of every rank's number."""
        return value if self.size == 1 else number(self.sum(mx.array(value, mx.float32)))

    def from_first(self, tree: Any) -> Any:
        """Return rank 0's tree of arrays on every rank; all must have the same names and shapes."""
        if self.size == 1:
            return tree
        tree = _sorted(tree)  # a file has them in another order, and sums meet by order
        return self.sum(
            tree if self.first else tree_map(lambda one: mx.zeros_like(mx.array(one)), tree)
        )


def _sorted(tree: Any) -> Any:
    """Return a tree with the keys of its dictionaries in order."""
    if isinstance(tree, dict):
        return {key: _sorted(tree[key]) for key in sorted(tree)}
    return type(tree)(map(_sorted, tree)) if isinstance(tree, (list, tuple)) else tree


def main() -> None:
    """Run one rank; the order, as JSON, is the only argument."""
    from punie_train.training.loop import train

    order = json.loads(sys.argv[1])
    train(
        TrainConfig.model_validate(
            {key: value for key, value in order["config"].items() if value is not None}
        ),
        base=Path(order["base"]),
        data=Path(order["data"]),
        out=Path(order["out"]),
        progress=Progress(),
    )


if __name__ == "__main__":
    main()
