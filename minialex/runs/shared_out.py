"""A training run in several processes: what it asks of the package parallel."""

from __future__ import annotations

from ..backends.base import BackendUnavailable
from ..nn import BatchNorm2d, Module
from ..parallel import schemes
from ..parallel.group import Group, lengths_of
from ..support.errors import UserError


def group(configuration, world):
    """The Group that exchanges a run's arrays.

    configuration: a Configuration.
    world: the Group of all processes.

    Raises UserError where there are several processes without a way to share out the run.
    """
    if world.size > 1 and configuration.parallel is None:
        names = ", ".join(schemes.NAMES)
        raise UserError(
            f"{world.size} processes were started: say with parallel=... how the run is shared out among them "
            f"({names}), or start one"
        )
    if world.size > 1 and configuration.diagnose:
        raise UserError("diagnose=True is for one process: leave it out, and measure the saved run")
    if world.size > 1 and configuration.backend == "cupy":
        from ..parallel.nccl import NCCLGroup  # which needs CuPy; it chooses a GPU before anything else uses one

        try:
            return NCCLGroup(world)
        except BackendUnavailable as error:
            raise UserError(str(error)) from error
    return world


def scheme(configuration, model, world):
    """The scheme by which a network is trained, see parallel.schemes.

    configuration: a Configuration.
    model: the whole network.
    world: the Group of all processes.

    Raises ValueError for a network, or a number of processes, that the scheme is not for.
    """
    options: dict = {"overlap": configuration.accumulate == 1}
    if configuration.parallel == "hybrid":
        options["exchange"] = configuration.exchange
    else:
        options["local_batch_norm"] = configuration.local_batch_norm
    return schemes.share_out(configuration.parallel, model, world, **options)


def ranks(scheme):
    """(r, P) for data.Loader: this process's part of each batch."""
    return scheme.pictures.rank, scheme.pictures.size


def has_empty_parts(splits, batch_size, pictures):
    """Whether some process has no picture of some batch.

    splits: data sets, or None.
    batch_size: of their batches.
    pictures: the Group whose ranks share each batch.
    """
    counts = [len(split) for split in splits if split]
    return any(min(n, n % batch_size or batch_size) < pictures.size for n in counts)


def describe(run):
    """A line on the processes of a Run, "" for one."""
    c, world, pictures = run.configuration, run.world, run.scheme.pictures
    if c.parallel is None:
        return ""
    if world.size == 1:
        return f"{c.parallel}: 1 process; start more with mpiexec -n N"
    counts = " + ".join(str(n) for n in lengths_of(c.recipe.batch_size, pictures.size))
    text = f"{c.parallel}: {world.size} processes, pictures of a batch {counts if pictures.size > 1 else 'all in each'}"
    if c.parallel == "hybrid":
        text += f", exchange {c.exchange}"
    if _has_batch_norm(run.model):
        text += ", batch normalisation over " + ("each part of a batch" if c.local_batch_norm else "the whole batch")
    return text


def _has_batch_norm(model: Module) -> bool:
    return any(isinstance(module, BatchNorm2d) for module in model.modules())


def threads_of(count: int, world: Group) -> int:
    """How many of a machine's threads one process uses. count: the threads; world: the Group of all processes."""
    return max(1, count // world.local_size)
