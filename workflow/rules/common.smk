# The plan and the functions with which rules query it. Every run starts here: reads the config, writes results/plan/.
import os
import sys

from snakemake.exceptions import WorkflowError

# Plan and run with the suite beside this Snakefile, whatever else is installed.
sys.path.insert(0, str(workflow.basedir))
from adkd.base import devices  # noqa: E402
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
    if workflow.is_main_process:
        PLAN.write()
except InputError as error:
    raise WorkflowError(str(error)) from None


def at(name):
    """The path of a file of the results: $ADKD_RESULTS, or results/, is their root."""
    return str(PLAN.results.root / name)


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
