# From a config to tables and figures. adkd/plan/ decides what runs: every result has a spec file in results/plan/, and
# every rule is one command, `adkd VERB SPEC`, that can also be run by hand.
from snakemake.utils import min_version

min_version("9.0")


# Config files on the command line replace the default config; they are not merged with it.
if not workflow.overwrite_configfiles:

    configfile: f"{workflow.basedir}/workflow/config/embedded.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/teacher.smk"
include: "workflow/rules/signals.smk"
include: "workflow/rules/student.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/fidelity.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/ablations.smk"
include: "workflow/rules/sweeps.smk"
include: "workflow/rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        rules.tables.output,
        rules.figures.output,
