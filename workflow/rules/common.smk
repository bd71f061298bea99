# The plan and the functions with which rules query it. Every run starts here: reads the config, writes results/plan/.
import hashlib
import os
import sys
import time
from contextlib import ExitStack

from snakemake.exceptions import WorkflowError
from snakemake_interface_storage_plugins.io import Mtime

# Plan and run with the suite beside this Snakefile, whatever else is installed.
sys.path.insert(0, str(workflow.basedir))
from adkd.base import devices, locks  # noqa: E402
from adkd.base.errors import InputError  # noqa: E402
from adkd.plan import plan  # noqa: E402
from adkd.plan.checks import validate  # noqa: E402
from adkd.plan.config import load_config  # noqa: E402

# Jobs run the `adkd` beside the Python that runs Snakemake, even if its environment is not activated.
os.environ.update(
    PYTHONPATH=os.pathsep.join(filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")])),
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
)


try:
    # Read again: Snakemake keeps the last of repeated keys, and no lines.
    CONFIG = validate(load_config(workflow.configfiles).layered(workflow.config_settings.config))
    PLAN = plan.build(CONFIG)
    if set("{}") & set(str(PLAN.results.root)):
        raise InputError("ADKD_RESULTS", value=str(PLAN.results.root), allowed="a path without { and }, for Snakemake")
except InputError as error:
    raise WorkflowError(str(error)) from None


def at(name):
    """The path of a file of the results: $ADKD_RESULTS, or results/, is their root."""
    return str(PLAN.results.root / name)


# Snakemake formats this path, so that braces in the checkout's own path have to be doubled.
ENVIRONMENT = f"{workflow.basedir}/environment.yml".replace("{", "{{").replace("}", "}}")


def digest(name):
    """A function for params: the digest of a planned spec or grid, which the job compares with the file."""
    return lambda wildcards: PLAN.digest(name.format(**wildcards))


# Snakemake builds the graph of jobs when all options are known. Only a process that is going to run jobs writes the plan,
# and holds the lock of the results until it ends.
LOCK = ExitStack()


def build_graph(build=workflow._build_dag):
    if workflow.is_main_process and (workflow.executor_plugin is None or workflow.dryrun):
        foresee()
    elif workflow.is_main_process:
        try:
            token = LOCK.enter_context(locks.claimed(PLAN.results.root))
        except InputError as error:
            raise WorkflowError(str(error)) from None
        if token:
            os.environ[locks.SCHEDULER] = token
            # Snakemake's own lock outlives a process that is killed, and says no more than this one.
            workflow.persistence.lock = workflow.persistence.unlock = workflow.persistence.noop
        PLAN.write()
    if workflow.is_main_process:
        # Snakemake looks at reports alone. A result that lacks another of its files shall be older than its spec.
        for spec in PLAN.incomplete():
            workflow.iocache.mtime[spec] = Mtime(local=time.time())
            workflow.iocache.size[spec] = workflow.dag_settings.max_checksum_file_size + 1  # not compared by content
    build()


def foresee():
    """Where no plan is written, Snakemake shall see the files as if it were, in its cache of what files are."""
    now, cache = time.time(), workflow.iocache
    for change in PLAN.changes():
        file, text = str(change.file), change.record.file_text().encode()
        # Snakemake compares checksums of small files, and reads them for that: what is not there counts as a large one.
        there = change.file.exists()
        cache.size[file] = len(text) if there else workflow.dag_settings.max_checksum_file_size + 1
        cache.checksum[file] = f"sha256:{hashlib.sha256(text).hexdigest()}"
        cache.exists_local[file] = True
        # A microsecond earlier than the result that it must not be newer than, which floats would round.
        cache.mtime[file] = Mtime(local=now if change.time is None else change.time / 1e9 - 1e-6)


workflow._build_dag = build_graph

if workflow.remote_exec:  # on another machine, by a cluster
    os.environ[locks.REMOTE] = "1"


# Without --resources gpu=N nothing would limit how many jobs share the GPUs of this machine.
os.environ[devices.JOBS_PER_GPU] = str(CONFIG.jobs_per_gpu)
if (
    workflow.is_main_process
    and "gpu" not in workflow.global_resources
    and hasattr(workflow, "register_resource")
    and devices.visible()
):
    workflow.register_resource("gpu", len(devices.visible()) * CONFIG.jobs_per_gpu)


def planned(find):
    """An input function: files that the plan names; what it does not know is an error of the workflow."""

    def files(wildcards):
        try:
            return find(wildcards)
        except InputError as error:
            raise WorkflowError(str(error)) from None

    return files


def upstream(result):
    """An input function: the files that a result, given with wildcards, is made from."""
    return planned(lambda wildcards: PLAN.upstream(result.format(**wildcards)))


GPUS = 0 if CONFIG.device == "cpu" else 1


wildcard_constraints:
    method=r"[a-z0-9_]+(\+[\w.=-]+)*",
    task=r"[a-z0-9_]+(\+held_out)?",
    seed=r"\d+|shared",
    signal=r"logits|cls|maps-[a-z0-9]+-[0-9]+(-layer-[0-9.]+)?(-released)?",
    model="(students|teachers)/.+",
    ablation="[a-z0-9_]+",
    round=r"\d+",
    trial=r"\d+",
    worker=r"\d+",
